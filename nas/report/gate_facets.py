"""What the options of a search differ in: the block, and every other decision, such as its bits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nas.architecture import text as arch_text
from nas.architecture.number_formats import bits_of, format_text
from nas.architecture.spec import Layer, MBConv, Skip
from nas.errors import ArchitectureError, SpaceError
from nas.methods.history import GateChoice
from nas.report.blocks import OTHER_COLOUR, box_text, kernel_colour
from nas.search_space.choice import OneOf
from nas.search_space.decisions import BLOCK, SKIP, is_formats, ordered, value_of

SKIP_LABEL, SKIP_COLOUR = "skip", "#e2e6ec"
# Small expansions are drawn in a lighter tint of their kernel's colour.
LIGHT_EXPANSION_BELOW = 5
TINT = 0.45
# What the label of an MBConv block says already.
IN_LABEL = ("kernel", "expansion", "se_ratio", BLOCK, SKIP)
# First and last colour of a decision's values; those of bits are as in the chart by layer.
BLUES, ORANGES, VIOLETS = ("#cfe2f1", "#174a70"), ("#f6dcb6", "#8a5207"), ("#e0d5ec", "#46285f")
SHOWN = {"weight_format": ("weights", BLUES), "activation_format": ("reads", ORANGES)}


@dataclass
class Facet:
    """One thing that options differ in.

    Args:
        title: In a word or three.
        labels: Choice -> the value of each of its options, in a word or two.
        colours: Value -> colour, in the order of the values.
    """

    title: str
    labels: list[tuple[str, ...]] = field(default_factory=list)
    colours: dict[str, str] = field(default_factory=dict)

    def is_decided(self, place: int) -> bool:
        """Whether the options of a choice differ in it."""
        return len(set(self.labels[place])) > 1


def option_record(token: str) -> Layer | None:
    """The record of an option, or None for a block that is not registered here.

    Args:
        token: Text of its layer.
    """
    try:
        return arch_text.parse(f"in_s1 {token}").layers[0]
    except (ArchitectureError, IndexError):
        return None


def option_colour(token: str) -> str:
    """Colour of an option: its kernel's, lighter for a small expansion, grey for skip.

    Args:
        token: Text of its layer.
    """
    record = option_record(token)
    if isinstance(record, Skip):
        return SKIP_COLOUR
    colour = OTHER_COLOUR if record is None else kernel_colour(record)
    if isinstance(record, MBConv) and record.expansion < LIGHT_EXPANSION_BELOW:
        return _blend(colour, "#ffffff", TINT)
    return colour


def facets_of(choices: Sequence[GateChoice]) -> tuple[Facet, ...]:
    """What the options differ in: the kinds of block first, then one decision after the other.

    Args:
        choices: With one option or more each.

    Returns:
        Those that are decided anywhere; the kinds of block where nothing is.
    """
    records = [tuple(map(option_record, choice.options)) for choice in choices]
    decided = [_decisions(choice, row) for choice, row in zip(choices, records, strict=True)]
    names = tuple(dict.fromkeys(name for row in decided for name in row))
    blocks = Facet("block")
    for choice, row, own in zip(choices, records, decided, strict=True):
        pairs = zip(choice.options, row, strict=True)
        blocks.labels.append(tuple(_block_label(token, record, own) for token, record in pairs))
        for label, token in zip(blocks.labels[-1], choice.options, strict=True):
            blocks.colours.setdefault(label, option_colour(token))
    found = [blocks, *(_facet(name, records, decided) for name in names)]
    kept = tuple(f for f in found if any(map(f.is_decided, range(len(choices)))))
    return kept or (blocks,)


def _decisions(choice: GateChoice, records: Sequence[Layer | None]) -> tuple[str, ...]:
    """What a choice decides beside the label of its blocks; nothing where a block is unknown."""
    try:
        place = OneOf(choice.tag, tuple(record for record in records if record is not None))
    except SpaceError:
        return ()
    if None in records:
        return ()
    # The label of any other block says one kernel at most.
    in_label = IN_LABEL if isinstance(place.blocks[0], MBConv) else (BLOCK, SKIP)
    return tuple(d.name for d in place.block_decisions if d.name not in in_label)


def _block_label(token: str, record: Layer | None, decided: Sequence[str]) -> str:
    if isinstance(record, Skip):
        return SKIP_LABEL
    is_told = isinstance(record, MBConv) or (record is not None and decided)
    return box_text(record) if is_told and record is not None else token


def _facet(
    name: str, records: Sequence[Sequence[Layer | None]], decided: Sequence[Sequence[str]]
) -> Facet:
    title, ends = SHOWN.get(name, (name.replace("_", " "), VIOLETS))
    own = [row for row, names in zip(records, decided, strict=True) if name in names]
    values = ordered(
        value_of(record, name)
        for row in own
        for record in row
        if record is not None and not isinstance(record, Skip)
    )
    texts = _texts(values)
    facet = Facet(title, colours=_tints(texts.values(), ends))
    for row, names in zip(records, decided, strict=True):
        facet.labels.append(
            tuple(
                SKIP_LABEL if isinstance(record, Skip) else texts[value_of(record, name)]
                for record in row
                if record is not None
            )
            if name in names
            else len(row) * ("",)
        )
    if any(SKIP_LABEL in labels for labels in facet.labels):
        facet.colours[SKIP_LABEL] = SKIP_COLOUR
    return facet


def _texts(values: Sequence[Any]) -> Mapping[Any, str]:
    """Values in a word: formats by their bits where these tell them apart."""
    if not is_formats(values):
        return {value: f"{value}" for value in values}
    bits = {value: f"{bits_of(value)} bits" for value in values}
    if len(set(bits.values())) == len(bits):
        return bits
    return {value: format_text(value) for value in values}


def _tints(labels: Iterable[str], ends: tuple[str, str]) -> dict[str, str]:
    found = tuple(labels)
    last = max(len(found) - 1, 1)
    return {label: _blend(*ends, number / last) for number, label in enumerate(found)}


def _blend(first: str, second: str, share: float) -> str:
    """A colour on the way from one to another.

    Args:
        first: As #rrggbb.
        second: Likewise.
        share: Of the second, from 0 to 1.
    """
    pairs = [(int(first[i : i + 2], 16), int(second[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(one + share * (other - one)):02x}" for one, other in pairs)
