"""Bounds that a network must keep beside its milliseconds, as sums over choices."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from nas.cost.counts import FLOAT32_BITS, architecture_cost, layer_cost
from nas.errors import InputError
from nas.search_space.space import Space

Network = tuple[int, ...]


@dataclass(frozen=True)
class Bounds:
    """What a network may have at most, beside its milliseconds; None for no bound.

    Args:
        max_params: Trainable parameters.
        max_macs: Multiply-adds of one image.
        max_size_bytes: Bytes of the folded weights.
    """

    # The flags of these names say the help.
    max_params: int | None = field(default=None, metadata={"help": "Most trainable parameters."})
    max_macs: int | None = field(default=None, metadata={"help": "Most multiply-adds."})
    max_size_bytes: int | None = field(default=None, metadata={"help": "Most bytes of weights."})

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


@dataclass(frozen=True)
class Quantity:
    """One count of a space's networks: a fixed part and one summand a choice.

    Args:
        name: `params`, `macs` or `size_bytes`.
        fixed: Of everything that is no choice.
        options: Of each option of each choice.
        most: The bound; None if there is none.
    """

    name: str
    fixed: int
    options: tuple[np.ndarray, ...]
    most: int | None

    def of(self, network: Network) -> int:
        """The count of one network."""
        return self.fixed + sum(int(r[i]) for r, i in zip(self.options, network, strict=True))

    def kept(self, network: Network) -> bool:
        """Whether a network keeps the bound."""
        return self.most is None or self.of(network) <= self.most


def quantities(space: Space, bounds: Bounds) -> tuple[Quantity, ...]:
    """Params, MACs and bytes of a space's networks; equal to `nas.cost.counts` for every one.

    Args:
        space: Whose options are counted.
        bounds: Become `most`.
    """
    costs = [[layer_cost(option) for option in options] for options in space.lowered_options()]
    reads = {
        "params": lambda cost: cost.params,
        "macs": lambda cost: cost.macs,
        # Weights of a folded float32 network.
        "size_bytes": lambda cost: cost.folded_params * FLOAT32_BITS // 8,
    }
    reference = space.largest()
    total, places = architecture_cost(reference), space.encode(reference)
    found = []
    for bound in fields(Bounds):
        name = bound.name.removeprefix("max_")
        options = tuple(np.array([reads[name](c) for c in row], np.int64) for row in costs)
        own = sum(int(row[i]) for row, i in zip(options, places, strict=True))
        fixed = int(getattr(total, name)) - own
        found.append(Quantity(name, fixed, options, getattr(bounds, bound.name)))
    return tuple(found)
