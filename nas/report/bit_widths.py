"""Bits of a network, layer by layer, as pages show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from nas.architecture.lowering import LoweredLayer, lower_architecture
from nas.architecture.number_formats import FLOAT32, bits_of, format_text
from nas.architecture.operations import FLOAT, ConvOp, DenseOp, all_ops
from nas.architecture.spec import Architecture
from nas.architecture.text import layer_to_text, parse
from nas.architecture.weights import op_weights
from nas.cost.bits import bits_of_product, kernel_bits
from nas.cost.counts import op_macs
from nas.errors import InputError
from nas.report.blocks import box_text


@dataclass(frozen=True)
class LayerBits:
    """A layer that multiplies.

    Args:
        index: Of the layer in the network, from 0.
        name: In a word or two.
        text: Of the layer, as in an architecture text.
        weights: Format of its kernels; `float32` where they have none.
        reads: Format of what it reads; likewise.
        weights_bits: Of a number of its kernels.
        reads_bits: Of a number that it reads.
        kernel_numbers: In all of its kernels.
        weight_bits: Of all of its kernels.
        bops: Bit operations of one image.
    """

    index: int
    name: str
    text: str
    weights: str
    reads: str
    weights_bits: int
    reads_bits: int
    kernel_numbers: int
    weight_bits: int
    bops: int


def bits_by_layer(architecture: Architecture) -> tuple[LayerBits, ...]:
    """The layers with kernels, in order.

    Args:
        architecture: The network.
    """
    return tuple(_layers(architecture))


def has_formats(layers: Sequence[LayerBits]) -> bool:
    """Whether any layer multiplies other numbers than float32.

    Args:
        layers: Of a network.
    """
    return any(not one.weights == one.reads == FLOAT32 for one in layers)


@lru_cache(maxsize=4096)
def bits_of_text(text: str) -> tuple[LayerBits, ...]:
    """`bits_by_layer` of a network that a record has as text.

    Args:
        text: Of the network. One with blocks of a file that was not read has no layers here.
    """
    try:
        return bits_by_layer(parse(text))
    except InputError:
        return ()


def mean_bits(layers: Sequence[LayerBits]) -> float:
    """Bits of a number of the kernels, on average over all numbers.

    Args:
        layers: Of a network, one or more.
    """
    return sum(one.weight_bits for one in layers) / sum(one.kernel_numbers for one in layers)


def widths_text(layers: Sequence[LayerBits]) -> tuple[str, str]:
    """Bits of weights and of what is read, such as `4` or `2 to 8`.

    The first layer reads pixels, whose bits say nothing of the others; it counts where it is alone.

    Args:
        layers: Of a network, one or more.
    """
    between = layers[1:] or layers
    return _span([x.weights_bits for x in layers]), _span([x.reads_bits for x in between])


def _span(widths: Sequence[int]) -> str:
    least, most = min(widths), max(widths)
    return str(least) if least == most else f"{least} to {most}"


def _layers(architecture: Architecture) -> Iterator[LayerBits]:
    for layer in lower_architecture(architecture):
        # Squeeze-and-excitation is float32 and tells nothing of its block's formats.
        ops = [op for op in all_ops(layer.ops) if isinstance(op, ConvOp | DenseOp)]
        if ops:
            yield _of(layer, ops)


def _of(layer: LoweredLayer, ops: Sequence[ConvOp | DenseOp]) -> LayerBits:
    # All convolutions of a block have the formats of its record.
    formats = next((op.formats for op in ops if op.formats != FLOAT), FLOAT)
    return LayerBits(
        layer.index,
        box_text(layer.layer),
        layer_to_text(layer.layer),
        format_text(formats.weights),
        format_text(formats.activations),
        bits_of(formats.weights),
        bits_of(formats.activations),
        sum(w.size for op in ops for w in op_weights(op) if w.kind == "kernel"),
        sum(map(kernel_bits, ops)),
        sum(op_macs(op) * bits_of_product(op) for op in ops),
    )
