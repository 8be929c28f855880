"""The methods behind one interface: each proposes networks within a window of their cost.

The cost is what the goal is asked in: milliseconds by the table, or a count such as bit operations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from nas.methods.evolution_config import EvolutionConfig

Network = tuple[int, ...]


@dataclass(frozen=True)
class Scored:
    """A network with its score; higher is better."""

    indices: tuple[int, ...]
    score: float


Progress = Callable[[int, int, Scored], None]


def say_nothing(done: int, total: int, best: Scored) -> None:
    """Takes the progress of a method that nobody watches."""


class Feasible(Protocol):
    """The networks that keep a window of their cost and all other bounds."""

    @property
    def sizes(self) -> Sequence[int]:
        """Options of each choice."""
        ...

    def fits(self, network: Network, low: float, high: float) -> bool:
        """Whether a network is one of them."""
        ...

    def choose(
        self,
        scores: Sequence[np.ndarray],
        low: float,
        high: float,
        forbidden: Sequence[Network] = (),
    ) -> Network | None:
        """The one of the highest total score; None if there is none.

        Args:
            scores: Of every option of every choice.
            low: Least cost.
            high: Most.
            forbidden: Networks that must not come out.
        """
        ...


class Method(Protocol):
    """What proposes networks."""

    def propose(self, low: float, high: float, forbidden: Sequence[Network] = ()) -> Network | None:
        """The best network that the method knows within a window.

        Args:
            low: Least cost.
            high: Most.
            forbidden: Networks that must not come out (again).

        Returns:
            One option a choice; None if no network keeps the window and the bounds.
        """
        ...


@dataclass(frozen=True)
class MethodInputs:
    """What a run has for its method; what needs a trained supernet is a function.

    Args:
        networks: Those to propose.
        seed: Of all chance, 0 or more.
        score: Of a network by the trained supernet; higher is better.
        gate_scores: Scores of every option of every choice by the gates that learned.
        proposals: Networks that the supernet scores for a window, 0 to trust the gates alone.
        evolution: Settings of an evolution.
        progress: What a method calls its search -> what it tells its progress.
    """

    networks: Feasible
    seed: int
    score: Callable[[Network], float]
    gate_scores: Callable[[], Sequence[np.ndarray]]
    proposals: int
    evolution: EvolutionConfig
    progress: Callable[[str], Progress]


class MethodType(Protocol):
    """A class of methods, as `nas.methods.registry` lists it."""

    trains_supernet: ClassVar[bool]
    learns_gates: ClassVar[bool]

    @classmethod
    def of(cls, inputs: MethodInputs) -> Method:
        """The method of a run."""
        ...


class ScoredMethod(ABC):
    """Fills a pool for a window and proposes the best of it.

    Args:
        networks: Those to propose.
        score: Of a network by a trained supernet; higher is better; called once for each.
        seed: Of all chance.
        on_progress: Called with (scored, at most, the best so far).
    """

    # A pool for one window serves its neighbours, which a corrected prediction asks for.
    MARGIN = 0.02

    def __init__(
        self,
        networks: Feasible,
        score: Callable[[Network], float],
        seed: int,
        on_progress: Progress,
    ) -> None:
        self._networks, self._ask = networks, score
        self._seed, self._on_progress = seed, on_progress
        self._scores: dict[Network, float] = {}

    @property
    def scored(self) -> list[Scored]:
        """Everything scored so far, best first."""
        found = [Scored(network, score) for network, score in self._scores.items()]
        return sorted(found, key=lambda s: (-s.score, s.indices))

    def propose(self, low: float, high: float, forbidden: Sequence[Network] = ()) -> Network | None:
        """The best of the pool, which is filled where it has none; see `Method`."""
        known = set(forbidden)
        found = self._best(low, high, known)
        if found is None:
            self._fill(low * (1 - self.MARGIN), high * (1 + self.MARGIN))
            found = self._best(low, high, known)
        if found is None:
            self._fill(low, high, forbidden)
            found = self._best(low, high, known)
        return found

    def _best(self, low: float, high: float, known: set[Network]) -> Network | None:
        inside = (
            s.indices
            for s in self.scored
            if s.indices not in known and self._networks.fits(s.indices, low, high)
        )
        return next(inside, None)

    def _score(self, network: Network) -> float:
        if network not in self._scores:
            self._scores[network] = self._ask(network)
        return self._scores[network]

    @abstractmethod
    def _fill(self, low: float, high: float, forbidden: Sequence[Network] = ()) -> None:
        """Scores networks within a window."""


def several(
    method: Method, low: float, high: float, count: int, forbidden: Sequence[Network] = ()
) -> list[Network]:
    """Up to `count` different networks of a method, best first.

    Args:
        method: What proposes.
        low: Least cost.
        high: Most.
        count: How many are wanted.
        forbidden: Networks that must not come out.
    """
    found: list[Network] = []
    while len(found) < count:
        network = method.propose(low, high, [*forbidden, *found])
        if network is None:
            break
        found.append(network)
    return found
