"""Space `trigger`: fixed point in a small network for a hardware trigger, two published grids.

A first search by Hyperband had batch normalisation and 135 configurations, a second one dropout in
its place and 120: bits of weights, bits of activations, and the filters of both convolutions. What
they were compared with is the same network in float32, with 4 and 8 filters.
"""

from __future__ import annotations

from nas.architecture.number_formats import FixedPoint, NumberFormat, parse_format
from nas.architecture.spec import Architecture, Conv, Dense, Dropout, Flatten, Layer, MaxPool
from nas.search_space.knob_space import Grid, KnobSpace, KnobValues
from nas.search_space.knob_spaces.registry import KNOB_SPACES

KERNEL = 3
UNITS = 64
# What the first convolution reads: pixels from -1 to 1 with 8 bits.
PIXELS = FixedPoint(8, 1)
# (total bits, integer bits) as the searches wrote them: (8,4), (10,4), ...
WEIGHTS = ("f8.4", "f10.4", "f12.4", "f14.4", "f16.4")
ACTIVATIONS = ("f12.4", "f16.6", "f24.8")
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
    ),
)
