"""A cost that is a sum over choices, and its exact expectation under gates.

Milliseconds, parameters, multiply-adds and bits are such sums: of everything fixed, and of one
summand a choice that depends on its option alone. A search needs no more of what it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_letters
from typing import Any

import numpy as np

from nas.cost.units import MILLISECONDS, Unit
from nas.layers.draw import SKIP
from nas.search_space.tables import DecisionTables

Tensor = Any  # a tensor of whichever backend Keras runs on


@dataclass(frozen=True)
class AdditiveCost:
    """scale * (fixed + sum of the options) + offset, for the networks of a space.

    Args:
        options: Cost of each option of each choice.
        scale: Factor of the sum, above 0.
        offset: What every network has beside the sum.
        fixed: Summand of everything that is no choice.
        unit: Of the cost.
    """

    options: tuple[np.ndarray, ...]
    scale: float = 1.0
    offset: float = 0.0
    fixed: float = 0.0
    unit: Unit = MILLISECONDS

    def of(self, network: Sequence[int]) -> float:
        """The cost of one network.

        Args:
            network: One option a choice.
        """
        rows = zip(self.options, network, strict=True)
        return self.scale * (self.fixed + sum(float(row[i]) for row, i in rows)) + self.offset

    def options_sum(self, cost: float) -> float:
        """The sum of a network's options that gives a cost.

        Args:
            cost: Of the network.
        """
        return (cost - self.offset) / self.scale - self.fixed

    @property
    def largest_option(self) -> float:
        """The greatest magnitude of an option."""
        return max(float(np.abs(row).max()) for row in self.options)

    def range(self) -> tuple[float, float]:
        """The least and the greatest cost of a network."""
        least = tuple(int(row.argmin()) for row in self.options)
        greatest = tuple(int(row.argmax()) for row in self.options)
        return self.of(least), self.of(greatest)


class ExpectedCost:
    """The expectation of an additive cost over the networks that gates stand for.

    E = scale * (fixed + sum_blocks sum_options p_joint * cost) + offset, where skip has p(skip) and
    any other option (1 - p(skip)) times the product of its decisions' probabilities. Exact, because
    decisions are independent and the cost is a sum over blocks; differentiable in the
    probabilities.

    Args:
        cost: Of the space's networks.
        tables: Of the space.
    """

    def __init__(self, cost: AdditiveCost, tables: DecisionTables) -> None:
        self.scale = float(cost.scale)
        self.offset = float(cost.scale * cost.fixed + cost.offset)
        self.names = tables.block_names
        self.blocks, self.skips = tables.grid(cost.options)
        # One letter a decision, behind that of the choices: "ab,ac,abc->a" for two.
        choices, letters = ascii_letters[0], ascii_letters[1 : 1 + len(self.names)]
        inputs = [choices + letter for letter in letters] + [choices + letters]
        self._sum = f"{','.join(inputs)}->{choices}"

    def __call__(self, probabilities: Mapping[str, Tensor]) -> Tensor:
        """The expectation, a scalar.

        Args:
            probabilities: Decision -> (choices, options), as `BaseGates.probabilities` gives them.
        """
        from keras import ops  # counting needs no framework, only gates do

        dtype = next(iter(probabilities.values())).dtype
        blocks = ops.convert_to_tensor(self.blocks, dtype)
        blocks = ops.einsum(self._sum, *(probabilities[name] for name in self.names), blocks)
        if SKIP in probabilities:
            blocks = probabilities[SKIP][:, 0] * blocks
        if self.skips.any():
            skips = ops.convert_to_tensor(self.skips, dtype)
            blocks = blocks + probabilities[SKIP][:, 1] * skips
        return self.scale * ops.sum(blocks) + self.offset
