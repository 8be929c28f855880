"""Bounds that a network must keep beside its milliseconds, as sums or peaks over choices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np

from nas.architecture.lowering import LoweredLayer, lower_layer
from nas.architecture.spec import Layer
from nas.cost.additive import AdditiveCost
from nas.cost.counts import Cost, layer_cost
from nas.cost.memory import Format, image_peak_bytes, layer_peak_bytes
from nas.cost.stored_formats import format_before
from nas.cost.units import BY_NAME, Unit
from nas.errors import InputError
from nas.search_space.space import OneOf, Space

Network = tuple[int, ...]


@dataclass(frozen=True)
class Bounds:
    """What a network may have at most, beside its milliseconds; None for no bound.

    Args:
        max_params: Trainable parameters.
        max_macs: Multiply-adds of one image.
        max_size_bytes: Bytes of the folded weights.
        max_memory_bytes: Peak activation memory of one image, in bytes.
        max_weight_bits: Bits of the kernels, each number in its format.
        max_bops: Bit operations of one image: each multiply-add times the bits of its weight and
            of what it reads.
    """

    # The flags of these names say the help.
    max_params: int | None = field(default=None, metadata={"help": "Most trainable parameters."})
    max_macs: int | None = field(default=None, metadata={"help": "Most multiply-adds."})
    max_size_bytes: int | None = field(default=None, metadata={"help": "Most bytes of weights."})
    max_memory_bytes: int | None = field(
        default=None,
        metadata={"help": "Most bytes of activations that are alive at once, for one image."},
    )
    max_weight_bits: int | None = field(
        default=None, metadata={"help": "Most bits of kernels, each number in its format."}
    )
    max_bops: int | None = field(
        default=None,
        metadata={"help": "Most bit operations: multiply-adds times the bits of both factors."},
    )

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and (type(value) is not int or not 0 < value < 2**53):
                raise InputError(
                    f"--{name} as a whole number from 1 to 2^53", f"{value!r}", f"correct --{name}"
                )

    def __bool__(self) -> bool:
        return any(value is not None for value in asdict(self).values())

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


# Counts that are sums over layers: name -> that of one layer.
SUMS: dict[str, Callable[[Cost], int]] = {
    "params": lambda cost: cost.params,
    "macs": lambda cost: cost.macs,
    "size_bytes": lambda cost: cost.size_bytes,
    "weight_bits": lambda cost: cost.weight_bits,
    "bops": lambda cost: cost.bops,
}
# Counts of which a network has the greatest one of its layers, by the format of the layer's output.
PEAKS: dict[str, Callable[[LoweredLayer, Format], int]] = {"memory_bytes": layer_peak_bytes}


@dataclass(frozen=True)
class Quantity:
    """One count of a space's networks: a fixed part and one part a choice.

    Args:
        name: `params`, `macs`, `size_bytes`, `memory_bytes`, `weight_bits` or `bops`.
        fixed: Of everything that is no choice.
        options: Of each option of each choice.
        most: The bound; None if there is none.
        kind: Whether a network has the sum of its parts, or the greatest of them.
    """

    name: str
    fixed: int
    options: tuple[np.ndarray, ...]
    most: int | None
    kind: Literal["sum", "peak"] = "sum"

    def of(self, network: Network) -> int:
        """The count of one network."""
        parts = (int(r[i]) for r, i in zip(self.options, network, strict=True))
        return self.fixed + sum(parts) if self.kind == "sum" else max([self.fixed, *parts])

    @property
    def cost(self) -> AdditiveCost:
        """The count as what a search may land on; a sum of whole numbers below 2^53 is exact.

        Raises:
            KeyError: No goal is asked in this count.
        """
        rows = tuple(row.astype(float) for row in self.options)
        return AdditiveCost(rows, fixed=float(self.fixed), unit=BY_NAME[self.name])

    def kept(self, network: Network) -> bool:
        """Whether a network keeps the bound."""
        return self.most is None or self.of(network) <= self.most

    def bounded(self, most: int | None) -> Quantity:
        """The same count with another bound.

        Args:
            most: The bound; None for none.
        """
        return replace(self, most=most)

    def excluded(self) -> tuple[np.ndarray, ...]:
        """Of each choice, the options that no network can have because of this bound alone.

        Of a peak these are all that break the bound, so that any network without them keeps it.
        """
        if self.kind == "sum" or self.most is None:
            return tuple(np.zeros(len(row), bool) for row in self.options)
        return tuple(row > self.most for row in self.options)


def quantities(space: Space, bounds: Bounds) -> tuple[Quantity, ...]:
    """Every count of `Bounds`, of a space's networks; equal to `nas.cost.counts` for each of them.

    A peak is that of the option alone where all options behind it read the same format. Where they
    do not, it is the greatest one, so that a network may have less than is counted, never more.

    Args:
        space: Whose options are counted.
        bounds: Become `most`.
    """
    places = [
        [lower_layer(option, shape, index) for option in _options(layer)]
        for index, (layer, shape) in enumerate(zip(space.layers, space.input_shapes(), strict=True))
    ]
    formats = _formats_between(places)
    image = max(image_peak_bytes(space.image_size, kept) for kept in formats[0])
    rows = {**_sums(places), **_peaks(places, formats[1:])}
    found = []
    for bound in fields(Bounds):
        name, most = bound.name.removeprefix("max_"), getattr(bounds, bound.name)
        pairs = list(zip(space.layers, rows[name], strict=True))
        options = tuple(np.array(row, np.int64) for one, row in pairs if isinstance(one, OneOf))
        fixed = [row[0] for one, row in pairs if not isinstance(one, OneOf)]
        if name in SUMS:
            found.append(Quantity(name, sum(fixed), options, most))
        else:
            found.append(Quantity(name, max([image, *fixed]), options, most, "peak"))
    return tuple(found)


def counted_cost(space: Space, unit: Unit) -> AdditiveCost:
    """What each option of a space has of a count that goals may be asked in.

    Args:
        space: Whose options are counted.
        unit: Of a count; milliseconds need a table.
    """
    return next(q for q in quantities(space, Bounds()) if q.name == unit.name).cost


Places = Sequence[Sequence[LoweredLayer]]  # a layer's options; one alone where it is no choice


def _sums(places: Places) -> dict[str, list[list[int]]]:
    """Count -> of each option of each place."""
    costs = [[layer_cost(option) for option in options] for options in places]
    return {name: [[read(c) for c in row] for row in costs] for name, read in SUMS.items()}


def _peaks(places: Places, after: Sequence[set[Format]]) -> dict[str, list[list[int]]]:
    """Count -> of each option of each place, for the format of its output that needs the most."""
    pairs = list(zip(places, after, strict=True))
    return {
        name: [[max(peak(x, kept) for kept in formats) for x in row] for row, formats in pairs]
        for name, peak in PEAKS.items()
    }


def _options(layer: Layer | OneOf) -> tuple[Layer, ...]:
    return layer.options if isinstance(layer, OneOf) else (layer,)


def _formats_between(places: Places) -> list[set[Format]]:
    """The formats that the image and the output of each place may be kept in."""
    found: list[set[Format]] = [{None}]  # of the class scores
    for options in reversed(places):
        found.append({format_before(x.ops, kept) for x in options for kept in found[-1]})
    return found[::-1]


def excluded_options(counts: Sequence[Quantity]) -> tuple[np.ndarray, ...]:
    """Of each choice, the options that break a bound whatever stands at the other choices.

    Args:
        counts: Of one space; those without a bound exclude nothing.
    """
    rows = zip(*(quantity.excluded() for quantity in counts), strict=True)
    return tuple(np.any(masks, axis=0) for masks in rows)
