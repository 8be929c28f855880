"""Operations with number formats as ONNX nodes that compute what Keras evaluates, bit for bit.

Whole numbers are multiplied: a quantiser gives the codes of what is read, a DequantizeLinear the
codes of the kernel, and the sums of their products are exact in float32 below 2^24. Scale, bias and
batch normalisation come behind them in double precision, rounded to float32 where Keras rounds.

Codes are made by QuantizeLinear where ONNX has a type, with a Clip behind it where the type has
more numbers than the format (QCDQ). Signs, truncation, wrapping around and fixed point of more than
16 bits have no such operator and are written as arithmetic. Kernels of up to 4 bits are stored as
INT4. ONNX Runtime multiplies none of this in whole numbers, so that no file of it is a promise of
milliseconds; see `nas.deployment.own_int8`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import onnx
from onnx import TensorProto, helper

from nas.architecture.number_formats import FixedPoint, NumberFormat, code_range
from nas.architecture.operations import ConvOp, DenseOp, PoolOp
from nas.architecture.scales import is_sign
from nas.builders.quantized_weights import (
    activation_scale,
    bias_values,
    kernel_codes,
    norm_scale_and_shift,
)

# Opset 21 has 4 and 16 bits; IR 10 is the first version of files that hold them.
OPSET, IR_VERSION = 21, 10
INT4_BITS, INT8_BITS, INT16_BITS = 4, 8, 16


class Product(Protocol):
    """Writes a convolution or a matrix product without a bias."""

    def __call__(self, op: ConvOp | DenseOp, x: str, kernel: str) -> str:
        """Adds the node; the name of its output."""


class Writer(Protocol):
    """What collects the nodes of a graph; of `nas.builders.onnx_model`."""

    @property
    def weights(self) -> Mapping[str, np.ndarray]:
        """By the names of `nas.architecture.weights`."""

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Adds a node and returns its output's name."""

    def constant(self, name: str, value: np.ndarray) -> str:
        """Adds an initializer."""

    def scalar(self, name: str, value: Any, kind: Any = np.float32) -> str:
        """Adds an initializer of one number, without an axis."""

    def tensor(self, value: Any) -> str:
        """Adds an initializer of a type that NumPy lacks, under its own name."""


def multiplied(writer: Writer, op: ConvOp | DenseOp, x: str, product: Product) -> str:
    """An operation with formats up to its activation, which is left to the writer.

    Args:
        writer: Collects the nodes.
        op: With formats.
        x: Name of what it reads.
        product: Writes the node that multiplies.
    """
    kernel, kernel_scale = kernel_codes(op, writer.weights)
    read = op.formats.activations
    is_whole = read is not None and op.formats.weights is not None
    if read is not None:
        x = codes(writer, op.name, x, read, activation_scale(op, writer.weights))
        if not is_whole:
            step = activation_scale(op, writer.weights)
            x = writer.node("Mul", [x, writer.scalar(f"{op.name}.read.step", step)])
    if not is_whole:
        kernel = kernel.astype(np.float32) * kernel_scale
    name = _kernel(writer, op, kernel)
    x = product(op, x, name)
    bias = bias_values(op, writer.weights) if op.bias else None
    if is_whole:
        scale = (kernel_scale * activation_scale(op, writer.weights)).astype(np.float32)
        x = _scaled_and_shifted(writer, f"{op.name}.sum", op, x, scale, bias)
    elif bias is not None:
        x = writer.node("Add", [x, writer.constant(f"{op.name}.bias", _column(op, bias))])
    if isinstance(op, DenseOp) and op.scale != 1:
        x = writer.node("Mul", [x, writer.scalar(f"{op.name}.factor", op.scale)])
    return _normalised(writer, op, x)


def _column(op: ConvOp | DenseOp, values: np.ndarray) -> np.ndarray:
    """Numbers of each output in the shape that fits what the operation gives."""
    return values if isinstance(op, DenseOp) else values.reshape(-1, 1, 1)


