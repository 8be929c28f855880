"""`--bits 8,4`: number formats of each block as two more decisions of a space.

Weights and what is read have bits of their own, as in EdMIPS (Cai and Vasconcelos 2020, arXiv
2004.05795, section 3.3) and Bayesian Bits (van Baalen et al. 2020, arXiv 2005.07093). What is no
choice, that is the first convolution, the head and the classifier, keeps more bits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from nas.architecture.activations import activation
from nas.architecture.lowering import lower_layer
from nas.architecture.number_formats import (
    FLOAT32_BITS,
    MOST_INTEGER_BITS,
    FixedPoint,
    NumberFormat,
    ScaledInteger,
)
from nas.architecture.operations import ConvOp, DenseOp, all_ops
from nas.architecture.shapes import Shape
from nas.architecture.spec import Layer
from nas.architecture.text import layer_to_text
from nas.errors import InputError, SpaceError
from nas.search_space.choice import OneOf
from nas.search_space.decisions import is_skip
from nas.search_space.space import Space

# Bits of what is no choice. First and last layers of 8 bits are usual; fewer cost accuracy.
USUAL_END_BITS = 8
# What the first convolution reads: pixels from -1 to 1 with 8 bits, as images have.
PIXELS = FixedPoint(8, 1)
WEIGHTS, READ, INSIDE = "weight_format", "activation_format", "inner_format"


@dataclass(frozen=True)
class BitWidths:
    """The bits that blocks choose from, and those of what is no choice.

    Args:
        blocks: Of weights, and of what is read: each from 1 to 8, or 32 for float32; different.
        ends: Of the first convolution, the head and the classifier, likewise.

    Raises:
        InputError: Other bits, none, or one value twice.
    """

    blocks: tuple[int, ...]
    ends: int = USUAL_END_BITS

    def __post_init__(self) -> None:
        for name, values in (("--bits", self.blocks), ("--end_bits", (self.ends,))):
            if not values or not all(type(v) is int and is_width(v) for v in values):
                raise InputError(
                    f"{name} from 1 to {MOST_INTEGER_BITS}, or {FLOAT32_BITS} for float32",
                    ", ".join(map(repr, values)) or "none",
                    f"write for example {name} {'8,4' if name == '--bits' else '8'}",
                )
        twice = next((v for v in self.blocks if self.blocks.count(v) > 1), None)
        if twice is not None:
            raise InputError(
                "different --bits", f"{twice} twice", "write each value of --bits once"
            )

    @classmethod
    def parse(cls, text: str, ends: int | None = None) -> BitWidths:
        """Bits as `--bits` writes them, such as `8,4`.

        Args:
            text: Whole numbers with commas between them.
            ends: As `--end_bits`; None for the usual ones.

        Raises:
            InputError: No such text, or bits out of range.
        """
        words = [word.strip() for word in text.split(",")]
        if not all(re.fullmatch(r"[+-]?[0-9]{1,9}", word) for word in words):
            raise InputError(
                f"--bits as whole numbers from 1 to {MOST_INTEGER_BITS}, or {FLOAT32_BITS}",
                repr(text),
                "write for example --bits 8,4",
            )
        return cls(tuple(map(int, words)), USUAL_END_BITS if ends is None else ends)

    @property
    def text(self) -> str:
        """As `parse` reads the bits of blocks."""
        return ",".join(map(str, self.blocks))

    @property
    def suffix(self) -> str:
        """What names of spaces with these bits end with."""
        ends = "" if self.ends == USUAL_END_BITS else f"-e{self.ends}"
        return f"-b{'-'.join(map(str, self.blocks))}{ends}"


def is_width(bits: int) -> bool:
    """Whether numbers may have so many bits."""
    return 1 <= bits <= MOST_INTEGER_BITS or bits == FLOAT32_BITS


def with_bits(space: Space, bits: BitWidths | None) -> Space:
    """The same space with number formats: in each block those that are asked for, to be decided.

    Args:
        space: In float32.
        bits: Of blocks and of what is no choice; None for the space as it is.

    Raises:
        SpaceError: A layer has a kernel and no formats to write, or has formats already.
    """
    if bits is None:
        return space
    layers: list[Layer | OneOf] = []
    for layer, shape in zip(space.layers, space.input_shapes(), strict=True):
        options = layer.options if isinstance(layer, OneOf) else (layer,)
        for option in options:
            _check_layer(space, layer, option, shape)
        if isinstance(layer, OneOf):
            layers.append(OneOf(layer.tag, tuple(_options(layer.options, bits.blocks))))
        else:
            layers.append(_fixed(layer, bits.ends, is_first=not layers))
    return replace(space, name=f"{space.name}{bits.suffix}", layers=tuple(layers))


def _options(options: Iterable[Layer], bits: tuple[int, ...]) -> Iterable[Layer]:
    for option in options:
        if is_skip(option):
            yield option
            continue
        for weights in bits:
            for read in bits:
                yield _formatted(option, weights, read)


def _fixed(layer: Layer, bits: int, is_first: bool) -> Layer:
    if not has_formats(layer):
        return layer
    found = _formatted(layer, bits, bits)
    # The range of pixels is known: no scale has to be learned.
    is_known = is_first and bits == PIXELS.bits
    return replace(found, **{READ: PIXELS}) if is_known else found


def _formatted(layer: Layer, weights: int, read: int) -> Layer:
    changes: dict[str, Any] = {WEIGHTS: weights_of(weights), READ: read_of(read)}
    function = getattr(layer, "activation", None)
    if INSIDE in _names(layer) and function and activation(function).is_never_negative:
        changes[INSIDE] = read_of(read, signed=False)
    return replace(layer, **changes)


def weights_of(bits: int) -> NumberFormat | None:
    """The format of weights: signed, with a scale that follows the kernel."""
    return None if bits == FLOAT32_BITS else ScaledInteger(bits)


def read_of(bits: int, signed: bool = True) -> NumberFormat | None:
    """The format of what is read, whose range nobody knows beforehand: with a learned scale.

    Args:
        bits: Of a number.
        signed: Whether there are numbers below 0.
    """
    return None if bits == FLOAT32_BITS else ScaledInteger(bits, signed, "learned")


def _names(layer: Layer) -> set[str]:
    """Attributes of a record that are formats of numbers."""
    return {entry.name for entry in layer.FIELDS if entry.kind == "format"}


def has_formats(layer: Layer) -> bool:
    """Whether a record says the formats of its weights and of what it reads."""
    return {WEIGHTS, READ} <= _names(layer)


def _check_layer(space: Space, place: Layer | OneOf, option: Layer, shape: Shape) -> None:
    where = f"`{place.tag}`" if isinstance(place, OneOf) else "its fixed layers"
    ops = all_ops(lower_layer(option, shape).ops)
    has_kernel = any(isinstance(op, ConvOp | DenseOp) for op in ops)
    if has_kernel and not has_formats(option):
        raise SpaceError(
            f"layers with formats of numbers in space {space.name} with --bits, such as `ir` or "
            "`cn` (docs/architectures.md)",
            f"{layer_to_text(option)} among {where}, which has none",
            "leave --bits out, or name another space, such as --space tiny",
        )
    if any(getattr(option, name) is not None for name in _names(option)):
        raise SpaceError(
            f"a space in float32 with --bits, which writes the formats of {space.name} itself",
            f"{layer_to_text(option)} among {where}",
            "leave --bits out: the space says its formats",
        )
