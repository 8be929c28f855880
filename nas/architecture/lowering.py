"""Records -> primitive operations, the one description that cost, Keras and ONNX read.

A block is known to every reader as soon as it can be lowered, so a user's own block is one
record and one function. Weights are named `<layer index>.<operation>.<weight>`, the same in
Keras, in ONNX and in files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

# Each type of plain layer is lowered there, from its import on.
from nas.architecture import plain_lowering as plain_lowering
from nas.architecture import spec
from nas.architecture.lower import channels_of, formats_of
from nas.architecture.lower import lower as lower
from nas.architecture.operations import (
    ConvOp,
    Op,
    ResidualOp,
    SqueezeExciteOp,
    output_shape,
)
from nas.architecture.shapes import Shape, round_to_multiple


@dataclass(frozen=True)
class LoweredLayer:
    """One record with its primitive operations.

    Args:
        index: Place in the network.
        layer: The record.
        input_shape: Of the layer.
        ops: In order; none for a skipped block.
    """

    index: int
    layer: spec.Layer
    input_shape: Shape
    ops: tuple[Op, ...]

    @property
    def output_shape(self) -> Shape:
        """Shape of the output."""
        return output_shape(self.ops, self.input_shape)


def lower_layer(layer: spec.Layer, input_shape: Shape, index: int = 0) -> LoweredLayer:
    """One record with its operations.

    Args:
        layer: The record.
        input_shape: Of the layer.
        index: Place in the network, which its weights are named after.

    Raises:
        ArchitectureError: The record's type is not registered, or does not fit the shape.
    """
    return LoweredLayer(index, layer, input_shape, lower(layer, f"{index}", input_shape))


def lower_chain(layers: Sequence[spec.Layer], input_shape: Shape) -> tuple[LoweredLayer, ...]:
    """Layers one after the other.

    Args:
        layers: In order; may be empty.
        input_shape: Of the first one.

    Raises:
        ArchitectureError: A layer does not fit what comes before it.
    """
    lowered: list[LoweredLayer] = []
    shape = input_shape
    for index, layer in enumerate(layers):
        lowered.append(lower_layer(layer, shape, index))
        shape = lowered[-1].output_shape
    return tuple(lowered)


def lower_architecture(architecture: spec.Architecture) -> tuple[LoweredLayer, ...]:
    """All layers of a network.

    Raises:
        ArchitectureError: A layer does not fit what comes before it.
    """
    size = architecture.image_size
    return lower_chain(architecture.layers, (size, size, spec.IMAGE_CHANNELS))


@lower.register
def _lower_separable_conv(layer: spec.SeparableConv, prefix: str, shape: Shape) -> tuple[Op, ...]:
    channels, formats = channels_of(shape, layer), formats_of(layer)
    depthwise = ConvOp(
        f"{prefix}.depthwise",
        shape,
        layer.kernel,
        layer.stride,
        channels,
        depthwise=True,
        valid=layer.valid,
        formats=replace(formats, bias=None, norm=None),  # it has neither
    )
    pointwise = ConvOp(
        f"{prefix}.pointwise",
        depthwise.output_shape,
        1,
        1,
        layer.channels,
        bias=layer.bias,
        batch_norm=layer.batch_norm,
        activation=layer.activation,
        formats=formats,
    )
    return depthwise, pointwise


def squeeze_channels(layer: spec.MBConv, in_channels: int) -> int:
    """Width of the squeeze, from the block's input, so that all expansions share it."""
    return round_to_multiple(in_channels * layer.se_ratio)


def has_residual(layer: spec.MBConv, in_channels: int) -> bool:
    """Whether an inverted residual adds its input."""
    return layer.residual and layer.stride == 1 and in_channels == layer.channels


@lower.register
def _lower_mbconv(layer: spec.MBConv, prefix: str, shape: Shape) -> tuple[Op, ...]:
    channels = channels_of(shape, layer)
    expanded, act = channels * layer.expansion, layer.activation
    formats = formats_of(layer)
    normed = partial(ConvOp, batch_norm=True, formats=formats)
    # What stands behind an activation; the first convolution reads the block's input.
    inside = replace(formats, activations=layer.inner_format or formats.activations)
    ops: list[Op] = []
    if layer.expansion > 1:
        expand = f"{prefix}.expand"
        ops.append(normed(expand, shape, 1, 1, expanded, activation=act))
    depthwise = normed(
        f"{prefix}.depthwise",
        output_shape(tuple(ops), shape),
        layer.kernel,
        layer.stride,
        expanded,
        depthwise=True,
        activation=act,
        formats=inside if ops else formats,
    )
    ops.append(depthwise)
    inner = depthwise.output_shape
    if layer.se_ratio > 0:
        ops.append(SqueezeExciteOp(f"{prefix}.se", inner, squeeze_channels(layer, channels)))
    ops.append(normed(f"{prefix}.project", inner, 1, 1, layer.channels, formats=inside))
    if has_residual(layer, channels):
        return (ResidualOp(f"{prefix}.add", shape, tuple(ops)),)
    return tuple(ops)


@lower.register
def _lower_widths_block(layer: spec.WidthsBlock, prefix: str, shape: Shape) -> tuple[Op, ...]:
    channels, act = channels_of(shape, layer), layer.activation
    ops: list[Op] = []
    if layer.expanded:
        expand = f"{prefix}.expand"
        ops.append(ConvOp(expand, shape, 1, 1, layer.expanded, batch_norm=True, activation=act))
    depthwise = ConvOp(
        f"{prefix}.depthwise",
        output_shape(tuple(ops), shape),
        layer.kernel,
        layer.stride,
        layer.expanded or channels,
        depthwise=True,
        batch_norm=True,
        activation=act,
    )
    ops.append(depthwise)
    inner = depthwise.output_shape
    if layer.squeeze:
        gate = "sigmoid" if layer.sigmoid_gate else "hard_sigmoid"
        name, inside = f"{prefix}.se", layer.squeeze_activation
        ops.append(SqueezeExciteOp(name, inner, layer.squeeze, inside, gate))
    last = act if layer.project_activation else "none"
    project = f"{prefix}.project"
    ops.append(ConvOp(project, inner, 1, 1, layer.channels, batch_norm=True, activation=last))
    if layer.residual and layer.stride == 1 and channels == layer.channels:
        return (ResidualOp(f"{prefix}.add", shape, tuple(ops)),)
    return tuple(ops)


@lower.register
def _lower_residual(layer: spec.Residual, prefix: str, shape: Shape) -> tuple[Op, ...]:
    body = _lower_inside(layer.layers, prefix, shape)
    shortcut = _lower_inside(layer.shortcut, f"{prefix}.shortcut", shape)
    return (ResidualOp(f"{prefix}.add", shape, body, shortcut),)


@lower.register
def _lower_residual_block(layer: spec.ResidualBlock, prefix: str, shape: Shape) -> tuple[Op, ...]:
    body: list[spec.Layer] = [
        spec.Conv(layer.kernel, 1, channels, layer.activation)
        for channels in (layer.width, channels_of(shape, layer))
    ]
    if layer.dropout:
        body.append(spec.Dropout(layer.dropout))
    return (ResidualOp(f"{prefix}.add", shape, _lower_inside(body, prefix, shape)),)


def _lower_inside(layers: Sequence[spec.Layer], prefix: str, shape: Shape) -> tuple[Op, ...]:
    ops: list[Op] = []
    for index, inner in enumerate(layers):
        ops.extend(lower(inner, f"{prefix}.{index}", output_shape(tuple(ops), shape)))
    return tuple(ops)
