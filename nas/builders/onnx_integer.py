"""Products of whole numbers of up to 8 bits that ONNX Runtime multiplies as such.

The quantiser in front gives bytes, and MatMulInteger sums of 32 bits, which are exact. Scale, bias
and batch normalisation come behind them, as in `nas.builders.onnx_quantized`: the scores are those
of Keras bit for bit. The usual QDQ form has a bias of 32 bits and one factor of float32 in their
place, which round in other places. A convolution is a matrix product of what each output reads;
ConvInteger gives the same sums and takes 25 times as long as the kernel behind MatMulInteger.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nas.architecture.number_formats import NumberFormat, code_range
from nas.architecture.operations import FLOAT, ConvOp, DenseOp, Op, all_ops
from nas.architecture.scales import inputs_of
from nas.architecture.shapes import same_padding
from nas.builders.onnx_codes import INT8_BITS, Writer, byte_codes, zero_of

PRODUCT = "MatMulInteger"
# x86 without VNNI adds two products of an unsigned and a signed byte in 16 bits, and 2 * 255 * 64
# is the most that fits. Larger codes are stored unsigned, whose products are added in 32 bits.
MOST_SIGNED = 64
# Of the size of a product of two bytes, in sums of 32 bits.
MOST_PRODUCT = 255 * 255


def are_bytes(ops: Iterable[Op]) -> bool:
    """Whether every product that has formats is one of bytes, and there is one.

    Args:
        ops: Of a network.
    """
    found = [
        op for op in all_ops(tuple(ops)) if isinstance(op, ConvOp | DenseOp) and op.formats != FLOAT
    ]
    return bool(found) and all(map(_is_of_bytes, found))


def _is_of_bytes(op: ConvOp | DenseOp) -> bool:
    """Whether a product fits; a depthwise convolution is no matrix product."""
    weights, read = op.formats.weights, op.formats.activations
    if weights is None or read is None or max(weights.bits, read.bits) > INT8_BITS:
        return False
    is_depthwise = isinstance(op, ConvOp) and op.depthwise
    return not is_depthwise and inputs_of(op) * MOST_PRODUCT < 2**31


def sums(
    writer: Writer, op: ConvOp | DenseOp, x: str, kernel: np.ndarray, read_scale: np.float32
) -> str:
    """Products of the codes of an operation as whole numbers of 32 bits, channels last.

    Args:
        writer: Collects the nodes.
        op: One of `are_bytes`.
        x: Name of what it reads, channels first.
        kernel: Codes.
        read_scale: Of the codes of what is read.
    """
    weights, read = op.formats.weights, op.formats.activations
    if weights is None or read is None:
        raise TypeError("Expected formats of both factors. Received: float32. Fix: see are_bytes.")
    x = byte_codes(writer, op.name, x, read, read_scale)
    zero = writer.scalar(f"byte_{zero_of(read)}", zero_of(read), np.uint8)
    if isinstance(op, ConvOp):
        x = _columns(writer, op, writer.node("Transpose", [x], perm=[0, 2, 3, 1]), zero)
    stored, kernel_zero = stored_bytes(kernel.reshape(-1, kernel.shape[-1]), weights)
    kind = stored.dtype
    names = [
        writer.constant(f"{op.name}.kernel", stored),
        zero,
        writer.scalar(f"{kind}_{kernel_zero}", kernel_zero, kind),
    ]
    return writer.node(PRODUCT, [x, *names])


def _columns(writer: Writer, op: ConvOp, x: str, zero: str) -> str:
    """What each output of a convolution reads, in the order of the kernel's rows.

    Args:
        writer: Collects the nodes.
        op: The convolution.
        x: Name of the bytes, (batch, height, width, channels).
        zero: Name of the byte that stands for 0.
    """
    x = _padded(writer, op, x, zero)
    if op.kernel == op.stride == 1:
        return x
    extent = np.array(op.output_shape[:2], np.int64)
    axes = writer.constant("rows_and_columns", np.array([1, 2], np.int64))
    steps = writer.constant(f"steps_of_{op.stride}", np.array([op.stride] * 2, np.int64))
    parts = []
    for place in np.ndindex(op.kernel, op.kernel):
        begins = np.array(place, np.int64)
        ends = begins + op.stride * (extent - 1) + 1
        name = f"{op.name}.{place[0]}.{place[1]}"
        reach = [
            writer.constant(f"{name}.begins", begins),
            writer.constant(f"{name}.ends", ends),
        ]
        parts.append(writer.node("Slice", [x, *reach, axes, steps]))
    return parts[0] if len(parts) == 1 else writer.node("Concat", parts, axis=3)


def _padded(writer: Writer, op: ConvOp, x: str, zero: str) -> str:
    if op.valid:
        return x
    (top, bottom), (left, right) = (
        same_padding(size, op.kernel, op.stride) for size in op.input_shape[:2]
    )
    pads = np.array([0, top, left, 0, 0, bottom, right, 0], np.int64)
    if not pads.any():
        return x
    return writer.node("Pad", [x, writer.constant(f"{op.name}.pads", pads), zero])


def stored_bytes(kernel: np.ndarray, number_format: NumberFormat) -> tuple[np.ndarray, int]:
    """Codes of a kernel as bytes, and the byte that stands for 0.

    Args:
        kernel: Its codes.
        number_format: Of at most 8 bits.
    """
    low, high = code_range(number_format)
    if max(-low, high) <= MOST_SIGNED:
        return kernel.astype(np.int8), 0
    zero = zero_of(number_format)
    return (kernel + zero).astype(np.uint8), zero
