"""Architecture -> keras.Model, weights named as in `nas.architecture.weights`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from nas.architecture import spec
from nas.architecture.lowering import lower_architecture
from nas.architecture.operations import Op, ResidualOp, SqueezeExciteOp, all_ops, has_formats
from nas.builders.keras_layers import (
    LayerSettings,
    op_layers,
    squeeze_excite,
    variables_of,
)
from nas.builders.quantized_layers import layer_name
from nas.builders.stochastic_depth import branch_dropout, branch_rates
from nas.errors import InputError


def build_model(
    architecture: spec.Architecture,
    *,
    batch_norm_momentum: float = 0.9,
    dropout: float | None = None,
    stochastic_depth: float = 0.0,
    is_portable: bool = False,
    any_size: bool = False,
    name: str = "network",
) -> keras.Model:
    """Builds the network; its input is float32 pixels 0 to 255, its output class scores.

    Args:
        architecture: What to build.
        batch_norm_momentum: Share of the running statistics kept at each step.
        dropout: Replaces the rate of every dropout layer; None keeps the architecture's.
        stochastic_depth: How often the last residual branch is left out in training, from 0 to
            below 1; earlier ones less often. It is no part of the architecture.
        is_portable: Whether all layers are Keras' own; see `portable_model`.
        any_size: Whether images of other sizes may be given too, which a network that flattens its
            map cannot take.
        name: Name of the Keras model.
    """
    size = None if any_size else architecture.image_size
    inputs = keras.Input((size, size, spec.IMAGE_CHANNELS), name="image")
    x = keras.layers.Rescaling(spec.PIXEL_SCALE, spec.PIXEL_OFFSET, name="scale_pixels")(inputs)
    rates = branch_rates(architecture, stochastic_depth)
    lowered = lower_architecture(architecture)
    is_quantized = any(has_formats(layer.ops) for layer in lowered)
    settings = LayerSettings(batch_norm_momentum, dropout, is_portable, rates, is_quantized)
    for layer in lowered:
        for op in layer.ops:
            x = _add(op, x, settings)
    if keras.config.dtype_policy().compute_dtype != "float32":
        # A softmax of half precision would overflow or lose small classes.
        x = keras.layers.Activation("linear", dtype="float32", name="float32_scores")(x)
    return keras.Model(inputs, x, name=name)


def portable_model(
    architecture: spec.Architecture, weights: Mapping[str, np.ndarray]
) -> keras.Model:
    """A trained network in layers of Keras' own, in float32: what others can load without us.

    Args:
        architecture: What to build.
        weights: Named as in `nas.architecture.weights`.

    Raises:
        InputError: A weight is missing or has another shape.
    """
    with float32_policy():
        model = build_model(architecture, is_portable=True)
    set_weights_by_name(model, architecture, weights)
    return model


@contextmanager
def float32_policy() -> Iterator[None]:
    """Makes the layers of the block compute in float32, whatever others compute in."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


def _add(op: Op, x: Any, settings: LayerSettings) -> Any:
    """One operation on a symbolic tensor; every layer is called before the next one is made."""
    if isinstance(op, ResidualOp):
        ways = [x, x]
        for place, inside in enumerate((op.shortcut, op.body)):
            for inner in inside:
                ways[place] = _add(inner, ways[place], settings)
        if rate := settings.branch_rates.get(op.name):
            name = layer_name(f"{op.name}.depth")
            ways[1] = branch_dropout(rate, len(op.output_shape), name)(ways[1])
        x = ways
    if isinstance(op, SqueezeExciteOp) and settings.is_portable:
        return squeeze_excite(op, x)
    for layer in op_layers(op, settings):
        x = layer(x)
    return x


def _variables(
    model: keras.Model, architecture: spec.Architecture
) -> Iterator[tuple[str, Any, bool]]:
    for layer in lower_architecture(architecture):
        for op in all_ops(layer.ops):
            yield from variables_of(op, model.get_layer)


def weights_by_name(model: keras.Model, architecture: spec.Architecture) -> dict[str, np.ndarray]:
    """Weights of a model of `build_model`, float32, named as in `nas.architecture.weights`."""
    values = {}
    for name, variable, depthwise in _variables(model, architecture):
        value = np.asarray(keras.ops.convert_to_numpy(variable), np.float32)
        values[name] = value.transpose(0, 1, 3, 2) if depthwise else value
    return values


def set_weights_by_name(
    model: keras.Model, architecture: spec.Architecture, values: Mapping[str, np.ndarray]
) -> None:
    """The inverse of `weights_by_name`.

    Raises:
        InputError: A weight is missing or has another shape.
    """
    for name, variable, depthwise in _variables(model, architecture):
        shape = tuple(variable.shape)
        shape = (*shape[:2], shape[3], shape[2]) if depthwise else shape
        if name not in values or values[name].shape != shape:
            got = values[name].shape if name in values else "nothing"
            raise InputError(f"weight `{name}` of shape {shape}", f"{got}", "use its own file")
        variable.assign(values[name].transpose(0, 1, 3, 2) if depthwise else values[name])
