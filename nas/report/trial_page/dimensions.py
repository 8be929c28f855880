"""What trials differ in, as few numbers as a person can look at.

A space has a decision for each of its blocks. Where these are many, those of one name are shown
together: the mean kernel of all blocks, and how many blocks are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from nas.runs.trials_record import TrialsRecord
from nas.search_space.decisions import SKIP
from nas.training.knobs import knobs_of
from nas.training.recipe import Recipe
from nas.tuning.parameters import Configuration, OneOfList, Parameter, Range

# So many decisions have an axis each.
MOST_DECISIONS = 6


@dataclass(frozen=True)
class Dimension:
    """A number or a word of each configuration.

    Args:
        parameter: A knob or a decision itself, or the range of what is told of several.
        members: Decisions that it tells of; empty for one that is itself.
    """

    parameter: Parameter
    members: tuple[OneOfList, ...] = ()

    @property
    def name(self) -> str:
        """For people."""
        return self.parameter.name

    def value(self, configuration: Configuration) -> str | int | float | bool | None:
        """What a configuration has.

        Args:
            configuration: With a value for each parameter.
        """
        if not self.members:
            return configuration[self.parameter.name]
        if all(map(is_yes_or_no, self.members)):
            return float(sum(bool(configuration[member.name]) for member in self.members))
        numbers = [
            float(configuration[member.name])  # type: ignore[arg-type]
            for member in self.members
            if not is_left_out(configuration, member.name)
        ]
        return fmean(numbers) if numbers else None


def is_left_out(configuration: Configuration, name: str) -> bool:
    """Whether the block of a decision is left out, so that it has decided nothing else.

    Args:
        configuration: With a value for each parameter.
        name: Of the decision.
    """
    tag, _, kind = name.rpartition(".")
    return kind != SKIP and bool(configuration.get(f"{tag}.{SKIP}"))


def knobs(record: TrialsRecord) -> list[Parameter]:
    """Parameters without a place: of the recipe, and those that hold for a whole network.

    Args:
        record: Of the search.
    """
    return [parameter for parameter in record.parameters if "." not in parameter.name]


def is_of_recipe(name: str) -> bool:
    """Whether a parameter is a knob of the recipe, and not of the network.

    Args:
        name: Of the parameter.
    """
    return name in knobs_of(Recipe)


def decisions(record: TrialsRecord) -> dict[str, list[OneOfList]]:
    """Name of an attribute of blocks -> the decisions on it, in the order of the blocks.

    Args:
        record: Of the search.
    """
    found: dict[str, list[OneOfList]] = {}
    for parameter in record.parameters:
        if "." in parameter.name and isinstance(parameter, OneOfList):
            found.setdefault(_kind(parameter.name), []).append(parameter)
    return found


def dimensions(record: TrialsRecord) -> list[Dimension]:
    """What to show of each configuration.

    Args:
        record: Of the search.
    """
    grouped = decisions(record)
    if sum(map(len, grouped.values())) <= MOST_DECISIONS:
        return [Dimension(parameter) for parameter in record.parameters]
    # Of knobs that hold for whole networks, places are layers and not blocks.
    places = "layers" if record.original.name else "blocks"
    together = [_together(kind, members, places) for kind, members in grouped.items()]
    return [*(one for one in together if one), *map(Dimension, knobs(record))]


def is_yes_or_no(member: OneOfList) -> bool:
    """Whether a decision is whether something is there.

    Args:
        member: The decision.
    """
    return all(isinstance(option, bool) for option in member.options)


def _together(kind: str, members: Sequence[OneOfList], places: str) -> Dimension | None:
    """Decisions of one name as one number; None where their values are no numbers."""
    if all(map(is_yes_or_no, members)):
        name = f"{places} left out" if kind == SKIP else f"{places} with {kind}"
        return Dimension(Range(name, 0.0, float(len(members))), tuple(members))
    numbers = [
        float(option)
        for member in members
        for option in member.options
        if isinstance(option, int | float) and not isinstance(option, bool)
    ]
    if len(numbers) < sum(len(member.options) for member in members):
        return None
    name = f"{kind}, mean of {places}".replace("_", " ")
    return Dimension(Range(name, min(numbers), max(numbers)), tuple(members))


def _kind(name: str) -> str:
    return name.rpartition(".")[2]
