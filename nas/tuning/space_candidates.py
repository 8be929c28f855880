"""Configurations that are networks of a space, recipes for them, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from nas.architecture.spec import Architecture, Layer
from nas.architecture.text import layer_to_text
from nas.cost.constraints import Bounds, quantities
from nas.errors import InputError
from nas.hardware.predictor import SpaceLatency
from nas.search_space.choice import OneOf
from nas.search_space.decisions import SKIP, is_skip
from nas.search_space.space import Space
from nas.training.knobs import knobs_of
from nas.training.recipe import Recipe
from nas.tuning.budgets import Budget, known_before_training
from nas.tuning.candidates import margin
from nas.tuning.objectives import QUANTITIES
from nas.tuning.parameters import Configuration, OneOfList, Parameter, Value, check_names

# Names of counts -> those of objectives.
COUNTS = {
    "params": "params",
    "macs": "macs",
    "size_bytes": "bytes",
    "memory_bytes": "memory_bytes",
}


# What stands beside budgets: an optimizer without a momentum, for example, takes none.
KNOBS_FIT = "knobs"


def _value(value: Any) -> Value:
    """A value of a decision as JSON has it; records and the like as their text."""
    if isinstance(value, Layer):
        return layer_to_text(value)
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


class _Choice:
    """One choice of a space as parameters: a decision each."""

    def __init__(self, choice: OneOf) -> None:
        first = choice.blocks[0] if choice.blocks else None
        usual = {} if first is None else choice.values(first)
        # A block that is left out has decided nothing else: it stands with the first values.
        self.options: list[dict[str, Value]] = []
        for option in choice.options:
            values: Mapping[str, Any] = usual if is_skip(option) else choice.values(option)
            named = {**values, SKIP: is_skip(option)} if choice.skippable else values
            self.options.append({f"{choice.tag}.{k}": _value(v) for k, v in named.items()})
        self._skip = f"{choice.tag}.{SKIP}"
        self.parameters = [
            OneOfList(f"{choice.tag}.{d.name}", tuple(_value(v) for v in d.options))
            for d in choice.decisions
        ]

    def index(self, configuration: Configuration) -> int:
        """The option that a configuration means.

        Args:
            configuration: With values of all parameters.
        """
        wanted = {parameter.name: configuration[parameter.name] for parameter in self.parameters}
        if wanted.get(self._skip):
            wanted = next(option for option in self.options if option[self._skip])
        return self.options.index(wanted)


class SpaceCandidates:
    """Networks of a space with recipes that differ in some knobs.

    Args:
        space: Without a choice where all have one network.
        knobs: Of the recipe, named as there.
        latency: Of the space; None where no milliseconds are asked for.
        budgets: Those of quantities that are known without training are kept.
        recipe: That the knobs are of, which have to go together in it; None for no knobs.

    Raises:
        InputError: A name stands twice, nothing is left to choose, or milliseconds are asked for
            and not known.
    """

    def __init__(
        self,
        space: Space,
        knobs: Sequence[Parameter] = (),
        latency: SpaceLatency | None = None,
        budgets: Sequence[Budget] = (),
        recipe: Recipe | None = None,
    ) -> None:
        self._recipe = recipe
        self._space, self._knobs, self._latency = space, tuple(knobs), latency
        self._choices = [_Choice(choice) for choice in space.choices]
        self._counts = quantities(space, Bounds())
        self._budgets = known_before_training(budgets)
        check_names(self.parameters)
        if not self.parameters:
            raise InputError(
                "something that trials differ in", "one network and one recipe", "add --tune"
            )
        for budget in self._budgets:
            if budget.objective.text not in self.known_names:
                raise InputError(
                    f"a budget of {', '.join(self.known_names)}",
                    budget.text,
                    "leave this budget out",
                )

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Of every configuration: the decisions of all choices, then the knobs."""
        decisions = [parameter for choice in self._choices for parameter in choice.parameters]
        return (*decisions, *self._knobs)

    @property
    def known_names(self) -> tuple[str, ...]:
        """Quantities that are known without training."""
        found = (*COUNTS.values(), *(() if self._latency is None else ("ms",)))
        return tuple(name for name in QUANTITIES if name in found)

    def original(self, recipe: Recipe) -> Configuration:
        """The largest network of the space with the recipe's own values of the knobs.

        Args:
            recipe: Of the trials; its values need not be among those that trials have.
        """
        found = self._of(self._space.encode(self._space.largest())) if self._choices else {}
        named = knobs_of(Recipe)
        return {**found, **{k.name: _value(named[k.name].of(recipe)) for k in self._knobs}}

    def draw(self, rng: np.random.Generator) -> Configuration:
        """A configuration whose network is drawn evenly over the options of each block.

        Args:
            rng: Generator of this draw.
        """
        indices = self._space.even_indices(rng)
        found = self._of(indices)
        return {**found, **{knob.name: knob.draw(rng) for knob in self._knobs}}

    def canonical(self, configuration: Configuration) -> Configuration:
        """The same network and recipe, with the first values where a block is left out.

        Args:
            configuration: A value for each parameter.
        """
        knobs = {knob.name: configuration[knob.name] for knob in self._knobs}
        return {**self._of(self.indices(configuration)), **knobs}

    def known(self, configuration: Configuration) -> Mapping[str, float]:
        """Counts and predicted milliseconds of the network, by the names of objectives.

        Args:
            configuration: A value for each parameter.
        """
        indices = self.indices(configuration)
        found = {COUNTS[q.name]: float(q.of(indices)) for q in self._counts}
        if self._latency is not None:
            found["ms"] = self._latency.predict_ms(indices)
        return found

    def margins(self, configuration: Configuration) -> Mapping[str, float]:
        """Budget -> how far the configuration is above it; 0 or less where it is kept.

        Args:
            configuration: A value for each parameter.
        """
        known = self.known(configuration)
        found = {budget.text: margin(budget, known) for budget in self._budgets}
        if self._knobs and self._recipe is not None:
            found[KNOBS_FIT] = 0.0 if self._goes_together(self._recipe, configuration) else 1.0
        return found

    def _goes_together(self, recipe: Recipe, configuration: Configuration) -> bool:
        try:
            recipe.changed(**self.changes(configuration))
        except InputError:
            return False
        return True

    def network(self, configuration: Configuration) -> Architecture:
        """The network of a configuration.

        Args:
            configuration: A value for each parameter.
        """
        return self._space.decode(self.indices(configuration))

    def changes(self, configuration: Configuration) -> dict[str, Value]:
        """Knob of the recipe -> its value in a configuration.

        Args:
            configuration: A value for each parameter.
        """
        return {knob.name: configuration[knob.name] for knob in self._knobs}

    def indices(self, configuration: Configuration) -> tuple[int, ...]:
        """One option of each choice.

        Args:
            configuration: A value for each parameter.
        """
        return tuple(choice.index(configuration) for choice in self._choices)

    def _of(self, indices: Sequence[int]) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for choice, index in zip(self._choices, indices, strict=True):
            found |= choice.options[index]
        return found
