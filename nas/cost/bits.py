"""Bits of weights and of multiplications, and bytes of weights, by the formats of operations.

*Weight bits* are those of kernels alone: the numbers that are multiplied. *Bit operations* (BOPs)
are multiply-adds, each times the bits of its weight and the bits of what it reads; an adder tree
adds none. Both are what FINN counts of a network (`inference_cost`, as `total_mem_w_bits` and
`total_bops`; Blott et al. 2018, arXiv 1809.04570). Float32 has 32 bits on either side, and so do
operations without formats, such as squeeze-and-excitation.
"""

from __future__ import annotations

from collections.abc import Iterator

from nas.architecture.number_formats import FLOAT32_BITS, ScaledInteger, bits_of
from nas.architecture.operations import FLOAT, ConvOp, DenseOp, Formats, NormOp, Op
from nas.architecture.weights import op_weights


def formats_of_op(op: Op) -> Formats:
    """The formats of an operation; float32 of those that have none."""
    return op.formats if isinstance(op, ConvOp | DenseOp) else FLOAT


def bits_of_product(op: Op) -> int:
    """Bit operations of one multiply-add."""
    formats = formats_of_op(op)
    return bits_of(formats.weights) * bits_of(formats.activations)


def kernel_bits(op: Op) -> int:
    """Bits of the kernels of one operation (those inside of residuals are others)."""
    size = sum(weight.size for weight in op_weights(op) if weight.kind == "kernel")
    return size * bits_of(formats_of_op(op).weights)


def stored_tensors(op: Op) -> Iterator[tuple[int, int]]:
    """What has to be kept of one operation: numbers and bits a number, of each tensor but kernels.

    Batch normalisation without a format folds: into a float32 kernel and its bias, or behind a
    kernel with a format into one factor and one summand a channel. With a format its scale and its
    shift stay. The format of a bias is that of the shift where the operation has no bias of its own
    (`nas.builders.quantized_weights`).

    Args:
        op: The operation.

    Yields:
        Numbers, bits of each.
    """
    if not isinstance(op, ConvOp | DenseOp):
        # Nothing to fold into: all four numbers of batch normalisation stay.
        kinds = ("gamma", "beta", "mean", "variance") if isinstance(op, NormOp) else ("bias",)
        yield from ((w.size, FLOAT32_BITS) for w in op_weights(op) if w.kind in kinds)
        return
    formats, channels = op.formats, op.output_shape[-1]
    folds = op.batch_norm and formats.norm is None
    if folds:
        # What is added to a bias folds with it into one float32 summand.
        yield channels, FLOAT32_BITS if op.bias else bits_of(formats.bias)
    elif op.bias:
        yield channels, bits_of(formats.bias)
    if op.batch_norm and not folds:
        shift = formats.norm if op.bias or formats.bias is None else formats.bias
        yield from ((channels, bits_of(number_format)) for number_format in (formats.norm, shift))
    # Codes of whole numbers have a scale, which a folded normalisation is multiplied into.
    if isinstance(formats.weights, ScaledInteger) or (folds and formats.weights is not None):
        yield channels, FLOAT32_BITS
    if isinstance(formats.bias, ScaledInteger) and not (folds and op.bias):
        yield 1, FLOAT32_BITS
    if isinstance(formats.activations, ScaledInteger) and formats.activations.scale == "learned":
        yield 1, FLOAT32_BITS


def other_bits(op: Op) -> int:
    """Bits of everything that is stored beside kernels: biases, scales, normalisation."""
    return sum(count * bits for count, bits in stored_tensors(op))


def size_bytes(op: Op) -> int:
    """Bytes of the weights of one operation as they are stored, whole bytes for each tensor."""
    bits = bits_of(formats_of_op(op).weights)
    kernels = [(w.size, bits) for w in op_weights(op) if w.kind == "kernel"]
    return sum(tensor_bytes(*tensor) for tensor in (*kernels, *stored_tensors(op)))


def tensor_bytes(count: int, bits: int) -> int:
    """Bytes of so many numbers, packed: ceil(count * bits / 8).

    Args:
        count: Of the numbers.
        bits: Of each.
    """
    return -(-count * bits // 8)
