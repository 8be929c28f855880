"""A space of knobs of one's own: `nas.py --space examples/few_bits.py`, bits for the whole network.

`nas.py --space examples/few_bits.py --method asha --max_trials 8 --objectives top1,bops --smoke`
"""

from __future__ import annotations

from nas.architecture.number_formats import ScaledInteger
from nas.architecture.spec import Architecture, Conv, Dense, GlobalAveragePool
from nas.search_space.knob_space import KnobSpace, KnobValues, ShapeError


def network(values: KnobValues, image_size: int, num_classes: int) -> Architecture:
    """Two convolutions that read and multiply numbers of few bits.

    Args:
        values: Of the knobs.
        image_size: Height and width of the images in pixels.
        num_classes: Class scores.

    Raises:
        ShapeError: The stride is larger than the image.
    """
    bits, stride = int(values["bits"]), int(values["stride"])  # type: ignore[arg-type]
    if stride > image_size:
        raise ShapeError("stride <= image")
    weights = ScaledInteger(bits)
    layers = (
        Conv(3, stride, 16, weight_format=weights),
        Conv(3, 1, 16, weight_format=weights, activation_format=ScaledInteger(8)),
        GlobalAveragePool(),
        Dense(num_classes),
    )
    return Architecture(image_size, layers)


SPACE = KnobSpace(
    "few_bits",
    image_size=32,
    num_classes=10,
    grids=({"bits": (1, 2, 4, 8), "stride": (1, 2, 64)},),
    build=network,
    original={"bits": 8, "stride": 1},
    tune="learning_rate=log[1e-3,1e-1]",
)
