"""Architecture -> keras.Model, weights named as in `nas.architecture.weights`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from nas.architecture import spec
from nas.architecture.lowering import lower_architecture
from nas.architecture.operations import (
    ConvOp,
    DenseOp,
    DropoutOp,
    FlattenOp,
    Op,
    PoolOp,
    ResidualOp,
    SqueezeExciteOp,
)
from nas.architecture.weights import architecture_weights
from nas.errors import InputError
from nas.layers.batch_norm import BatchNorm
from nas.layers.pointwise_conv import PointwiseConv2D
from nas.layers.squeeze_excite import SqueezeExcite

# Suffix of a weight's name -> (suffix of the layer's name, attribute of the layer).
_WEIGHT_PLACES = {
    "kernel": ("", "kernel"),
    "bias": ("", "bias"),
    "gamma": (".bn", "gamma"),
    "beta": (".bn", "beta"),
    "mean": (".bn", "mean"),
    "variance": (".bn", "variance"),
}


def build_model(
    architecture: spec.Architecture,
    *,
    batch_norm_momentum: float = 0.9,
    dropout: float | None = None,
    name: str = "network",
) -> keras.Model:
    """Builds the network; its input is float32 pixels 0 to 255, its output class scores.

    Args:
        architecture: What to build.
        batch_norm_momentum: Share of the running statistics kept at each step.
        dropout: Replaces the rate of every dropout layer; None keeps the architecture's.
        name: Name of the Keras model.
    """
    size = architecture.image_size
    inputs = keras.Input((size, size, spec.IMAGE_CHANNELS), name="image")
    x = keras.layers.Rescaling(spec.PIXEL_SCALE, spec.PIXEL_OFFSET, name="scale_pixels")(inputs)
    builder = _Builder(batch_norm_momentum, dropout)
    for layer in lower_architecture(architecture):
        for op in layer.ops:
            x = builder.add(op, x)
    if keras.config.dtype_policy().compute_dtype != "float32":
        # A softmax of half precision would overflow or lose small classes.
        x = keras.layers.Activation("linear", dtype="float32", name="float32_scores")(x)
    return keras.Model(inputs, x, name=name)


class _Builder:
    """Adds one primitive operation after another to a functional graph."""

    def __init__(self, momentum: float, dropout: float | None) -> None:
        self.momentum = momentum
        self.dropout = dropout

    def add(self, op: Op, x: Any) -> Any:
        match op:
            case ConvOp():
                return self._norm_and_activate(op, conv_layer(op)(x))
            case DenseOp():
                layer = keras.layers.Dense(
                    op.out_units,
                    use_bias=op.bias,
                    kernel_initializer="glorot_uniform",
                    name=layer_name(op.name),
                )
                return self._norm_and_activate(op, layer(x))
            case SqueezeExciteOp():
                return SqueezeExcite(op.squeeze_channels, name=layer_name(op.name))(x)
            case PoolOp(kind="mean"):
                return keras.layers.GlobalAveragePooling2D(name=layer_name(op.name))(x)
            case PoolOp(kind="max"):
                return keras.layers.MaxPooling2D(op.size, name=layer_name(op.name))(x)
            case FlattenOp():
                return keras.layers.Flatten(name=layer_name(op.name))(x)
            case DropoutOp():
                rate = op.rate if self.dropout is None else self.dropout
                return keras.layers.Dropout(rate, name=layer_name(op.name))(x)
            case ResidualOp():
                body = x
                for inner in op.body:
                    body = self.add(inner, body)
                return keras.layers.Add(name=layer_name(op.name))([x, body])
        raise TypeError(f"Expected a primitive operation. Received: {op!r}. Fix: add it here.")

    def _norm_and_activate(self, op: ConvOp | DenseOp, x: Any) -> Any:
        if op.batch_norm:
            norm = BatchNorm(
                self.momentum, spec.BATCH_NORM_EPSILON, name=layer_name(f"{op.name}.bn")
            )
            x = norm(x)
        return activation_layer(op.activation, layer_name(f"{op.name}.act"))(x)


def layer_name(name: str) -> str:
    """The Keras layer of an operation; PyTorch allows no dots in a module's name."""
    return name.replace(".", "_")


def activation_layer(activation: str, name: str | None = None) -> Any:
    """A Keras layer for an activation of `nas.architecture.spec.ACTIVATIONS`."""
    match activation:
        case "none":
            return lambda x: x
        case "relu":
            return keras.layers.Activation("relu", name=name)
        case "relu6":
            return keras.layers.Activation("relu6", name=name)
        case "hard_swish":
            return keras.layers.Activation("hard_silu", name=name)
    raise InputError(f"an activation of {list(spec.ACTIVATIONS)}", repr(activation), "choose one")


def conv_layer(op: ConvOp) -> keras.layers.Layer:
    """The Keras layer of a convolution, named after it."""
    arguments: dict[str, Any] = {
        "kernel_size": op.kernel,
        "strides": op.stride,
        "padding": "same",
        "use_bias": op.bias,
        "name": layer_name(op.name),
    }
    if op.depthwise:
        # He over the kernel's own inputs: Keras would count the channels of a depthwise
        # kernel as inputs and start it sqrt(channels) too small.
        deviation = (2.0 / op.kernel**2) ** 0.5
        initializer = keras.initializers.TruncatedNormal(stddev=deviation)
        return keras.layers.DepthwiseConv2D(depthwise_initializer=initializer, **arguments)
    if op.kernel == 1 and op.stride == 1:
        for name in ("kernel_size", "strides"):
            arguments.pop(name)
        return PointwiseConv2D(op.out_channels, kernel_initializer="he_normal", **arguments)
    return keras.layers.Conv2D(op.out_channels, kernel_initializer="he_normal", **arguments)


def _variable(model: keras.Model, weight_name: str) -> tuple[Any, bool]:
    """The Keras variable of a weight, and whether it is a depthwise kernel."""
    op_name, kind = weight_name.rsplit(".", 1)
    if op_name.endswith((".se.reduce", ".se.expand")):
        squeeze, part = op_name.rsplit(".", 1)
        return getattr(model.get_layer(layer_name(squeeze)), f"{part}_{kind}"), False
    suffix, attribute = _WEIGHT_PLACES[kind]
    layer = model.get_layer(layer_name(op_name + suffix))
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D) and kind == "kernel"
    return getattr(layer, attribute), depthwise


def weights_by_name(model: keras.Model, architecture: spec.Architecture) -> dict[str, np.ndarray]:
    """Weights of a model of `build_model`, float32, named as in `nas.architecture.weights`."""
    values = {}
    for weight in architecture_weights(architecture):
        variable, depthwise = _variable(model, weight.name)
        value = np.asarray(keras.ops.convert_to_numpy(variable), np.float32)
        values[weight.name] = value.transpose(0, 1, 3, 2) if depthwise else value
    return values


def set_weights_by_name(
    model: keras.Model, architecture: spec.Architecture, values: Mapping[str, np.ndarray]
) -> None:
    """The inverse of `weights_by_name`.

    Raises:
        InputError: A weight is missing or has another shape.
    """
    for weight in architecture_weights(architecture):
        if weight.name not in values or values[weight.name].shape != weight.shape:
            got = values[weight.name].shape if weight.name in values else "nothing"
            raise InputError(
                f"weight `{weight.name}` of shape {weight.shape}", f"{got}", "use its own file"
            )
        variable, depthwise = _variable(model, weight.name)
        value = values[weight.name]
        variable.assign(value.transpose(0, 1, 3, 2) if depthwise else value)
