"""Space `trigger`: fixed point in a small network for a hardware trigger, two published grids.

A first search by Hyperband had batch normalisation and 135 configurations, a second one dropout in
its place and 120: bits of weights, bits of activations, and the filters of both convolutions. What
they were compared with is the same network in float32, with 4 and 8 filters.

A search by gradient chooses the formats of each layer by itself, from more of them, in the network
with as many filters. How many there are decides the shape behind a layer, which no choice may.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nas.architecture.number_formats import FixedPoint, NumberFormat, parse_format
from nas.architecture.spec import Architecture, Conv, Dense, Dropout, Flatten, Layer, MaxPool
from nas.search_space.knob_space import Grid, KnobSpace, KnobValues
from nas.search_space.knob_spaces.registry import KNOB_SPACES
from nas.search_space.space import OneOf, Space

KERNEL = 3
UNITS = 64
# What the first convolution reads: pixels from -1 to 1 with 8 bits.
PIXELS = FixedPoint(8, 1)
# (total bits, integer bits) as the searches wrote them: (8,4), (10,4), ...
WEIGHTS = ("f8.4", "f10.4", "f12.4", "f14.4", "f16.4")
ACTIVATIONS = ("f12.4", "f16.6", "f24.8")
# Of each layer in a search by gradient: those above, and fewer bits, some of them in the searches'
# first notes. Weights are small, so that few bits are better spent behind the point.
LAYER_WEIGHTS = ("f3.1", "f4.1", "f6.1", "f8.2", *WEIGHTS)
LAYER_ACTIVATIONS = ("f4.3", "f6.3", "f8.4", *ACTIVATIONS)
# What biases and normalisations have beside weights of fewer bits: their numbers are larger.
LEAST_BEHIND = FixedPoint(8, 4)
BATCH_NORM = "batch_norm"
# With the share that is dropped behind it.
DROPOUT = "dropout_"
NEITHER = "none"


def network(values: KnobValues, image_size: int, num_classes: int) -> Architecture:
    """Two convolutions with pools, one hidden layer, and the class scores.

    The bits of weights are those of biases and of batch normalisation as well. The class scores
    have no batch normalisation, which made searches volatile.

    Args:
        values: Of the knobs.
        image_size: Height and width of images in pixels.
        num_classes: Class scores.
    """
    weights = parse_format(str(values["weight_format"]))
    between = parse_format(str(values["activation_format"]))
    form = str(values["regularisation"])
    is_normed = form == BATCH_NORM
    layers: list[Layer] = []
    reads: NumberFormat | None = None if between is None else PIXELS
    for name in ("conv1.filters", "conv2.filters"):
        conv = Conv(
            KERNEL,
            1,
            int(values[name]),  # type: ignore[arg-type]
            "relu",
            batch_norm=is_normed,
            bias=not is_normed,
            weight_format=weights,
            activation_format=reads,
            bias_format=weights,
            norm_format=weights if is_normed else None,
        )
        layers += [conv, MaxPool(2)]
        reads = between
    layers += [
        Flatten(),
        Dense(
            UNITS,
            "relu",
            batch_norm=is_normed,
            weight_format=weights,
            activation_format=between,
            bias_format=weights,
            norm_format=weights if is_normed else None,
        ),
    ]
    if form.startswith(DROPOUT):
        layers.append(Dropout(float(form.removeprefix(DROPOUT))))
    layers.append(
        Dense(
            num_classes,
            weight_format=weights,
            activation_format=between,
            bias_format=weights,
        )
    )
    return Architecture(image_size, tuple(layers))


def places(
    image_size: int,
    num_classes: int,
    filters: tuple[int, int] = (4, 8),
    regularisation: str = BATCH_NORM,
) -> Space:
    """The same network with a choice of its formats at each layer.

    The formats of biases and of batch normalisation follow those of the weights, as in both
    searches. The first layer reads pixels of 8 bits whatever is chosen.

    Args:
        image_size: Height and width of images in pixels.
        num_classes: Class scores.
        filters: Of both convolutions; those of the original.
        regularisation: As the knob of this name.
    """
    values = {"weight_format": "float32", "activation_format": "float32"}
    values |= {"conv1.filters": f"{filters[0]}", "conv2.filters": f"{filters[1]}"}
    plain = network({**values, "regularisation": regularisation}, image_size, num_classes)
    layers: list[Layer | OneOf] = []
    for layer in plain.layers:
        if isinstance(layer, Conv | Dense):
            is_first = not layers
            number = 1 + sum(isinstance(one, OneOf) for one in layers)
            layers.append(OneOf(f"layer{number}", tuple(_options(layer, is_first))))
        else:
            layers.append(layer)
    return Space("trigger-layers", image_size, tuple(layers))


def _options(layer: Conv | Dense, is_first: bool) -> Iterator[Layer]:
    """A layer in every pair of formats; the first one reads pixels alone."""
    for text in LAYER_WEIGHTS:
        weights = parse_format(text)
        behind = weights if text in WEIGHTS else LEAST_BEHIND
        for read in (PIXELS,) if is_first else map(parse_format, LAYER_ACTIVATIONS):
            yield replace(
                layer,
                weight_format=weights,
                activation_format=read,
                bias_format=behind,
                norm_format=behind if layer.batch_norm else None,
            )


def _grid(forms: tuple[str, ...], first: tuple[int, ...], second: tuple[int, ...]) -> Grid:
    return {
        "regularisation": forms,
        "weight_format": WEIGHTS,
        "activation_format": ACTIVATIONS,
        "conv1.filters": first,
        "conv2.filters": second,
    }


TRIGGER = KNOB_SPACES.register(
    "trigger",
    KnobSpace(
        "trigger",
        16,
        2,
        (
            _grid((BATCH_NORM,), (2, 4, 8), (4, 8, 16)),
            _grid((f"{DROPOUT}0.2", f"{DROPOUT}0.5"), (4, 8), (8, 16)),
        ),
        network,
        {
            "regularisation": BATCH_NORM,
            "weight_format": "float32",
            "activation_format": "float32",
            "conv1.filters": 4,
            "conv2.filters": 8,
        },
        "trigger, in float32",
        recipe="trigger",
        places=places,
    ),
)
