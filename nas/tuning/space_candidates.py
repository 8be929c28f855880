"""Configurations that are networks of a space, recipes for them, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from nas.architecture.spec import Architecture, Layer
from nas.architecture.text import layer_to_text
from nas.cost.constraints import Bounds, quantities
from nas.hardware.predictor import SpaceLatency
from nas.search_space.choice import OneOf
from nas.search_space.decisions import SKIP, Decision, is_formats, is_skip, option_texts
from nas.search_space.space import Space
from nas.training.recipe import Recipe
from nas.tuning.budgets import Budget, known_before_training
from nas.tuning.candidates import check_budgets, check_something, margin
from nas.tuning.counted_networks import COUNTS, CountedNetworks
from nas.tuning.parameters import Configuration, OneOfList, Parameter, Value, check_names
from nas.tuning.points import place_of, points_of
from nas.tuning.recipe_knobs import RecipeKnobs, as_json


def _values(decision: Decision) -> dict[Any, Value]:
    """Value of a decision -> as JSON has it; records, formats and the like as their text."""
    if is_formats(decision.options):
        return dict(zip(decision.options, option_texts(decision), strict=True))
    return {
        value: layer_to_text(value) if isinstance(value, Layer) else as_json(value)
        for value in decision.options
    }


class _Choice:
    """One choice of a space as parameters: a decision each."""

    def __init__(self, choice: OneOf) -> None:
        first = choice.blocks[0] if choice.blocks else None
        usual = {} if first is None else choice.values(first)
        plain = {decision.name: _values(decision) for decision in choice.decisions}
        # A block that is left out has decided nothing else: it stands with the first values.
        self.options: list[dict[str, Value]] = []
        for option in choice.options:
            values: Mapping[str, Any] = usual if is_skip(option) else choice.values(option)
            named = {**values, SKIP: is_skip(option)} if choice.skippable else values
            self.options.append({f"{choice.tag}.{k}": plain[k][v] for k, v in named.items()})
        self._skip = f"{choice.tag}.{SKIP}"
        self.parameters = [
            OneOfList(f"{choice.tag}.{d.name}", tuple(plain[d.name].values()))
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


class SpaceCandidates(CountedNetworks):
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
        further = () if latency is None else ("ms",)
        super().__init__(space.size, RecipeKnobs(tuple(knobs), recipe), further)
        self._space, self._latency = space, latency
        self._choices = [_Choice(choice) for choice in space.choices]
        self._counts = quantities(space, Bounds())
        self._budgets = known_before_training(budgets)
        check_names(self.parameters)
        check_something(self.parameters)
        check_budgets(self._budgets, self.known_names)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Of every configuration: the decisions of all choices, then the knobs."""
        decisions = [parameter for choice in self._choices for parameter in choice.parameters]
        return (*decisions, *self._knobs.parameters)

    def original(self, recipe: Recipe) -> Configuration:
        """The largest network of the space with the recipe's own values of the knobs.

        Args:
            recipe: Of the trials; its values need not be among those that trials have.
        """
        found = self._of(self._space.encode(self._space.largest())) if self._choices else {}
        return {**found, **self._knobs.original(recipe)}

    def draw(self, rng: np.random.Generator) -> Configuration:
        """A configuration whose network is drawn evenly over the options of each block.

        Args:
            rng: Generator of this draw.
        """
        indices = self._space.even_indices(rng)
        return {**self._of(indices), **self._knobs.draw(rng)}

    def point(self, number: int) -> Configuration:
        """One of all configurations; each has a number.

        Args:
            number: From 0 to below `size`.
        """
        number, knobs = points_of(self._knobs.parameters, number)
        sizes = [len(choice.options) for choice in self._choices]
        return {**self._of(place_of(sizes, number)), **knobs}

    def canonical(self, configuration: Configuration) -> Configuration:
        """The same network and recipe, with the first values where a block is left out.

        Args:
            configuration: A value for each parameter.
        """
        return {**self._of(self.indices(configuration)), **self._knobs.of(configuration)}

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
        return {**found, **self._knobs.margins(configuration)}

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
        return self._knobs.of(configuration)

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