def _kernel(writer: Writer, op: ConvOp | DenseOp, kernel: np.ndarray) -> str:
    """The kernel as its codes in few bits and a DequantizeLinear, or as numbers."""
    if isinstance(op, ConvOp):
        kernel = kernel.transpose(3, 2, 0, 1)
    found = op.formats.weights
    name = f"{op.name}.kernel"
    is_whole = op.formats.activations is not None and found is not None
    kind = stored_type(found) if is_whole and found is not None else None
    if kind is None:
        return writer.constant(name, kernel.astype(np.float32))
    tensor = helper.make_tensor(name, kind, kernel.shape, kernel.reshape(-1).tolist())
    return writer.node("DequantizeLinear", [writer.tensor(tensor), writer.scalar("one", 1.0)])


def stored_type(number_format: NumberFormat) -> int | None:
    """The type of `TensorProto` that holds codes of a kernel; None where float32 has to.

    Args:
        number_format: Of the kernel.
    """
    low, high = code_range(number_format)
    for bits, signed, unsigned in (
        (INT4_BITS, TensorProto.INT4, TensorProto.UINT4),
        (INT8_BITS, TensorProto.INT8, TensorProto.UINT8),
        (INT16_BITS, TensorProto.INT16, TensorProto.UINT16),
    ):
        if low >= 0 and high < 2**bits:
            return int(unsigned)
        if -(2 ** (bits - 1)) <= low and high < 2 ** (bits - 1):
            return int(signed)
    return None


def codes(writer: Writer, name: str, x: str, number_format: NumberFormat, scale: Any) -> str:
    """Codes of a tensor as whole numbers in float32.

    Args:
        writer: Collects the nodes.
        name: That the names of constants begin with.
        x: Of the tensor.
        number_format: Of the codes.
        scale: Of scaled whole numbers, above 0; of fixed point its step.
    """
    if is_sign(number_format):
        is_plus = writer.node("GreaterOrEqual", [x, writer.scalar("zero", 0.0)])
        signs = [writer.scalar("one", 1.0), writer.scalar("minus_one", -1.0)]
        return writer.node("Where", [is_plus, *signs])
    if isinstance(number_format, FixedPoint) and not _has_type(number_format):
        return _fixed_codes(writer, name, x, number_format)
    low, high = code_range(number_format)
    kind = np.dtype(f"{'u' if low >= 0 else ''}int{8 if number_format.bits <= INT8_BITS else 16}")
    step = writer.scalar(f"{name}.read.scale", scale)
    zero = writer.scalar(f"zero_{kind}", 0, kind)
    is_narrow = (low, high) != (np.iinfo(kind).min, np.iinfo(kind).max)
    if is_narrow and number_format.bits > INT8_BITS:
        # Runtimes clip no numbers of 16 bits. The ends of fixed point are float32 numbers.
        reach = (low * float(scale), high * float(scale))
        x = writer.node("Clip", [x, *_ends(writer, name, reach, np.float32)])
    x = writer.node("QuantizeLinear", [x, step, zero])
    if is_narrow and number_format.bits <= INT8_BITS:
        x = writer.node("Clip", [x, *_ends(writer, name, (low, high), kind)])
    return writer.node("DequantizeLinear", [x, writer.scalar("one", 1.0), zero])


def _has_type(number_format: FixedPoint) -> bool:
    """Whether a QuantizeLinear rounds and cuts as the format does."""
    is_usual = (number_format.rounding, number_format.overflow) == ("round", "saturate")
    return is_usual and number_format.total <= INT16_BITS


def _ends(writer: Writer, name: str, ends: tuple[float, float], kind: Any) -> list[str]:
    names = (f"{name}.least", f"{name}.greatest")
    return [writer.scalar(n, end, kind) for n, end in zip(names, ends, strict=True)]


