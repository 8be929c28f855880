"""Operations with number formats as ONNX nodes that compute what Keras evaluates, bit for bit.

Whole numbers are multiplied: a quantiser gives the codes of what is read, a DequantizeLinear the
codes of the kernel, and the sums of their products are exact in float32 below 2^24. Scale, bias and
batch normalisation come behind them in double precision, rounded to float32 where Keras rounds.

Where all formats have at most 8 bits, ONNX Runtime multiplies bytes (`nas.builders.onnx_integer`).
Else codes are float32 numbers in whole networks, kernels of up to 4 bits are stored as INT4, and no
such file is a promise of milliseconds.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from nas.architecture.number_formats import FixedPoint
from nas.architecture.operations import ConvOp, DenseOp, PoolOp
from nas.builders import onnx_integer
from nas.builders.onnx_codes import Product, Writer, codes, fixed_codes, stored_type
from nas.builders.quantized_weights import (
    activation_scale,
    bias_values,
    kernel_codes,
    norm_scale_and_shift,
)

# Opset 21 has 4 and 16 bits; IR 10 is the first version of files that hold them.
OPSET, IR_VERSION = 21, 10


def multiplied(writer: Writer, op: ConvOp | DenseOp, x: str, product: Product) -> str:
    """An operation with formats up to its activation, which is left to the writer.

    Args:
        writer: Collects the nodes.
        op: With formats.
        x: Name of what it reads.
        product: Writes the node that multiplies.
    """
    kernel, kernel_scale = kernel_codes(op, writer.weights)
    read_scale = activation_scale(op, writer.weights)
    is_whole = op.formats.activations is not None and op.formats.weights is not None
    if writer.has_bytes:
        x = onnx_integer.sums(writer, op, x, kernel, read_scale)
    else:
        kernel = kernel if is_whole else kernel.astype(np.float32) * kernel_scale
        x = product(op, _read(writer, op, x, read_scale), _kernel(writer, op, kernel))
    bias = bias_values(op, writer.weights) if op.bias else None
    if is_whole:
        scale = (kernel_scale * read_scale).astype(np.float32)
        x = _scaled_and_shifted(writer, f"{op.name}.sum", op, x, scale, bias)
    elif bias is not None:
        x = writer.node("Add", [x, writer.constant(f"{op.name}.bias", _column(writer, op, bias))])
    if isinstance(op, DenseOp) and op.scale != 1:
        x = writer.node("Mul", [x, writer.scalar(f"{op.name}.factor", op.scale)])
    x = _normalised(writer, op, x)
    if writer.has_bytes and isinstance(op, ConvOp):
        x = writer.node("Transpose", [x], perm=[0, 3, 1, 2])
    return x


def _read(writer: Writer, op: ConvOp | DenseOp, x: str, scale: np.float32) -> str:
    """Codes of what is read, or numbers where the kernel is float32."""
    read = op.formats.activations
    if read is None:
        return x
    x = codes(writer, op.name, x, read, scale)
    if op.formats.weights is None:
        x = writer.node("Mul", [x, writer.scalar(f"{op.name}.read.step", scale)])
    return x


def _column(writer: Writer, op: ConvOp | DenseOp, values: np.ndarray) -> np.ndarray:
    """Numbers of each output in the shape that fits what the operation gives."""
    is_last = writer.has_bytes or isinstance(op, DenseOp)
    return values if is_last else values.reshape(-1, 1, 1)


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
    factor = _column(writer, op, scale.astype(np.float64))
    x = writer.node("Mul", [x, writer.constant(f"{name}.scale", factor)])
    if shift is not None:
        added = _column(writer, op, shift.astype(np.float64))
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
    x = fixed_codes(writer, f"{op.name}.norm", x, norm)
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
        model = onnx.ModelProto.FromString(data)
    except Exception:  # protobuf's exceptions share no base class
        return False
    has_formats = any(e.domain == "" and e.version == OPSET for e in model.opset_import)
    return has_formats and all(node.op_type != onnx_integer.PRODUCT for node in model.graph.node)
