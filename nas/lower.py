"""Records -> primitive operations, the one description that cost, Keras and ONNX read.

A block is known to every reader as soon as it can be lowered, so a user's own block is one
record and one function. Weights are named `<layer index>.<operation>.<weight>`, the same in
Keras, in ONNX and in files.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from nas import spec
from nas.errors import ArchitectureError
from nas.shapes import Shape, pooled_size, round_to_multiple, same_output_size


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


@dataclass(frozen=True)
class LoweredLayer:
    """One record with its primitive operations and shapes."""

    index: int
    layer: spec.Layer
    input_shape: Shape
    output_shape: Shape
    ops: tuple[Op, ...]


def lower_architecture(architecture: spec.Architecture) -> tuple[LoweredLayer, ...]:
    """All layers of a network with their operations and shapes.

    Raises:
        ArchitectureError: A layer does not fit what comes before it.
    """
    shape: Shape = (architecture.image_size, architecture.image_size, spec.IMAGE_CHANNELS)
    lowered = []
    for index, layer in enumerate(architecture.layers):
        ops = lower(layer, f"{index}", shape)
        output = output_shape(ops, shape)
        lowered.append(LoweredLayer(index, layer, shape, output, ops))
        shape = output
    return tuple(lowered)


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
            _need(len(shape) == 1, f"a vector before `{op.name}` (dense)", shape, "add `gap`")
            return (op.out_units,)
        case DropoutOp():
            return shape
        case ResidualOp():
            inner = output_shape(op.body, shape)
            _need(inner == shape, f"shape {shape} after the layers of a residual", inner, "match")
            return shape
    _need(len(shape) == 3, f"a map before `{op.name}`", shape, "move it before `gap` or `flat`")
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
            _need(min(height, width) >= op.size, f"a map of {op.size} pixels", shape, "pool less")
            return (pooled_size(height, op.size), pooled_size(width, op.size), channels)
    raise TypeError(f"Expected a primitive operation. Received: {op!r}. Fix: add its shape here.")


def _need(condition: bool, expected: str, shape: Shape, fix: str) -> None:
    if not condition:
        raise ArchitectureError(expected, f"shape {shape}", fix)


@functools.singledispatch
def lower(layer: spec.Layer, prefix: str, shape: Shape) -> tuple[Op, ...]:
    """One record -> operations named below `prefix`, for an input of `shape`.

    Raises:
        ArchitectureError: The record's type is not registered, or does not fit the shape.
    """
    known = sorted(t.__name__ for t in lower.registry if t is not object)
    raise ArchitectureError(
        f"a layer that can be lowered, one of {', '.join(known)}",
        type(layer).__name__,
        "register a function with `nas.lower.lower.register`",
    )


def _channels(shape: Shape, layer: spec.Layer) -> int:
    _need(len(shape) == 3, f"a map before `{layer.TOKEN}`", shape, "move it before `gap` or `flat`")
    return shape[2]


@lower.register
def _(layer: spec.Conv, prefix: str, shape: Shape) -> tuple[Op, ...]:
    return (
        ConvOp(
            f"{prefix}.conv",
            layer.kernel,
            layer.stride,
            _channels(shape, layer),
            layer.channels,
            bias=layer.bias,
            batch_norm=layer.batch_norm,
            activation=layer.activation,
        ),
    )


@lower.register
def _(layer: spec.SeparableConv, prefix: str, shape: Shape) -> tuple[Op, ...]:
    channels = _channels(shape, layer)
    return (
        ConvOp(f"{prefix}.depthwise", layer.kernel, layer.stride, channels, channels, True),
        ConvOp(
            f"{prefix}.pointwise",
            1,
            1,
            channels,
            layer.channels,
            bias=layer.bias,
            batch_norm=layer.batch_norm,
            activation=layer.activation,
        ),
    )


def squeeze_channels(layer: spec.MBConv, in_channels: int) -> int:
    """Width of the squeeze, from the block's input, so that all expansions share it."""
    return round_to_multiple(in_channels * layer.se_ratio)


def has_residual(layer: spec.MBConv, in_channels: int) -> bool:
    """Whether an inverted residual adds its input."""
    return layer.residual and layer.stride == 1 and in_channels == layer.channels


@lower.register
def _(layer: spec.MBConv, prefix: str, shape: Shape) -> tuple[Op, ...]:
    channels = _channels(shape, layer)
    expanded = channels * layer.expansion
    act = layer.activation
    ops: list[Op] = []
    if layer.expansion > 1:
        ops.append(
            ConvOp(f"{prefix}.expand", 1, 1, channels, expanded, batch_norm=True, activation=act)
        )
    ops.append(
        ConvOp(
            f"{prefix}.depthwise",
            layer.kernel,
            layer.stride,
            expanded,
            expanded,
            depthwise=True,
            batch_norm=True,
            activation=act,
        )
    )
    if layer.se_ratio > 0:
        ops.append(SqueezeExciteOp(f"{prefix}.se", expanded, squeeze_channels(layer, channels)))
    ops.append(ConvOp(f"{prefix}.project", 1, 1, expanded, layer.channels, batch_norm=True))
    if has_residual(layer, channels):
        return (ResidualOp(f"{prefix}.add", tuple(ops)),)
    return tuple(ops)


@lower.register
def _(layer: spec.Skip, prefix: str, shape: Shape) -> tuple[Op, ...]:
    return ()


@lower.register
def _(layer: spec.Residual, prefix: str, shape: Shape) -> tuple[Op, ...]:
    ops: list[Op] = []
    inner_shape = shape
    for index, inner in enumerate(layer.layers):
        inner_ops = lower(inner, f"{prefix}.{index}", inner_shape)
        inner_shape = output_shape(inner_ops, inner_shape)
        ops.extend(inner_ops)
    return (ResidualOp(f"{prefix}.add", tuple(ops)),)


@lower.register
def _(layer: spec.MaxPool, prefix: str, shape: Shape) -> tuple[Op, ...]:
    return (PoolOp(f"{prefix}.pool", "max", layer.size),)


@lower.register
def _(layer: spec.GlobalAveragePool, prefix: str, shape: Shape) -> tuple[Op, ...]:
    return (PoolOp(f"{prefix}.pool", "mean"),)


@lower.register
def _(layer: spec.Flatten, prefix: str, shape: Shape) -> tuple[Op, ...]:
    return (FlattenOp(f"{prefix}.flatten"),)


@lower.register
def _(layer: spec.Dropout, prefix: str, shape: Shape) -> tuple[Op, ...]:
    return (DropoutOp(f"{prefix}.dropout", layer.rate),)


@lower.register
def _(layer: spec.Dense, prefix: str, shape: Shape) -> tuple[Op, ...]:
    _need(len(shape) == 1, "a vector before `fc`", shape, "add `gap` or `flat` before it")
    return (
        DenseOp(
            f"{prefix}.dense",
            shape[0],
            layer.units,
            bias=layer.bias,
            batch_norm=layer.batch_norm,
            activation=layer.activation,
        ),
    )
