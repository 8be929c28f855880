"""What a choice decides: the attributes in which its records differ, and whether it exists.

Nothing here knows a kind of block. A choice of `MBConv` records that differ in kernel and expansion
decides `kernel` and `expansion`; one of a user's own records decides whatever differs between them.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from nas.architecture.number_formats import FixedPoint, ScaledInteger, bits_of, format_text
from nas.architecture.spec import Layer, Skip
from nas.architecture.text import layer_to_text
from nas.errors import SpaceError
from nas.layers.draw import SKIP as SKIP

# Options of the decision whether a block exists: keep it, skip it.
SKIP_OPTIONS = (False, True)
# Name of the decision between records of different types, whose attributes do not compare.
BLOCK = "block"
# Attribute -> another one that it may follow from: it is then no decision of its own. What a bias
# and a normalisation are written in follows the weights in published searches.
FOLLOWS = {
    "inner_format": "activation_format",
    "bias_format": "weight_format",
    "norm_format": "weight_format",
}


@dataclass(frozen=True)
class Decision:
    """One thing to decide.

    Args:
        name: Attribute of the records, `SKIP` or `BLOCK`.
        options: Values of the attribute: numbers ascending, formats by their bits, others as the
            records name them first.
    """

    name: str
    options: tuple[Any, ...]


def ordered(values: Iterable[Any]) -> tuple[Any, ...]:
    """Different values in the order of a decision.

    Numbers ascend, and so do formats by their bits, float32 behind all others. Formats of as many
    bits are ordered by their text; other values stand as they came.
    """
    found = tuple(dict.fromkeys(values))
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in found):
        return tuple(sorted(found))
    if is_formats(found):
        return tuple(sorted(found, key=lambda v: (bits_of(v), format_text(v))))
    return found


def is_formats(values: Iterable[Any]) -> bool:
    """Whether values are formats of numbers; None among them is float32."""
    found = tuple(values)
    formats = [v for v in found if isinstance(v, ScaledInteger | FixedPoint)]
    return bool(formats) and all(v is None or v in formats for v in found)


def option_texts(decision: Decision) -> tuple[int | float | str, ...]:
    """The values of a decision as plain data, for people and files.

    Args:
        decision: Any.
    """
    if is_formats(decision.options):
        return tuple(map(format_text, decision.options))
    plain = (int, float, str)
    return tuple(v if isinstance(v, plain) else f"{v}" for v in decision.options)


def block_decisions(tag: str, blocks: Sequence[Layer]) -> tuple[Decision, ...]:
    """What tells the records of a choice apart, in the order of their attributes.

    Args:
        tag: Name of the choice, for errors.
        blocks: Its records, skip left out.

    Raises:
        SpaceError: The records are not all combinations of the values that they have.
    """
    if len({type(block) for block in blocks}) > 1:
        return (Decision(BLOCK, tuple(blocks)),)
    names = [field.name for field in dataclasses.fields(blocks[0])] if blocks else []
    values = {name: ordered(getattr(block, name) for block in blocks) for name in names}
    decisions = tuple(
        Decision(name, row)
        for name, row in values.items()
        if len(row) > 1 and not _follows(name, blocks)
    )
    _check_grid(tag, blocks, decisions)
    return decisions


def _follows(name: str, blocks: Sequence[Layer]) -> bool:
    """Whether another attribute of the same records says what this one is."""
    leader = FOLLOWS.get(name)
    if leader is None or not hasattr(blocks[0], leader):
        return False
    pairs = {(getattr(block, leader), getattr(block, name)) for block in blocks}
    return len(pairs) == len({first for first, _ in pairs})


def _check_grid(tag: str, blocks: Sequence[Layer], decisions: Sequence[Decision]) -> None:
    found = {tuple(getattr(block, d.name) for d in decisions) for block in blocks}
    for wanted in itertools.product(*(d.options for d in decisions)):
        if wanted not in found and blocks:
            changes = dict(zip((d.name for d in decisions), wanted, strict=True))
            missing = layer_to_text(dataclasses.replace(blocks[0], **changes))
            raise SpaceError(
                f"every combination of {', '.join(changes)} among the options of `{tag}`",
                f"{len(blocks)} options, without {missing}",
                "add the option, or make a choice of its own for what goes together",
            )


def value_of(block: Layer, name: str) -> Any:
    """What a record says about a decision.

    Args:
        block: The record.
        name: Of the decision.

    Returns:
        None if the record has no such attribute.
    """
    return block if name == BLOCK else getattr(block, name, None)


def is_skip(option: Layer) -> bool:
    """Whether an option leaves the block out."""
    return isinstance(option, Skip)
