"""Configurations of a space whose knobs hold for the whole network, with recipes for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache

import numpy as np

from nas.architecture.spec import Architecture
from nas.cost.counts import architecture_cost
from nas.errors import InputError
from nas.search_space.knob_space import KnobSpace, ShapeError
from nas.training.knobs import knobs_of
from nas.training.recipe import Recipe
from nas.tuning.budgets import Budget, known_before_training
from nas.tuning.candidates import check_budgets, check_something, margin
from nas.tuning.counted_networks import COUNTS, CountedNetworks
from nas.tuning.objectives import QUANTITIES
from nas.tuning.parameters import Configuration, OneOfList, Parameter, Value, check_names
from nas.tuning.points import points_of
from nas.tuning.recipe_knobs import RecipeKnobs


class KnobCandidates(CountedNetworks):
    """Networks of a knob space with recipes that differ in some knobs.

    Args:
        space: Of the networks.
        knobs: Of the recipe, named as there.
        budgets: Those of quantities that are known without training are kept.
        recipe: That the knobs are of, which have to go together in it; None for no knobs.

    Raises:
        InputError: A name stands twice or means something else, nothing is left to choose, or a
            budget is of something that is not known before training.
    """

    def __init__(
        self,
        space: KnobSpace,
        knobs: Sequence[Parameter] = (),
        budgets: Sequence[Budget] = (),
        recipe: Recipe | None = None,
    ) -> None:
        super().__init__(space.size, RecipeKnobs(tuple(knobs), recipe))
        self._space = space
        self._budgets = known_before_training(budgets)
        # A knob of one value is none that trials differ in.
        self._fixed = {name: v[0] for name, v in space.knobs.items() if len(v) == 1}
        _check_own_names(space)
        check_names(self.parameters)
        check_something(self.parameters)
        check_budgets(self._budgets, self.known_names)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Of every configuration: the knobs of the network, then those of the recipe."""
        several = {n: v for n, v in self._space.knobs.items() if n not in self._fixed}
        return (*(OneOfList(n, v) for n, v in several.items()), *self._knobs.parameters)

    def point(self, number: int) -> Configuration:
        """One of all configurations; each has a number.

        Args:
            number: From 0 to below `size`.
        """
        number, knobs = points_of(self._knobs.parameters, number)
        return {**self._several(self._space.point(number)), **knobs}

    def original(self, recipe: Recipe) -> Configuration:
        """The original of the space, with the recipe's own values where it names none.

        Args:
            recipe: Of the trials; its values need not be among those that trials have.
        """
        named = self._space.original
        knobs = {n: named.get(n, value) for n, value in self._knobs.original(recipe).items()}
        return {**{name: named[name] for name in self._space.knobs}, **knobs}

    def draw(self, rng: np.random.Generator) -> Configuration:
        """A configuration; each combination of the network's knobs is equally likely.

        Args:
            rng: Generator of this draw.
        """
        return {**self._several(self._space.draw(rng)), **self._knobs.draw(rng)}

    def canonical(self, configuration: Configuration) -> Configuration:
        """The same network and recipe, with the values that stand for all of their equals.

        Args:
            configuration: A value for each parameter.
        """
        values = self._space.canonical(self._values(configuration))
        return {**self._several(values), **self._knobs.of(configuration)}

    def known(self, configuration: Configuration) -> Mapping[str, float]:
        """Counts of the network, by the names of objectives.

        Args:
            configuration: A value for each parameter.

        Raises:
            ShapeError: There is no such network.
        """
        return _counts(self.network(configuration))

    def margins(self, configuration: Configuration) -> Mapping[str, float]:
        """Budget -> how far the configuration is above it; 0 or less where it is kept.

        Of one without a network it is the condition that keeps it from having one.

        Args:
            configuration: A value for each parameter.
        """
        try:
            known = self.known(configuration)
        except ShapeError as error:
            return {error.condition: 1.0}
        found = {budget.text: margin(budget, known) for budget in self._budgets}
        return {**found, **self._knobs.margins(configuration)}

    def network(self, configuration: Configuration) -> Architecture:
        """The network of a configuration.

        Args:
            configuration: A value for each parameter.

        Raises:
            ShapeError: There is none.
        """
        return self._space.network(self._values(configuration))

    def changes(self, configuration: Configuration) -> dict[str, Value]:
        """Knob of the recipe -> its value in a configuration.

        Args:
            configuration: A value for each parameter.
        """
        return self._knobs.of(configuration)

    def _values(self, configuration: Configuration) -> dict[str, Value]:
        """Of every knob of the network."""
        given = {**self._fixed, **configuration}
        return {name: given[name] for name in self._space.knobs}

    def _several(self, values: Configuration) -> dict[str, Value]:
        """Without knobs that have one value."""
        return {name: value for name, value in values.items() if name not in self._fixed}


def _check_own_names(space: KnobSpace) -> None:
    """Refuses knobs of networks that tables and commands would take for something else."""
    taken = [name for name in space.knobs if name in QUANTITIES or name in knobs_of(Recipe)]
    if taken:
        raise InputError(
            "knobs of networks with names that no quantity and no knob of a recipe has",
            f"{', '.join(taken)} in space {space.name}",
            f"rename it, as to network.{taken[0]}",
        )


@lru_cache(maxsize=1024)
def _counts(network: Architecture) -> Mapping[str, float]:
    """Counts by the names of objectives; asked for with budgets, and again by what is kept."""
    cost = architecture_cost(network)
    return {objective: float(getattr(cost, count)) for count, objective in COUNTS.items()}
