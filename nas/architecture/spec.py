"""Frozen records of layers and blocks, and the architecture they make up.

A record says what a layer is, never how it is computed: `lower` turns records into
primitive operations, and shapes, cost, Keras and ONNX read those. Convolutions pad like
TensorFlow's `same`. A network reads float32 pixels from 0 to 255 and scales them itself by
`pixel * PIXEL_SCALE + PIXEL_OFFSET`, so an exported file cannot be fed wrongly scaled images.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from nas.architecture.blocks import MBConv as MBConv
from nas.architecture.blocks import ResidualBlock as ResidualBlock
from nas.architecture.blocks import WidthsBlock as WidthsBlock
from nas.architecture.bounds import MOST_LAYERS, MOST_LEVELS, MOST_NUMBER, check_most, shown
from nas.architecture.number_formats import NumberFormat
from nas.architecture.plain_layers import Activate as Activate
from nas.architecture.plain_layers import AveragePool as AveragePool
from nas.architecture.plain_layers import Dense as Dense
from nas.architecture.plain_layers import DepthwiseConv as DepthwiseConv
from nas.architecture.plain_layers import Dropout as Dropout
from nas.architecture.plain_layers import Flatten as Flatten
from nas.architecture.plain_layers import GlobalAveragePool as GlobalAveragePool
from nas.architecture.plain_layers import MaxPool as MaxPool
from nas.architecture.plain_layers import Normalise as Normalise
from nas.architecture.plain_layers import Skip as Skip
from nas.architecture.plain_layers import SqueezeExcite as SqueezeExcite
from nas.architecture.record import FORMAT_FIELDS
from nas.architecture.record import Field as Field
from nas.architecture.record import Layer as Layer
from nas.errors import ArchitectureError

PIXEL_SCALE = 1.0 / 127.5
PIXEL_OFFSET = -1.0
IMAGE_CHANNELS = 3
BATCH_NORM_EPSILON = 1e-3


@dataclass(frozen=True)
class Conv(Layer):
    """A dense convolution: kernel x kernel, stride, output channels, then BN and activation.

    `valid` is no padding, so that the map loses kernel - 1 pixels. A format of None is float32;
    that of activations is the one of the map that the convolution reads.
    """

    kernel: int
    stride: int
    channels: int
    activation: str = "relu6"
    batch_norm: bool = True
    bias: bool = False
    valid: bool = False
    weight_format: NumberFormat | None = None
    activation_format: NumberFormat | None = None
    bias_format: NumberFormat | None = None
    norm_format: NumberFormat | None = None

    TOKEN: ClassVar[str] = "cn"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("k", "kernel"),
        Field("s", "stride"),
        Field("c", "channels"),
        Field("n", "activation", "activation"),
        Field("nobn", "batch_norm", "flag"),
        Field("bias", "bias", "flag"),
        Field("valid", "valid", "flag"),
        *FORMAT_FIELDS,
    )


@dataclass(frozen=True)
class SeparableConv(Layer):
    """A depthwise convolution, then a 1x1 convolution with no BN in between (Keras' form).

    The formats of weights and activations are those of both convolutions.
    """

    kernel: int
    stride: int
    channels: int
    activation: str = "relu6"
    batch_norm: bool = True
    bias: bool = False
    valid: bool = False
    weight_format: NumberFormat | None = None
    activation_format: NumberFormat | None = None
    bias_format: NumberFormat | None = None
    norm_format: NumberFormat | None = None

    TOKEN: ClassVar[str] = "sp"
    FIELDS: ClassVar[tuple[Field, ...]] = Conv.FIELDS


@dataclass(frozen=True)
class Residual(Layer):
    """`shortcut(x) + layers(x)`, which must have one shape. Written `res[...]`, `res[... | ...]`.

    Args:
        layers: One or more.
        shortcut: Of the other way, such as a 1x1 convolution to other channels; none for x itself.
    """

    layers: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()

    TOKEN: ClassVar[str] = "res"

    def __post_init__(self) -> None:
        if not self.layers:
            raise ArchitectureError(
                "at least one layer inside of `res[...]`", "`res[]`", "write the layers, or `skip`"
            )


# Token -> record. A user's own block joins through `register_layer`.
LAYER_TYPES: dict[str, type[Layer]] = {
    layer.TOKEN: layer
    for layer in (
        Conv,
        SeparableConv,
        DepthwiseConv,
        MBConv,
        WidthsBlock,
        SqueezeExcite,
        Skip,
        Residual,
        ResidualBlock,
        Activate,
        Normalise,
        MaxPool,
        AveragePool,
        GlobalAveragePool,
        Flatten,
        Dropout,
        Dense,
    )
}


def count_layers(layers: Sequence[Layer]) -> int:
    """Layers of a chain, those inside of residuals included; beyond `MOST_LAYERS` just more.

    Args:
        layers: In order.

    Raises:
        ArchitectureError: Residuals stand inside of residuals without end.
    """
    count, inside, levels = 0, list(layers), 0
    while inside:
        count += len(inside)
        check_most("levels of `res[...]`", levels, MOST_LEVELS, "write fewer of them")
        if count > MOST_LAYERS:
            break  # one record may stand in many places
        residuals = [layer for layer in inside if isinstance(layer, Residual)]
        inside = [inner for one in residuals for inner in (*one.layers, *one.shortcut)]
        levels += 1
    return count


# Records whose lowering is ours; what others are lowered to is part of a space's fingerprint.
BUILT_IN = frozenset(LAYER_TYPES.values())


def repeated(first: Layer, count: int) -> list[Layer]:
    """A block as often as it stands there; the stride is the first one's alone.

    Args:
        first: The first of them, with a stride.
        count: 1 or more; the caller keeps it within `MOST_LAYERS`.
    """
    if count == 1:
        return [first]
    rest = dataclasses.replace(first, stride=1)  # type: ignore[call-arg]
    return [first] + [rest] * (count - 1)


def register_layer(layer_type: type[Layer]) -> type[Layer]:
    """Makes a record known to architecture strings and JSON; usable as a decorator.

    Args:
        layer_type: A frozen dataclass below `Layer` with its own `TOKEN`.

    Raises:
        ArchitectureError: The token is empty or belongs to another record.
    """
    known = LAYER_TYPES.get(layer_type.TOKEN)
    if not layer_type.TOKEN.isalpha() or (known is not None and known is not layer_type):
        raise ArchitectureError(
            "a token of letters that no other layer uses",
            f"{layer_type.TOKEN!r} for {layer_type.__name__}; taken: {sorted(LAYER_TYPES)}",
            "give the record another TOKEN",
        )
    LAYER_TYPES[layer_type.TOKEN] = layer_type
    return layer_type


@dataclass(frozen=True)
class Architecture:
    """One fixed network.

    Args:
        image_size: Height and width of the input in pixels; 3 channels.
        layers: From the first convolution to the class scores.
        name: For people; two networks with different names can be equal.
    """

    image_size: int
    layers: tuple[Layer, ...]
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if type(self.image_size) is not int or not 1 <= self.image_size <= MOST_NUMBER:
            raise ArchitectureError(
                f"an image size in whole pixels above 0 and up to {MOST_NUMBER}",
                shown(self.image_size),
                "write for example `in_s64`",
            )
        if not self.layers:
            raise ArchitectureError("at least one layer", "none", "write the layers")
        check_most("layers", count_layers(self.layers), MOST_LAYERS, "leave layers out")

    @property
    def num_classes(self) -> int:
        """Units of the last layer, which must be dense."""
        last = self.layers[-1]
        if not isinstance(last, Dense):
            raise ArchitectureError(
                "a network that ends in a dense layer (`fc`)", f"`{last.TOKEN}`", "add `fc_c10`"
            )
        return last.units

    def check_scores(self) -> None:
        """Refuses a classifier with an activation: losses and probabilities take plain scores.

        Raises:
            ArchitectureError: It has one, or there is no classifier.
        """
        classes, found = self.num_classes, self.layers[-1].activation  # type: ignore[attr-defined]
        if found != "none":
            raise ArchitectureError(
                "a classifier without an activation, whose outputs are the scores of the classes",
                f"{found} behind the last dense layer, of {classes} units",
                "leave out its part `n`, as in `fc_c10`: the loss has its own softmax",
            )

    def with_num_classes(self, num_classes: int) -> Architecture:
        """The same network with another number of class scores."""
        if self.num_classes == num_classes:
            return self
        last = dataclasses.replace(self.layers[-1], units=num_classes)  # type: ignore[call-arg]
        return dataclasses.replace(self, layers=(*self.layers[:-1], last))