def _fixed_codes(writer: Writer, name: str, x: str, number_format: FixedPoint) -> str:
    """Codes of fixed point in arithmetic; every step is exact in float32.

    Args:
        writer: Collects the nodes.
        name: That the names of constants begin with.
        x: Of the tensor.
        number_format: Of the codes.
    """
    inverse = writer.scalar(f"{name}.inverse_step", 1.0 / number_format.step)
    x = writer.node("Mul", [x, inverse])
    x = writer.node("Floor" if number_format.rounding == "truncate" else "Round", [x])
    low, high = code_range(number_format)
    if number_format.overflow == "saturate":
        return writer.node("Clip", [x, *_ends(writer, f"{name}.codes", (low, high), np.float32)])
    count = 2.0**number_format.total
    part = writer.node("Mul", [x, writer.scalar(f"{name}.per_turn", 1.0 / count)])
    turn = writer.scalar(f"{name}.turn", count)
    rest = writer.node("Sub", [x, writer.node("Mul", [writer.node("Floor", [part]), turn])])
    half = writer.scalar(f"{name}.half_turn", count / 2)
    is_high = writer.node("GreaterOrEqual", [rest, half])
    return writer.node("Where", [is_high, writer.node("Sub", [rest, turn]), rest])


def _scaled_and_shifted(
    writer: Writer,
    name: str,
    op: ConvOp | DenseOp,
    x: str,
    scale: np.ndarray,
    shift: np.ndarray | None,
) -> str:
    """X * scale + shift in double precision, rounded to float32 once; see `integer_network`."""
    x = writer.node("Cast", [x], to=TensorProto.DOUBLE)
    factor = _column(op, scale.astype(np.float64))
    x = writer.node("Mul", [x, writer.constant(f"{name}.scale", factor)])
    if shift is not None:
        added = _column(op, shift.astype(np.float64))
        x = writer.node("Add", [x, writer.constant(f"{name}.shift", added)])
    return writer.node("Cast", [x], to=TensorProto.FLOAT)


def _normalised(writer: Writer, op: ConvOp | DenseOp, x: str) -> str:
    """Batch normalisation, in its format where it has one."""
    if not op.batch_norm:
        return x
    scale, shift = norm_scale_and_shift(op, writer.weights)
    x = _scaled_and_shifted(writer, f"{op.name}.norm", op, x, scale, shift)
    norm = op.formats.norm
    if not isinstance(norm, FixedPoint):
        return x
    x = _fixed_codes(writer, f"{op.name}.norm", x, norm)
    return writer.node("Mul", [x, writer.scalar(f"{op.name}.norm.step", norm.step)])


def pooled(writer: Writer, op: PoolOp, x: str) -> str:
    """A mean in double precision, as quantised networks take it; not of `max`.

    Args:
        writer: Collects the nodes.
        op: A mean over the map, or over windows.
        x: Name of what it reads.
    """
    x = writer.node("Cast", [x], to=TensorProto.DOUBLE)
    axes = [2, 3]
    if op.kind == "average":
        height, width, channels = op.output_shape
        lasts = np.array([height * op.size, width * op.size], np.int64)
        begins, along = np.zeros(2, np.int64), np.array([2, 3], np.int64)
        parts = {"begins": begins, "ends": lasts, "axes": along}
        names = [writer.constant(f"{op.name}.{key}", value) for key, value in parts.items()]
        windows = np.array([-1, channels, height, op.size, width, op.size], np.int64)
        shape = writer.constant(f"{op.name}.windows", windows)
        x = writer.node("Reshape", [writer.node("Slice", [x, *names]), shape])
        axes = [3, 5]
    reduced = writer.constant(f"{op.name}.reduced", np.array(axes, np.int64))
    x = writer.node("ReduceMean", [x, reduced], keepdims=0)
    return writer.node("Cast", [x], to=TensorProto.FLOAT)


def emulates_formats(data: bytes) -> bool:
    """Whether a file of ours multiplies codes of number formats as float32 numbers.

    Its milliseconds would say nothing of hardware that has these formats.

    Args:
        data: A serialised ONNX model of `nas.builders.onnx_model`; of a file that is none, whoever
            measures it says so.
    """
    try:
        versions = onnx.ModelProto.FromString(data).opset_import
    except Exception:  # protobuf's exceptions share no base class
        return False
    return any(entry.domain == "" and entry.version == OPSET for entry in versions)
