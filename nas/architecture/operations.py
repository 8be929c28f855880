"""Primitive operations, the one vocabulary that cost, Keras and ONNX read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nas.architecture.shapes import Shape, pooled_size, same_output_size
from nas.errors import ArchitectureError


@dataclass(frozen=True)
class ConvOp:
    """Convolution, `same` padding; kernel (k, k, in, out), or (k, k, 1, out) if depthwise."""

    name: str
    kernel: int
    stride: int
    in_channels: int
    out_channels: int
    depthwise: bool = False
    bias: bool = False
    batch_norm: bool = False
    activation: str = "none"


@dataclass(frozen=True)
class DenseOp:
    """Fully connected, kernel (in, out)."""

    name: str
    in_units: int
    out_units: int
    bias: bool = True
    batch_norm: bool = False
    activation: str = "none"


@dataclass(frozen=True)
class SqueezeExciteOp:
    """x * hard_sigmoid(W2 relu(W1 mean(x) + b1) + b2), hard_sigmoid(x) = clip(x + 3, 0, 6) / 6.

    Source: Howard et al. 2019, arXiv 1905.02244. W1 (channels, squeeze), W2 (squeeze, channels).
    """

    name: str
    channels: int
    squeeze_channels: int


@dataclass(frozen=True)
class PoolOp:
    """`max` over size x size windows, or `mean` over the whole map (size 0)."""

    name: str
    kind: str
    size: int = 0


@dataclass(frozen=True)
class FlattenOp:
    """(height, width, channels) -> (height * width * channels,)."""

    name: str


@dataclass(frozen=True)
class DropoutOp:
    """Dropout; the identity outside training."""

    name: str
    rate: float


@dataclass(frozen=True)
class ResidualOp:
    """x + body(x)."""

    name: str
    body: tuple[Op, ...]


Op = ConvOp | DenseOp | SqueezeExciteOp | PoolOp | FlattenOp | DropoutOp | ResidualOp


def all_ops(ops: tuple[Op, ...]) -> Iterator[Op]:
    """Every operation, the bodies of residuals included, in the order of execution."""
    for op in ops:
        if isinstance(op, ResidualOp):
            yield from all_ops(op.body)
        yield op


def output_shape(ops: tuple[Op, ...], shape: Shape) -> Shape:
    """Shape after a chain of operations.

    Raises:
        ArchitectureError: An operation gets a shape that it cannot take.
    """
    for op in ops:
        shape = _op_output_shape(op, shape)
    return shape


def _op_output_shape(op: Op, shape: Shape) -> Shape:
    match op:
        case DenseOp():
            need(len(shape) == 1, f"a vector before `{op.name}` (dense)", shape, "add `gap`")
            return (op.out_units,)
        case DropoutOp():
            return shape
        case ResidualOp():
            inner = output_shape(op.body, shape)
            need(inner == shape, f"shape {shape} after the layers of a residual", inner, "match")
            return shape
    need(len(shape) == 3, f"a map before `{op.name}`", shape, "move it before `gap` or `flat`")
    height, width, channels = shape
    match op:
        case ConvOp():
            out = (same_output_size(height, op.stride), same_output_size(width, op.stride))
            return (*out, op.out_channels)
        case SqueezeExciteOp():
            return shape
        case FlattenOp():
            return (height * width * channels,)
        case PoolOp(kind="mean"):
            return (channels,)
        case PoolOp():
            need(min(height, width) >= op.size, f"a map of {op.size} pixels", shape, "pool less")
            return (pooled_size(height, op.size), pooled_size(width, op.size), channels)
    raise TypeError(f"Expected a primitive operation. Received: {op!r}. Fix: add its shape here.")


def need(condition: bool, expected: str, shape: Shape, fix: str) -> None:
    if not condition:
        raise ArchitectureError(expected, f"shape {shape}", fix)
