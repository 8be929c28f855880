"""What a search by trials chooses from, and how the next configuration comes about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nas.tuning.budgets import Budget
from nas.tuning.legs import SearchState
from nas.tuning.parameters import Configuration, Parameter, key_of

# Draws for one trial: a space of which so few configurations are left is taken for exhausted.
MOST_DRAWS = 10_000


class Candidates(Protocol):
    """The configurations that there are, and what is known of them without training."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Of every configuration."""

    def draw(self, rng: np.random.Generator) -> Configuration:
        """A configuration by chance.

        Args:
            rng: Generator of this draw.
        """

    def canonical(self, configuration: Configuration) -> Configuration:
        """The one configuration that stands for all that mean the same.

        Args:
            configuration: A value for each parameter.
        """

    def known(self, configuration: Configuration) -> Mapping[str, float]:
        """Quantities that are known without training, by name.

        Args:
            configuration: A value for each parameter.
        """

    def margins(self, configuration: Configuration) -> Mapping[str, float]:
        """Budget -> how far the configuration is above it; 0 or less where it is kept.

        These are the budgets of quantities that are known without training.

        Args:
            configuration: A value for each parameter.
        """


class Sampler(Protocol):
    """Proposes configurations; the same arguments give the same one, in whatever process."""

    def propose(self, trial: int, attempt: int, state: SearchState) -> Configuration:
        """A configuration for a new trial.

        Args:
            trial: Its number.
            attempt: How many proposals for it were turned down.
            state: All that is known.
        """


@dataclass(frozen=True)
class Proposal:
    """A configuration that is new and within all budgets.

    Args:
        configuration: A value for each parameter.
        known: Quantities that are known without training.
        margins: Of each budget, 0 or less.
        refused: Configurations that were proposed before it and are outside of a budget.
    """

    configuration: Configuration
    known: Mapping[str, float]
    margins: Mapping[str, float]
    refused: int


def margin(budget: Budget, values: Mapping[str, float]) -> float:
    """How far a value is on the wrong side of a budget; 0 or less where it is kept.

    Args:
        budget: With a limit.
        values: Quantity -> value.
    """
    objective = budget.objective
    return objective.cost(values[objective.text]) - objective.cost(budget.limit)


def new_proposal(
    sampler: Sampler, candidates: Candidates, trial: int, state: SearchState
) -> Proposal | None:
    """The next configuration; one outside of a budget is counted and never trained.

    Args:
        sampler: Proposes.
        candidates: What there is.
        trial: Number of the new trial.
        state: All that is known.

    Returns:
        None where no configuration is left.
    """
    refused = 0
    for attempt in range(MOST_DRAWS):
        found = candidates.canonical(sampler.propose(trial, attempt, state))
        if key_of(found) in state.keys:
            continue
        margins = candidates.margins(found)
        if any(value > 0 for value in margins.values()):
            refused += 1
            continue
        return Proposal(found, candidates.known(found), margins, refused)
    return None
