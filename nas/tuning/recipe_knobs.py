"""Knobs of the recipe that the configurations of a search differ in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nas.errors import InputError
from nas.training.knobs import knobs_of
from nas.training.recipe import Recipe
from nas.tuning.parameters import Configuration, Parameter, Value

# What stands beside budgets: an optimizer without a momentum, for example, takes none.
KNOBS_FIT = "knobs"


@dataclass(frozen=True)
class RecipeKnobs:
    """The part of a configuration that changes the recipe.

    Args:
        parameters: Named as the knobs of a recipe are.
        recipe: That the knobs are of, which have to go together in it; None where nobody asks.
    """

    parameters: Sequence[Parameter] = ()
    recipe: Recipe | None = None

    def of(self, configuration: Configuration) -> dict[str, Value]:
        """Knob -> its value in a configuration.

        Args:
            configuration: A value for each parameter.
        """
        return {knob.name: configuration[knob.name] for knob in self.parameters}

    def draw(self, rng: np.random.Generator) -> dict[str, Value]:
        """A value for each knob by chance.

        Args:
            rng: Generator of this draw.
        """
        return {knob.name: knob.draw(rng) for knob in self.parameters}

    def original(self, recipe: Recipe) -> dict[str, Value]:
        """The recipe's own values, as JSON has them; these need not be among those of trials.

        Args:
            recipe: Of the trials.
        """
        named = knobs_of(Recipe)
        return {knob.name: as_json(named[knob.name].of(recipe)) for knob in self.parameters}

    def margins(self, configuration: Configuration) -> Mapping[str, float]:
        """0 where the knobs go together and 1 where they do not, by the name of this condition.

        Args:
            configuration: A value for each parameter.
        """
        if not self.parameters or self.recipe is None:
            return {}
        try:
            self.recipe.changed(**self.of(configuration))
        except InputError:
            return {KNOBS_FIT: 1.0}
        return {KNOBS_FIT: 0.0}


def as_json(value: object) -> Value:
    """A value as JSON has it; what is no number, text or truth value becomes its text.

    Args:
        value: Any.
    """
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
