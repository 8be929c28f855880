"""Layers of Keras that are one record here: a convolution with its padding, norm and activation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from nas.architecture.keras_files.graph import Node
from nas.architecture.shapes import Shape, same_padding
from nas.architecture.spec import (
    Activate,
    AveragePool,
    Conv,
    Dense,
    DepthwiseConv,
    GlobalAveragePool,
    Layer,
    Normalise,
    SeparableConv,
    SqueezeExcite,
)
from nas.architecture.text import layer_to_text

_GATES = {"sigmoid": True, "hard_sigmoid": False}


def joined(layers: Sequence[Layer], made: Sequence[Layer]) -> list[Layer]:
    """Layers and those that follow, with norms and activations inside of what they follow.

    Args:
        layers: That stand there.
        made: Of the next layer of Keras.
    """
    found = list(layers)
    for layer in made:
        last = found[-1] if found else layer
        if isinstance(last, Conv | SeparableConv | DepthwiseConv | Dense):
            is_open = last.activation == "none"
            if is_open and isinstance(layer, Normalise) and not last.batch_norm:
                found[-1] = dataclasses.replace(last, batch_norm=True)
                continue
            if is_open and isinstance(layer, Activate):
                found[-1] = dataclasses.replace(last, activation=layer.activation)
                continue
        found.append(layer)
    return found


def with_scale(node: Node, layers: Sequence[Layer]) -> list[Layer]:
    """Layers whose last one, a dense layer, gets a fixed factor.

    Args:
        node: `Rescaling`.
        layers: That stand before it.

    Raises:
        ArchitectureError: Something else stands before it, or it has no factor alone.
    """
    last = layers[-1] if layers else None
    factor, offset = node.config["scale"], node.config.get("offset", 0.0)
    is_factor = isinstance(factor, int | float) and not offset
    if isinstance(last, Dense) and is_factor and last.activation == "none" and not last.batch_norm:
        return [*layers[:-1], dataclasses.replace(last, scale=last.scale * factor)]
    raise node.refused(
        "Rescaling of the pixels, or by one factor behind a Dense layer without activation",
        f"the factor {factor} and the offset {offset} behind "
        f"{'no layer' if last is None else layer_to_text(last)}",
        "leave it out",
    )


def same_padded(pads: Node, made: Sequence[Layer], shape: Shape) -> Layer:
    """A convolution behind a layer of zeros, where both are a `same` convolution.

    Args:
        pads: The layer of zeros.
        made: What stands behind it.
        shape: Of the map before the zeros.

    Raises:
        ArchitectureError: No convolution without padding, or other zeros than `same` has.
    """
    (layer,) = made if len(made) == 1 else (None,)
    zeros = pads.config["padding"]
    if not isinstance(layer, Conv | SeparableConv | DepthwiseConv) or not layer.valid:
        raise pads.refused(
            "a convolution of padding valid behind ZeroPadding2D",
            "another layer",
            "leave the zeros out",
        )
    wanted = [list(same_padding(size, layer.kernel, layer.stride)) for size in shape[:2]]
    if [list(side) for side in zeros] != wanted:
        raise pads.refused(
            f"the zeros of padding same, {wanted}",
            f"{zeros}",
            "leave the layer out and give the convolution padding same",
        )
    return dataclasses.replace(layer, valid=False)


def as_pixel(node: Node, layers: Sequence[Layer], before: Shape) -> list[Layer]:
    """Layers with a mean that stays a map of one pixel, which `Reshape` makes of a vector.

    Args:
        node: `Reshape`.
        layers: That stand before it.
        before: Shape of the last one's input.

    Raises:
        ArchitectureError: Another reshaping.
    """
    target = tuple(node.config["target_shape"])
    if not layers or not isinstance(layers[-1], GlobalAveragePool) or target[:2] != (1, 1):
        raise node.refused(
            "Reshape of a global mean to (1, 1, channels)",
            f"Reshape to {target}",
            "use Flatten, or leave it out",
        )
    return [*layers[:-1], AveragePool(before[0])]


def squeeze_of(gate: Sequence[Layer], shape: Shape) -> SqueezeExcite | None:
    """The squeeze-and-excitation that a product with a gate is; None for another gate.

    Args:
        gate: What the map is multiplied with.
        shape: Of the map.
    """
    if len(gate) != 3 or gate[0] != AveragePool(shape[0]):
        return None
    _, reduce, expand = gate
    if not (isinstance(reduce, Conv) and isinstance(expand, Conv)):
        return None
    plain = Conv(1, 1, reduce.channels, reduce.activation, batch_norm=False, bias=True)
    last = Conv(1, 1, shape[2], expand.activation, batch_norm=False, bias=True)
    is_gate = expand.activation in _GATES
    if dataclasses.replace(reduce, valid=False) != plain or not is_gate:
        return None
    if dataclasses.replace(expand, valid=False) != last:
        return None
    return SqueezeExcite(reduce.channels, reduce.activation, _GATES[expand.activation])
