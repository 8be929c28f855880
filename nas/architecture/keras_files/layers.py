"""One layer of Keras -> one or more of our records; what they cannot say is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from nas.architecture.activations import ACTIVATIONS
from nas.architecture.bounds import shown
from nas.architecture.keras_files.graph import Node
from nas.architecture.shapes import Shape
from nas.architecture.spec import (
    BATCH_NORM_EPSILON,
    Activate,
    AveragePool,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool,
    Normalise,
    SeparableConv,
)

# Keras' names of activations -> ours; two of them have a second name there.
_ACTIVATIONS = {act.keras: name for name, act in ACTIVATIONS.items()} | {
    "hard_swish": "hard_swish",
    "swish": "swish",
}
SOFTMAX = "softmax"
LEAKY_SLOPE = 0.2  # of `leaky_relu`
# Its own words for why a layer of Keras has no place in a network here.
_BELONGS_ELSEWHERE = {
    "Lambda": "write it with layers of Keras; a program inside of a file is not run",
    "SpatialDropout2D": "write Dropout",
    "GaussianNoise": "leave it out",
    "GaussianDropout": "write Dropout",
    "Resizing": "leave it out and give --image_size",
    "CenterCrop": "leave it out and give --resize crop",
    "Normalization": "leave it out: the network scales its pixels itself",
    **dict.fromkeys(
        (
            "RandomFlip",
            "RandomRotation",
            "RandomZoom",
            "RandomTranslation",
            "RandomCrop",
            "RandomContrast",
            "RandomBrightness",
        ),
        "leave it out: the recipe of the training augments",
    ),
}
Reader = Callable[[Node, Shape], "list[Layer]"]


def layers_of(node: Node, shape: Shape) -> list[Layer]:
    """The records of one layer that has one input; none for one that does nothing.

    Args:
        node: The layer.
        shape: Of what it gets.

    Raises:
        ArchitectureError: Names the layer, and its argument if that is at fault.
    """
    if not node.is_keras:
        raise node.refused(
            "layers of Keras alone",
            f"{shown(node.kind)}, a class of its own,",
            "write it with layers of Keras",
        )
    if node.kind in ("Add", "Multiply"):
        raise node.refused(
            f"{node.kind} of two outputs of layers",
            "one output and a number",
            "leave it out, or write it with layers",
        )
    if node.kind not in READERS:
        raise node.refused(
            f"layers of the kinds {', '.join(sorted(READERS))}, Add and Multiply",
            shown(node.kind),
            _BELONGS_ELSEWHERE.get(node.kind, "write it with these, or leave it out"),
        )
    if node.config.get("data_format") not in (None, "channels_last"):
        _refuse(node, "data_format", "channels_last")
    return READERS[node.kind](node, shape)


def ends_in_softmax(node: Node) -> bool:
    """Whether a layer's last step is a softmax, which is no part of a network here."""
    return node.kind == "Softmax" or node.config.get("activation") == SOFTMAX


def _refuse(node: Node, argument: str, allowed: str) -> NoReturn:
    raise node.refused(
        f"`{argument}` of {allowed}",
        f"{shown(node.config.get(argument))} as `{argument}` of {node.kind}",
        f"change `{argument}`; another one cannot be expressed here",
    )


def _one(node: Node, argument: str) -> int:
    """A size that must be the same in height and width."""
    value = node.config[argument]
    sides = {value} if isinstance(value, int) else set(value)
    if len(sides) != 1:
        _refuse(node, argument, "equal height and width")
    return int(sides.pop())


def _only(node: Node, argument: str, allowed: Any) -> None:
    value = node.config.get(argument, allowed)
    if value not in (allowed, [allowed, allowed]):
        _refuse(node, argument, f"{allowed}")


def _activation(node: Node) -> str:
    value = node.config.get("activation") or "linear"
    if value == SOFTMAX:
        return "none"  # the reader of the whole file sees to where it stands
    if not isinstance(value, str) or value not in _ACTIVATIONS:
        _refuse(node, "activation", ", ".join(_ACTIVATIONS))
    return _ACTIVATIONS[value]


def _is_valid(node: Node) -> bool:
    padding = node.config.get("padding", "valid")
    if padding not in ("same", "valid"):
        _refuse(node, "padding", "same or valid")
    return bool(padding == "valid")


def _convolution(node: Node) -> dict[str, Any]:
    """The arguments that all convolutions share."""
    _only(node, "dilation_rate", 1)
    _only(node, "depth_multiplier", 1)
    _only(node, "groups", 1)
    return {
        "kernel": _one(node, "kernel_size"),
        "stride": _one(node, "strides"),
        "activation": _activation(node),
        "batch_norm": False,
        "bias": bool(node.config.get("use_bias", True)),
        "valid": _is_valid(node),
    }


