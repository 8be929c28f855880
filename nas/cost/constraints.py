"""Bounds that a network must keep beside its milliseconds, as sums or peaks over choices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np

from nas.architecture.lowering import LoweredLayer, lower_layer
from nas.cost.counts import FLOAT32_BITS, Cost, layer_cost
from nas.cost.memory import image_peak_bytes, layer_peak_bytes
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
    """

    # The flags of these names say the help.
    max_params: int | None = field(default=None, metadata={"help": "Most trainable parameters."})
    max_macs: int | None = field(default=None, metadata={"help": "Most multiply-adds."})
    max_size_bytes: int | None = field(default=None, metadata={"help": "Most bytes of weights."})
    max_memory_bytes: int | None = field(
        default=None,
        metadata={"help": "Most bytes of activations that are alive at once, for one image."},
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
    # Weights of a folded float32 network.
    "size_bytes": lambda cost: cost.folded_params * FLOAT32_BITS // 8,
}
# Counts of which a network has the greatest one of its layers.
PEAKS: dict[str, Callable[[LoweredLayer], int]] = {"memory_bytes": layer_peak_bytes}


@dataclass(frozen=True)
class Quantity:
    """One count of a space's networks: a fixed part and one part a choice.

    Args:
        name: `params`, `macs`, `size_bytes` or `memory_bytes`.
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

    Args:
        space: Whose options are counted.
        bounds: Become `most`.
    """
    lowered = space.lowered_options()
    fixed = [
        lower_layer(layer, shape, index)
        for index, (layer, shape) in enumerate(zip(space.layers, space.input_shapes(), strict=True))
        if not isinstance(layer, OneOf)
    ]
    costs = [[layer_cost(option) for option in options] for options in lowered]
    fixed_costs = [layer_cost(layer) for layer in fixed]
    found = []
    for bound in fields(Bounds):
        name, most = bound.name.removeprefix("max_"), getattr(bounds, bound.name)
        if name in SUMS:
            read = SUMS[name]
            options = tuple(np.array([read(c) for c in row], np.int64) for row in costs)
            found.append(Quantity(name, sum(map(read, fixed_costs)), options, most))
        else:
            peak = PEAKS[name]
            options = tuple(np.array([peak(x) for x in row], np.int64) for row in lowered)
            least = max(image_peak_bytes(space.image_size), *map(peak, fixed))
            found.append(Quantity(name, least, options, most, "peak"))
    return tuple(found)


def excluded_options(counts: Sequence[Quantity]) -> tuple[np.ndarray, ...]:
    """Of each choice, the options that break a bound whatever stands at the other choices.

    Args:
        counts: Of one space; those without a bound exclude nothing.
    """
    rows = zip(*(quantity.excluded() for quantity in counts), strict=True)
    return tuple(np.any(masks, axis=0) for masks in rows)
