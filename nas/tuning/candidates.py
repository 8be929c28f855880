"""What a search by trials chooses from, and how the next configuration comes about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from nas.architecture.spec import Architecture
from nas.errors import InputError
from nas.training.recipe import Recipe
from nas.tuning.budgets import Budget
from nas.tuning.legs import SearchState
from nas.tuning.parameters import Configuration, Parameter, Value, key_of

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

        These are the budgets of quantities that are known without training, and other conditions
        that a configuration has to keep, such as a network that exists.

        Args:
            configuration: A value for each parameter.
        """


@runtime_checkable
class Listed(Protocol):
    """Candidates of which there may be a list."""

    @property
    def size(self) -> int | None:
        """Configurations in all; None where there are endlessly many."""

    def point(self, number: int) -> Configuration:
        """One of all configurations; each has a number.

        Args:
            number: From 0 to below `size`.
        """


class NetworkCandidates(Candidates, Listed, Protocol):
    """Candidates that are networks, recipes for them, or both."""

    @property
    def known_names(self) -> tuple[str, ...]:
        """Quantities that are known without training."""

    def original(self, recipe: Recipe) -> Configuration:
        """What trials stand beside; its values need not be among those that trials have.

        Args:
            recipe: Of the trials.
        """

    def network(self, configuration: Configuration) -> Architecture:
        """The network of a configuration.

        Args:
            configuration: A value for each parameter.
        """

    def changes(self, configuration: Configuration) -> dict[str, Value]:
        """Knob of the recipe -> its value in a configuration.

        Args:
            configuration: A value for each parameter.
        """


class Sampler(Protocol):
    """Proposes configurations; the same arguments give the same one, in whatever process."""

    def propose(self, trial: int, attempt: int, state: SearchState) -> Configuration | None:
        """A configuration for a new trial; None where every one has been proposed.

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
        refusals: Condition -> configurations that were proposed before it and break it; one that
            breaks several counts in the first of them.
    """

    configuration: Configuration
    known: Mapping[str, float]
    margins: Mapping[str, float]
    refusals: Mapping[str, int]


@dataclass(frozen=True)
class NothingLeft:
    """No configuration is new and within all budgets.

    Args:
        refusals: Condition -> configurations that were proposed and break it.
        is_whole_list: Whether these are all that there were, and not some draws.
    """

    refusals: Mapping[str, int]
    is_whole_list: bool


def check_something(parameters: Sequence[Parameter]) -> None:
    """Refuses trials that would all be alike.

    Args:
        parameters: Of every configuration.

    Raises:
        InputError: There are none.
    """
    if not parameters:
        raise InputError(
            "something that trials differ in", "one network and one recipe", "add --tune"
        )


def check_budgets(budgets: Sequence[Budget], known: Sequence[str]) -> None:
    """Refuses budgets of what is not known before training.

    Args:
        budgets: Those that shall keep configurations from being trained.
        known: Names of the quantities that are known.

    Raises:
        InputError: One is of another quantity.
    """
    for budget in budgets:
        if budget.objective.text not in known:
            raise InputError(
                f"a budget of {', '.join(known)}", budget.text, "leave this budget out"
            )


def margin(budget: Budget, values: Mapping[str, float]) -> float:
    """How far a value is on the wrong side of a budget; 0 or less where it is kept.

    Args:
        budget: With a limit.
        values: Quantity -> value.
    """
    objective = budget.objective
    return objective.cost(values[objective.text]) - objective.cost(budget.limit)


def broken_of(margins: Mapping[str, float]) -> str | None:
    """The first condition that is broken; None where all are kept.

    Args:
        margins: Condition -> how far a configuration is on the wrong side of it.
    """
    return next((name for name, value in margins.items() if value > 0), None)


def new_proposal(
    sampler: Sampler, candidates: Candidates, trial: int, state: SearchState
) -> Proposal | NothingLeft:
    """The next configuration; one that breaks a condition is counted and never trained.

    Args:
        sampler: Proposes.
        candidates: What there is.
        trial: Number of the new trial.
        state: All that is known.
    """
    refusals: Counter[str] = Counter()
    for attempt in range(MOST_DRAWS):
        proposed = sampler.propose(trial, attempt, state)
        if proposed is None:
            return NothingLeft(dict(refusals), is_whole_list=True)
        found = candidates.canonical(proposed)
        if key_of(found) in state.keys:
            continue
        margins = candidates.margins(found)
        broken = broken_of(margins)
        if broken is None:
            return Proposal(found, candidates.known(found), margins, dict(refusals))
        refusals[broken] += 1
    return NothingLeft(dict(refusals), is_whole_list=False)