def _conv(node: Node, _shape: Shape) -> list[Layer]:
    return [Conv(channels=int(node.config["filters"]), **_convolution(node))]


def _separable_conv(node: Node, _shape: Shape) -> list[Layer]:
    return [SeparableConv(channels=int(node.config["filters"]), **_convolution(node))]


def _depthwise_conv(node: Node, _shape: Shape) -> list[Layer]:
    return [DepthwiseConv(**_convolution(node))]


def _dense(node: Node, shape: Shape) -> list[Layer]:
    units, act = int(node.config["units"]), _activation(node)
    has_bias = bool(node.config.get("use_bias", True))
    if len(shape) == 3:  # Keras' Dense works on the last axis: on a map, a 1x1 convolution
        return [Conv(1, 1, units, act, batch_norm=False, bias=has_bias)]
    return [Dense(units, act, bias=has_bias)]


def _norm(node: Node, shape: Shape) -> list[Layer]:
    axis = node.config.get("axis", -1)
    if axis not in (-1, len(shape), [-1], [len(shape)]):
        _refuse(node, "axis", "-1, the channels")
    for argument in ("center", "scale"):
        _only(node, argument, True)
    return [Normalise()]


def _activate(node: Node, _shape: Shape) -> list[Layer]:
    found = _activation(node)
    return [] if found == "none" else [Activate(found)]


def _relu(node: Node, _shape: Shape) -> list[Layer]:
    if node.config.get("threshold"):
        _refuse(node, "threshold", "0")
    slope, most = node.config.get("negative_slope") or 0.0, node.config.get("max_value")
    if most is not None and (most != 6 or slope):
        _refuse(node, "max_value", "6, or none, and then without a negative slope")
    if slope:
        return _leaky_relu(node, _shape)
    return [Activate("relu6" if most else "relu")]


def _leaky_relu(node: Node, _shape: Shape) -> list[Layer]:
    if abs(node.config.get("negative_slope", 0.3) - LEAKY_SLOPE) > 1e-6:
        _refuse(node, "negative_slope", f"{LEAKY_SLOPE}")
    return [Activate("leaky_relu")]


def _elu(node: Node, _shape: Shape) -> list[Layer]:
    _only(node, "alpha", 1.0)
    return [Activate("elu")]


def _pool(node: Node, shape: Shape) -> list[Layer]:
    size = _one(node, "pool_size")
    if node.config.get("strides") is not None and _one(node, "strides") != size:
        _refuse(node, "strides", f"{size}, the size of its windows")
    if not _is_valid(node) and any(side % size for side in shape[:2]):
        _refuse(node, "padding", f"valid, on a map of {shape[0]}x{shape[1]} pixels")
    return [MaxPool(size) if node.kind == "MaxPooling2D" else AveragePool(size)]


def _global_mean(node: Node, shape: Shape) -> list[Layer]:
    return [AveragePool(shape[0])] if node.config.get("keepdims") else [GlobalAveragePool()]


def _global_max(node: Node, shape: Shape) -> list[Layer]:
    return [MaxPool(shape[0]), *([] if node.config.get("keepdims") else [Flatten()])]


def _flatten(_node: Node, shape: Shape) -> list[Layer]:
    return [Flatten()] if len(shape) == 3 else []


def _dropout(node: Node, _shape: Shape) -> list[Layer]:
    if node.config.get("noise_shape") is not None:
        _refuse(node, "noise_shape", "none")
    return [Dropout(float(node.config["rate"]))]


def _nothing(_node: Node, _shape: Shape) -> list[Layer]:
    return []


READERS: dict[str, Reader] = {
    "Conv2D": _conv,
    "SeparableConv2D": _separable_conv,
    "DepthwiseConv2D": _depthwise_conv,
    "Dense": _dense,
    "BatchNormalization": _norm,
    "Activation": _activate,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "ELU": _elu,
    "Softmax": _nothing,
    "MaxPooling2D": _pool,
    "AveragePooling2D": _pool,
    "GlobalAveragePooling2D": _global_mean,
    "GlobalMaxPooling2D": _global_max,
    "Flatten": _flatten,
    "Dropout": _dropout,
    "Identity": _nothing,
}


def notes_of(node: Node) -> list[str]:
    """What of a layer its training here replaces, in sentences.

    Args:
        node: The layer.
    """
    found = []
    epsilon = node.config.get("epsilon", BATCH_NORM_EPSILON)
    if node.kind == "BatchNormalization" and epsilon != BATCH_NORM_EPSILON:
        found.append(f"the epsilon {epsilon:g} of {node.name} becomes {BATCH_NORM_EPSILON:g}")
    kinds = ("regularizer", "constraint")
    ruled = [key for key, value in node.config.items() if value and key.endswith(kinds)]
    if ruled:
        found.append(f"{', '.join(ruled)} of {node.name} gives way to the recipe's weight decay")
    return found
