"""A choice between records, and what it decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nas.architecture.spec import Layer
from nas.errors import SpaceError
from nas.search_space.decisions import (
    SKIP,
    SKIP_OPTIONS,
    Decision,
    block_decisions,
    is_skip,
    value_of,
)


@dataclass(frozen=True)
class OneOf:
    """A choice between records.

    Args:
        tag: Name of the place, unique in its space.
        options: Two or more different records; their order is the encoding.

    Raises:
        SpaceError: An option twice, or not all combinations of the attributes that differ.
    """

    tag: str
    options: tuple[Layer, ...]

    def __post_init__(self) -> None:
        if len(set(self.options)) != len(self.options) or not self.options:
            raise SpaceError(
                f"different options at `{self.tag}`", f"{self.options}", "remove the repeats"
            )
        block_decisions(self.tag, self.blocks)

    @property
    def skippable(self) -> bool:
        """Whether the block may be left out."""
        return any(is_skip(option) for option in self.options)

    @property
    def blocks(self) -> tuple[Layer, ...]:
        """The options that compute something."""
        return tuple(option for option in self.options if not is_skip(option))

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """The attributes in which the blocks differ; last, whether there is a block."""
        skip = (Decision(SKIP, SKIP_OPTIONS),) if self.skippable else ()
        return (*block_decisions(self.tag, self.blocks), *skip)

    @property
    def block_decisions(self) -> tuple[Decision, ...]:
        """The decisions between the blocks."""
        return tuple(decision for decision in self.decisions if decision.name != SKIP)

    def values(self, block: Layer) -> dict[str, Any]:
        """What a block has decided: decision -> value.

        Args:
            block: One of `blocks`.
        """
        return {d.name: value_of(block, d.name) for d in self.block_decisions}

    def block(self, values: Mapping[str, Any]) -> Layer:
        """The block of a value for each decision; the inverse of `values`.

        Args:
            values: Decision -> value.

        Raises:
            SpaceError: No option has these values.
        """
        for block in self.blocks:
            if self.values(block) == dict(values):
                return block
        raise SpaceError(f"values of an option of `{self.tag}`", f"{values}", "see its options")

    def extreme(self, largest: bool) -> Layer:
        """The option of the last or the first value of every decision; the least is to skip.

        Args:
            largest: The last values; else the first ones, or skip.
        """
        if not self.blocks or (self.skippable and not largest):
            return next(option for option in self.options if is_skip(option))
        place = -1 if largest else 0
        return self.block({d.name: d.options[place] for d in self.block_decisions})
