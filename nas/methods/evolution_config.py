"""Settings of an evolution; importing them starts no framework."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from nas.errors import InputError


@dataclass(frozen=True)
class EvolutionConfig:
    """Settings of an evolution.

    Args:
        population: Networks of the first generation and of each later one.
        generations: Generations after the first.
        parents: Best networks so far that have children.
        mutation: Probability of a new gene at each choice of a mutated child.
        images: Held-out images that a network is scored on.
        statistics_images: Images that its normalisations' statistics are made from.
    """

    population: int = 32
    generations: int = 7
    parents: int = 10
    mutation: float = 0.15
    images: int = 1000
    statistics_images: int = 500

    def __post_init__(self) -> None:
        sizes = (self.population, self.parents, self.images, self.statistics_images)
        if min(sizes) < 1 or self.generations < 0 or not 0 < self.mutation <= 1:
            raise InputError(
                "sizes of 1 or more, generations of 0 or more, a mutation from 0 to 1",
                f"{self}",
                "correct the settings of the evolution",
            )

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)
