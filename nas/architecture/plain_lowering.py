"""Layers that are one operation -> that operation."""

from __future__ import annotations

from nas.architecture import spec
from nas.architecture.lower import channels_of, formats_of, lower
from nas.architecture.operations import (
    ActivationOp,
    ConvOp,
    DenseOp,
    DropoutOp,
    FlattenOp,
    NormOp,
    Op,
    PoolOp,
    SqueezeExciteOp,
    need,
)
from nas.architecture.shapes import Shape


@lower.register
def _lower_conv(layer: spec.Conv, prefix: str, shape: Shape) -> tuple[Op, ...]:
    channels_of(shape, layer)
    conv = ConvOp(
        f"{prefix}.conv",
        shape,
        layer.kernel,
        layer.stride,
        layer.channels,
        bias=layer.bias,
        batch_norm=layer.batch_norm,
        activation=layer.activation,
        valid=layer.valid,
        formats=formats_of(layer),
    )
    return (conv,)


@lower.register
def _lower_depthwise_conv(layer: spec.DepthwiseConv, prefix: str, shape: Shape) -> tuple[Op, ...]:
    conv = ConvOp(
        f"{prefix}.conv",
        shape,
        layer.kernel,
        layer.stride,
        channels_of(shape, layer),
        depthwise=True,
        bias=layer.bias,
        batch_norm=layer.batch_norm,
        activation=layer.activation,
        valid=layer.valid,
        formats=formats_of(layer),
    )
    return (conv,)


@lower.register
def _lower_squeeze(layer: spec.SqueezeExcite, prefix: str, shape: Shape) -> tuple[Op, ...]:
    gate = "sigmoid" if layer.sigmoid_gate else "hard_sigmoid"
    return (SqueezeExciteOp(f"{prefix}.se", shape, layer.squeeze, layer.activation, gate),)


@lower.register
def _lower_skip(_layer: spec.Skip, _prefix: str, _shape: Shape) -> tuple[Op, ...]:
    return ()


@lower.register
def _lower_max_pool(layer: spec.MaxPool, prefix: str, shape: Shape) -> tuple[Op, ...]:
    return (PoolOp(f"{prefix}.pool", shape, "max", layer.size),)


@lower.register
def _lower_average_pool(layer: spec.AveragePool, prefix: str, shape: Shape) -> tuple[Op, ...]:
    return (PoolOp(f"{prefix}.pool", shape, "average", layer.size),)


@lower.register
def _lower_mean(_layer: spec.GlobalAveragePool, prefix: str, shape: Shape) -> tuple[Op, ...]:
    return (PoolOp(f"{prefix}.pool", shape, "mean"),)


@lower.register
def _lower_activation(layer: spec.Activate, prefix: str, shape: Shape) -> tuple[Op, ...]:
    return (ActivationOp(f"{prefix}.act", shape, layer.activation),)


@lower.register
def _lower_norm(_layer: spec.Normalise, prefix: str, shape: Shape) -> tuple[Op, ...]:
    return (NormOp(f"{prefix}.norm", shape),)


@lower.register
def _lower_flatten(_layer: spec.Flatten, prefix: str, shape: Shape) -> tuple[Op, ...]:
    return (FlattenOp(f"{prefix}.flatten", shape),)


@lower.register
def _lower_dropout(layer: spec.Dropout, prefix: str, shape: Shape) -> tuple[Op, ...]:
    return (DropoutOp(f"{prefix}.dropout", shape, layer.rate),)


@lower.register
def _lower_dense(layer: spec.Dense, prefix: str, shape: Shape) -> tuple[Op, ...]:
    need(len(shape) == 1, "a vector before `fc`", shape, "add `gap` or `flat` before it")
    dense = DenseOp(
        f"{prefix}.dense",
        shape,
        layer.units,
        bias=layer.bias,
        batch_norm=layer.batch_norm,
        activation=layer.activation,
        scale=layer.scale,
        formats=formats_of(layer),
    )
    return (dense,)
