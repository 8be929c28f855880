"""Spaces `cnv` and `cnv_small`: a quantised network for CIFAR-10 as two ASHA searches had it.

The network is the CNV of Umuroglu et al. 2017, arXiv 1612.07119, as Brevitas has it: convolutions
without padding and biases, batch normalisation, then the quantiser of what the next layer reads.
The knobs are those of github.com/fastmachinelearning/bnn_pynq, `adaptive.yaml`, at both searches.
"""

from __future__ import annotations

from dataclasses import dataclass

from nas.architecture.number_formats import FixedPoint, ScaledInteger
from nas.architecture.shapes import pooled_size, valid_output_size
from nas.architecture.spec import Architecture, Conv, Dense, Flatten, Layer, MaxPool
from nas.search_space.knob_space import Grid, KnobSpace, KnobValues, ShapeError
from nas.search_space.knob_spaces.registry import KNOB_SPACES

CONVOLUTIONS = 6
# What the first convolution reads: pixels from -1 to 1 with 8 bits.
PIXELS = FixedPoint(8, 1)
BIT_WIDTHS = (1, 2, 4)
CHANNELS = (32, 64, 128, 256, 512)
POOL_SIZES = (2, 4)
UNITS = (16, 32, 64, 128, 256, 512)
# Of the network that was to be shrunk.
ORIGINAL_CHANNELS = (64, 64, 128, 128, 256, 256)
ORIGINAL_POOLS = (1, 3)
ORIGINAL_UNITS = 512
# The first search had the upper end of these, 1e-3 to 1, the second one all of them.
RATES = "learning_rate=log[1e-5,1]"


def _whole(values: KnobValues, name: str) -> int:
    return int(values[name])  # type: ignore[arg-type]


@dataclass
class _Maps:
    """The side of the maps, which every convolution and pool makes smaller."""

    size: int

    def after(self, what: str, window: int, place: str, is_pool: bool, stride: int = 1) -> None:
        """Makes them smaller.

        Raises:
            ShapeError: The window is larger than the map.
        """
        if self.size < window:
            raise ShapeError(f"{what} <= map at {place}")
        pooled, convolved = pooled_size, valid_output_size
        self.size = pooled(self.size, window) if is_pool else convolved(self.size, window, stride)


def network(values: KnobValues, image_size: int, num_classes: int) -> Architecture:
    """A CNV.

    Args:
        values: Of the knobs.
        image_size: Height and width of images in pixels.
        num_classes: Class scores.

    Raises:
        ShapeError: A kernel or a pool is larger than the map before it.
    """
    weights = ScaledInteger(_whole(values, "weight_bit_width"))
    between = ScaledInteger(_whole(values, "act_bit_width"))
    kernel, pool = _whole(values, "kernel"), _whole(values, "pool_size")
    maps, layers = _Maps(image_size), list[Layer]()
    reads: ScaledInteger | FixedPoint = PIXELS
    for number in range(CONVOLUTIONS):
        place = f"conv{number}"
        stride = _whole(values, f"{place}.stride")
        maps.after("kernel", kernel, place, False, stride)
        channels = _whole(values, f"{place}.channels")
        layers.append(
            Conv(
                kernel,
                stride,
                channels,
                "none",
                valid=True,
                weight_format=weights,
                activation_format=reads,
            )
        )
        reads = between
        if values[f"{place}.pool"]:
            maps.after("pool_size", pool, place, True)
            layers.append(MaxPool(pool))
    layers.append(Flatten())
    for units in (_whole(values, "fc1.units"), _whole(values, "fc2.units"), num_classes):
        layers.append(
            Dense(
                units,
                batch_norm=True,
                bias=False,
                weight_format=weights,
                activation_format=between,
            )
        )
    return Architecture(image_size, tuple(layers))


def standing(values: KnobValues, image_size: int) -> KnobValues:
    """The least stride where a kernel fits but once, and the least size where there are no pools.

    Args:
        values: Of the knobs.
        image_size: Height and width of images in pixels.
    """
    kernel, pool = _whole(values, "kernel"), _whole(values, "pool_size")
    places = [f"conv{number}" for number in range(CONVOLUTIONS)]
    pools = [place for place in places if values[f"{place}.pool"]]
    found = {} if pools else {"pool_size": POOL_SIZES[0]}
    maps = _Maps(image_size)
    for place in places:
        stride = _whole(values, f"{place}.stride")
        # Whatever leads beyond the map leaves the kernel where it begins.
        positions = maps.size - kernel + 1
        found[f"{place}.stride"] = min(stride, positions)
        try:
            maps.after("kernel", kernel, place, False, stride)
            if place in pools:
                maps.after("pool_size", pool, place, True)
        except ShapeError:
            # There is no such network, whose condition shall be told as it was asked.
            return {}
    return found


def _grid(part: int) -> Grid:
    """Every combination, with widths that are divided by a number."""
    channels, units = (tuple(w // part for w in widths) for widths in (CHANNELS, UNITS))
    places = [f"conv{number}" for number in range(CONVOLUTIONS)]
    return {
        "weight_bit_width": BIT_WIDTHS,
        "act_bit_width": BIT_WIDTHS,
        "kernel": (1, 2, 3, 4),
        "pool_size": POOL_SIZES,
        **{f"{place}.channels": channels for place in places},
        **{f"{place}.pool": (False, True) for place in places},
        **{f"{place}.stride": (1, 2, 3, 4) for place in places},
        "fc1.units": units,
        "fc2.units": units,
    }


def _original(part: int) -> KnobValues:
    """CNV-W1A1 with the rate that it was trained with."""
    places = range(CONVOLUTIONS)
    return {
        "weight_bit_width": 1,
        "act_bit_width": 1,
        "kernel": 3,
        "pool_size": 2,
        **{f"conv{n}.channels": ORIGINAL_CHANNELS[n] // part for n in places},
        **{f"conv{n}.pool": n in ORIGINAL_POOLS for n in places},
        **{f"conv{n}.stride": 1 for n in places},
        "fc1.units": ORIGINAL_UNITS // part,
        "fc2.units": ORIGINAL_UNITS // part,
        "learning_rate": 0.02,
    }


def _space(name: str, part: int, original_name: str) -> KnobSpace:
    """The space with widths that are divided by a number."""
    return KnobSpace(
        name,
        32,
        10,
        (_grid(part),),
        network,
        _original(part),
        original_name,
        tune=RATES,
        recipe="cnv",
        standing=standing,
    )


CNV = KNOB_SPACES.register("cnv", _space("cnv", 1, "cnv_w1a1"))
# A quarter of all widths, for two cores of a processor.
CNV_SMALL = KNOB_SPACES.register(
    "cnv_small", _space("cnv_small", 4, "cnv_w1a1 with a quarter of its widths")
)
