"""Records -> primitive operations, the one description that cost, Keras and ONNX read.

A block is known to every reader as soon as it can be lowered, so a user's own block is one
record and one function. Weights are named `<layer index>.<operation>.<weight>`, the same in
Keras, in ONNX and in files.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from nas.architecture import spec
from nas.architecture.operations import (
    ConvOp,
    DenseOp,
    DropoutOp,
    FlattenOp,
    Op,
    PoolOp,
    ResidualOp,
    SqueezeExciteOp,
    need,
    output_shape,
)
from nas.architecture.shapes import Shape, round_to_multiple
from nas.errors import ArchitectureError


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
        "register a function with `nas.architecture.lowering.lower.register`",
    )


def _channels(shape: Shape, layer: spec.Layer) -> int:
    need(len(shape) == 3, f"a map before `{layer.TOKEN}`", shape, "move it before `gap` or `flat`")
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
    need(len(shape) == 1, "a vector before `fc`", shape, "add `gap` or `flat` before it")
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
