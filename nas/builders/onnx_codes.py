"""Codes of number formats as ONNX nodes, and the types that kernels of codes are stored in.

Codes are made by QuantizeLinear where ONNX has a type, with a Clip behind it where the type has
more numbers than the format (QCDQ). Signs, truncation, wrapping around and fixed point of more than
16 bits have no such operator and are written as arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from onnx import TensorProto

from nas.architecture.number_formats import FixedPoint, NumberFormat, code_range
from nas.architecture.operations import ConvOp, DenseOp
from nas.architecture.scales import is_sign

INT4_BITS, INT8_BITS, INT16_BITS = 4, 8, 16
# The byte that stands for 0 where codes below 0 are stored as UINT8.
MIDDLE = 128


class Product(Protocol):
    """Writes a convolution or a matrix product without a bias."""

    def __call__(self, op: ConvOp | DenseOp, x: str, kernel: str) -> str:
        """Adds the node; the name of its output."""


class Writer(Protocol):
    """What collects the nodes of a graph; of `nas.builders.onnx_model`."""

    @property
    def has_bytes(self) -> bool:
        """Whether products are those of whole numbers; see `nas.builders.onnx_integer`."""

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
        return fixed_codes(writer, name, x, number_format)
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


def byte_codes(writer: Writer, name: str, x: str, number_format: NumberFormat, scale: Any) -> str:
    """Codes of a tensor as UINT8, moved up by `zero_of`.

    Args:
        writer: Collects the nodes.
        name: That the names of constants begin with.
        x: Of the tensor.
        number_format: Of the codes, of at most 8 bits.
        scale: Of scaled whole numbers, above 0; of fixed point its step.
    """
    zero = zero_of(number_format)
    if is_sign(number_format):
        is_plus = writer.node("GreaterOrEqual", [x, writer.scalar("zero", 0.0)])
        bytes_of = {"plus_byte": zero + 1, "minus_byte": zero - 1}
        signs = [writer.scalar(key, value, np.uint8) for key, value in bytes_of.items()]
        return writer.node("Where", [is_plus, *signs])
    if isinstance(number_format, FixedPoint) and not _has_type(number_format):
        x = fixed_codes(writer, name, x, number_format)
        x = writer.node("Add", [x, writer.scalar("middle", float(zero))])
        return writer.node("Cast", [x], to=TensorProto.UINT8)
    step = writer.scalar(f"{name}.read.scale", scale)
    x = writer.node("QuantizeLinear", [x, step, writer.scalar(f"byte_{zero}", zero, np.uint8)])
    low, high = (code + zero for code in code_range(number_format))
    if (low, high) != (0, 255):
        x = writer.node("Clip", [x, *_ends(writer, name, (low, high), np.uint8)])
    return x


def zero_of(number_format: NumberFormat) -> int:
    """The byte that stands for 0 where codes are stored as UINT8.

    Args:
        number_format: Of at most 8 bits.
    """
    return MIDDLE if code_range(number_format)[0] < 0 else 0


def fixed_codes(writer: Writer, name: str, x: str, number_format: FixedPoint) -> str:
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
