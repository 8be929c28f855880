"""Bits of a network, layer by layer, as pages show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from nas.architecture.lowering import LoweredLayer, lower_architecture
from nas.architecture.number_formats import FLOAT32, bits_of, format_text
from nas.architecture.operations import Op, all_ops
from nas.architecture.spec import Architecture
from nas.architecture.text import layer_to_text, parse
from nas.architecture.weights import op_weights
from nas.cost.bits import bits_of_product, formats_of_op, kernel_bits
from nas.cost.counts import op_macs
from nas.errors import InputError
from nas.report.blocks import box_text


@dataclass(frozen=True)
class LayerBits:
    """A layer that multiplies, with all of its operations that have kernels.

    Args:
        index: Of the layer in the network, from 0.
        name: In a word or two.
        text: Of the layer, as in an architecture text.
        weights: Formats of its kernels, each once; `float32` where they have none.
        reads: Formats of what is read, likewise.
        weights_span: Fewest and most bits of a number of its kernels.
        reads_span: Likewise of a number that is read.
        reads_bits: Of a number that is read, on average over multiply-adds.
        kernel_numbers: In all of its kernels.
        weight_bits: Of all of its kernels.
        bops: Bit operations of one image.
    """

    index: int
    name: str
    text: str
    weights: str
    reads: str
    weights_span: tuple[int, int]
    reads_span: tuple[int, int]
    reads_bits: float
    kernel_numbers: int
    weight_bits: int
    bops: int

    @property
    def weights_bits(self) -> float:
        """Bits of a number of its kernels, on average over all of these."""
        return self.weight_bits / self.kernel_numbers


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
    return _text([x.weights_span for x in layers]), _text([x.reads_span for x in between])


def _text(spans: Sequence[tuple[int, int]]) -> str:
    least, most = _span([bits for span in spans for bits in span])
    return str(least) if least == most else f"{least} to {most}"


def _span(widths: Sequence[int]) -> tuple[int, int]:
    return min(widths), max(widths)


def _layers(architecture: Architecture) -> Iterator[LayerBits]:
    for layer in lower_architecture(architecture):
        # Squeeze-and-excitation, which is float32, among them.
        ops = [op for op in all_ops(layer.ops) if kernel_bits(op)]
        if ops:
            yield _of(layer, ops)


def _of(layer: LoweredLayer, ops: Sequence[Op]) -> LayerBits:
    formats, macs = [formats_of_op(op) for op in ops], [op_macs(op) for op in ops]
    reads = [bits_of(one.activations) for one in formats]
    return LayerBits(
        layer.index,
        box_text(layer.layer),
        layer_to_text(layer.layer),
        " and ".join(dict.fromkeys(format_text(one.weights) for one in formats)),
        " and ".join(dict.fromkeys(format_text(one.activations) for one in formats)),
        _span([bits_of(one.weights) for one in formats]),
        _span(reads),
        sum(count * bits for count, bits in zip(macs, reads, strict=True)) / sum(macs),
        sum(w.size for op in ops for w in op_weights(op) if w.kind == "kernel"),
        sum(map(kernel_bits, ops)),
        sum(count * bits_of_product(op) for count, op in zip(macs, ops, strict=True)),
    )
