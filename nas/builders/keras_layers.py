"""One operation -> Keras layers, for fixed networks and for supernets; the weights back by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from nas.architecture import spec
from nas.architecture.activations import activation
from nas.architecture.operations import (
    FLOAT,
    ActivationOp,
    ConvOp,
    DenseOp,
    DropoutOp,
    FlattenOp,
    Formats,
    NormOp,
    Op,
    PoolOp,
    ResidualOp,
    SqueezeExciteOp,
)
from nas.architecture.weights import STATISTICS, WeightSpec, op_weights
from nas.builders.quantized_layers import layer_name, quantized_layer, quantized_norm
from nas.layers.batch_norm import BatchNorm
from nas.layers.depthwise_conv import DepthwiseConv2D
from nas.layers.fast import DOUBLE
from nas.layers.pointwise_conv import PointwiseConv2D
from nas.layers.quantized import GlobalMean
from nas.layers.squeeze_excite import SqueezeExcite

# Calls one layer on a tensor, or on the two that a residual adds.
CallLayer = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class LayerSettings:
    """What two networks of the same operations may differ in.

    Args:
        momentum: Share of the running statistics kept at each step, 0 to below 1.
        dropout: Replaces the rate of every dropout layer, 0 to below 1; None keeps it.
        is_portable: Whether all layers are Keras' own, so that a saved model can be loaded without
            this program; ours are faster to train and have parts that a supernet needs.
        branch_rates: Name of a residual -> how often its branch is left out in training, from 0 to
            below 1.
        is_quantized: Whether any operation of the network has formats. Means over a map are then
            taken in double precision, so that they do not depend on the order of their sum.
    """

    momentum: float = 0.9
    dropout: float | None = None
    is_portable: bool = False
    branch_rates: Mapping[str, float] = field(default_factory=dict)
    is_quantized: bool = False

    def norm(
        self, name: str, formats: Formats = FLOAT, folds_bias: bool = False
    ) -> keras.layers.Layer:
        """A normalisation.

        Args:
            name: Of the operation that it follows.
            formats: Of this operation.
            folds_bias: Whether its shift is what the format of a bias is for.
        """
        if formats != FLOAT:
            return quantized_norm(name, formats, folds_bias, self.momentum)
        kind = keras.layers.BatchNormalization if self.is_portable else BatchNorm
        return kind(
            momentum=self.momentum,
            epsilon=spec.BATCH_NORM_EPSILON,
            name=layer_name(f"{name}.bn"),
        )


def op_layers(op: Op, settings: LayerSettings) -> tuple[keras.layers.Layer, ...]:
    """The layers of one operation, in order; of a residual the addition alone.

    Args:
        op: The operation.
        settings: Of the network.
    """
    if isinstance(op, ConvOp | DenseOp) and op.formats != FLOAT:
        layers = [quantized_layer(op)]
    else:
        layers = [_main_layer(op, settings)]
    if isinstance(op, DenseOp) and op.scale != 1:
        name = layer_name(f"{op.name}.scale")
        layers.append(keras.layers.Rescaling(op.scale, name=name))
    if isinstance(op, ConvOp | DenseOp):
        if op.batch_norm:
            layers.append(settings.norm(op.name, op.formats, not op.bias))
        if op.activation != "none":
            function = activation(op.activation).keras
            layers.append(keras.layers.Activation(function, name=layer_name(f"{op.name}.act")))
    return tuple(layers)


def _main_layer(op: Op, settings: LayerSettings) -> keras.layers.Layer:
    name = layer_name(op.name)
    match op:
        case ConvOp():
            layer = _conv_layer(op, settings.is_portable)
        case DenseOp():
            layer = keras.layers.Dense(op.out_units, use_bias=op.bias, name=name)
        case SqueezeExciteOp():
            inside = activation(op.activation).keras
            layer = SqueezeExcite(op.squeeze_channels, inside, op.gate, name=name)
        case PoolOp():
            layer = _pool_layer(op, settings.is_quantized)
        case ActivationOp():
            layer = keras.layers.Activation(activation(op.activation).keras, name=name)
        case NormOp():
            layer = settings.norm(op.name)
        case FlattenOp():
            layer = keras.layers.Flatten(name=name)
        case DropoutOp():
            rate = op.rate if settings.dropout is None else settings.dropout
            # With a shape, PyTorch draws from the layer's own seed, which checkpoints keep, and not
            # from its global one. The numbers of the other backends stay.
            shape = None if settings.is_portable else (None,) * (1 + len(op.input_shape))
            layer = keras.layers.Dropout(rate, noise_shape=shape, name=name)
        case ResidualOp():
            layer = keras.layers.Add(name=name)
        case _:
            raise TypeError(f"Expected a primitive operation. Received: {op!r}. Fix: add it here.")
    return layer


def _pool_layer(op: PoolOp, is_quantized: bool) -> keras.layers.Layer:
    name = layer_name(op.name)
    if op.kind == "max":
        return keras.layers.MaxPooling2D(op.size, name=name)
    if op.kind == "mean":
        kind = GlobalMean if is_quantized else keras.layers.GlobalAveragePooling2D
        return kind(name=name)
    dtype = DOUBLE if is_quantized else None
    return keras.layers.AveragePooling2D(op.size, name=name, dtype=dtype)


def squeeze_excite(op: SqueezeExciteOp, x: Any) -> Any:
    """The operation in layers of Keras' own, called on a tensor.

    Args:
        op: The operation.
        x: (batch, height, width, channels).
    """
    layers = keras.layers
    # Dense layers read the last axis: the two axes of one pixel stay, and the product needs them.
    y = layers.GlobalAveragePooling2D(keepdims=True, name=layer_name(f"{op.name}.mean"))(x)
    for part, units, function in (
        ("reduce", op.squeeze_channels, activation(op.activation).keras),
        ("expand", op.in_channels, op.gate),
    ):
        y = layers.Dense(units, activation=function, name=layer_name(f"{op.name}.{part}"))(y)
    return layers.Multiply(name=layer_name(op.name))([x, y])


def _conv_layer(op: ConvOp, is_portable: bool) -> keras.layers.Layer:
    arguments: dict[str, Any] = {
        "kernel_size": op.kernel,
        "strides": op.stride,
        "padding": "valid" if op.valid else "same",
        "use_bias": op.bias,
        "name": layer_name(op.name),
    }
    if op.depthwise:
        # He over the kernel's own inputs: Keras would count the channels of a depthwise
        # kernel as inputs and start it sqrt(channels) too small.
        deviation = (2.0 / op.kernel**2) ** 0.5
        initializer = keras.initializers.TruncatedNormal(stddev=deviation)
        kind = keras.layers.DepthwiseConv2D if is_portable else DepthwiseConv2D
        return kind(depthwise_initializer=initializer, **arguments)
    if op.kernel == 1 and op.stride == 1 and not is_portable:
        for name in ("kernel_size", "strides"):
            arguments.pop(name)
        return PointwiseConv2D(op.out_channels, kernel_initializer="he_normal", **arguments)
    return keras.layers.Conv2D(op.out_channels, kernel_initializer="he_normal", **arguments)


class OpChain:
    """The layers of a chain of operations, made at once and called later.

    Args:
        ops: In order; may be empty.
        settings: Of the network.
    """

    def __init__(self, ops: Sequence[Op], settings: LayerSettings) -> None:
        self.ops = tuple(ops)
        self._ways = {
            op.name: (OpChain(op.shortcut, settings), OpChain(op.body, settings))
            for op in ops
            if isinstance(op, ResidualOp)
        }
        self._layers = {op.name: op_layers(op, settings) for op in ops}

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """All layers, those inside of residuals included."""
        found: list[keras.layers.Layer] = []
        for op in self.ops:
            for way in self._ways.get(op.name, ()):
                found += way.layers
            found += self._layers[op.name]
        return found

    @property
    def norms(self) -> list[BatchNorm]:
        """The normalisations among the layers."""
        return [layer for layer in self.layers if isinstance(layer, BatchNorm)]

    def build(self) -> None:
        """Makes the weights, by the shapes that the operations carry."""
        for op in self.ops:
            first, *rest = self._layers[op.name]
            if op.name in self._ways:
                for way in self._ways[op.name]:
                    way.build()
                first.build([(None, *op.output_shape)] * 2)
            else:
                first.build((None, *op.input_shape))
            for layer in rest:
                layer.build((None, *op.output_shape))

    def run(self, x: Any, call: CallLayer) -> Any:
        """The chain on a tensor.

        Args:
            x: (batch, *input shape of the first operation).
            call: Runs one layer.
        """
        for op in self.ops:
            if op.name in self._ways:
                x = [way.run(x, call) for way in self._ways[op.name]]
            for layer in self._layers[op.name]:
                x = call(layer, x)
        return x

    def arrays(self) -> dict[str, np.ndarray]:
        """Values of all weights under the names of `nas.architecture.weights`."""
        named = {layer.name: layer for layer in self.layers}
        return dict(_arrays(self.ops, named.__getitem__))


def variables_of(op: Op, get_layer: Callable[[str], Any]) -> Iterator[tuple[str, Any, bool]]:
    """Name, Keras variable, and whether it is a depthwise kernel, of each weight of an operation.

    Args:
        op: The operation; what is inside of a residual is left out.
        get_layer: Keras layer of a name.
    """
    for weight in op_weights(op):
        if isinstance(op, SqueezeExciteOp):
            yield weight.name, _squeeze_variable(op, weight, get_layer), False
            continue
        is_norm = weight.kind in ("gamma", "beta", "mean", "variance")
        layer = get_layer(layer_name(f"{op.name}.bn" if is_norm else op.name))
        depthwise = isinstance(op, ConvOp) and op.depthwise and weight.kind == "kernel"
        kind = weight.kind
        if kind == "scale":
            kind = "_".join(weight.name.rsplit(".", 2)[1:])
        if isinstance(layer, keras.layers.BatchNormalization) and kind in STATISTICS:
            kind = f"moving_{kind}"
        yield weight.name, getattr(layer, kind), depthwise


def _squeeze_variable(
    op: SqueezeExciteOp, weight: WeightSpec, get_layer: Callable[[str], Any]
) -> Any:
    layer = get_layer(layer_name(op.name))
    part = weight.name.removeprefix(f"{op.name}.")
    if isinstance(layer, SqueezeExcite):
        return getattr(layer, part.replace(".", "_"))
    inner, _, kind = part.partition(".")
    return getattr(get_layer(layer_name(f"{op.name}.{inner}")), kind)


def _arrays(ops: Sequence[Op], get_layer: Callable[[str], Any]) -> Iterator[tuple[str, np.ndarray]]:
    for op in ops:
        if isinstance(op, ResidualOp):
            yield from _arrays((*op.body, *op.shortcut), get_layer)
        for name, variable, depthwise in variables_of(op, get_layer):
            value = np.asarray(keras.ops.convert_to_numpy(variable), np.float32)
            yield name, value.transpose(0, 1, 3, 2) if depthwise else value
