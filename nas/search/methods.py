"""The methods behind one interface: each proposes networks within a window of milliseconds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from nas.search.evolution import EvolutionConfig, Scored, evolve

Network = tuple[int, ...]
Progress = Callable[[int, int, Scored], None]

# Even draws that may miss the window before networks are made to fit it.
DRAWS = 20_000


class Feasible(Protocol):
    """The networks that keep a window of milliseconds and all other bounds."""

    @property
    def sizes(self) -> Sequence[int]:
        """Options of each choice."""
        ...

    def fits(self, network: Network, low_ms: float, high_ms: float) -> bool:
        """Whether a network is one of them."""
        ...

    def choose(
        self,
        scores: Sequence[np.ndarray],
        low_ms: float,
        high_ms: float,
        forbidden: Sequence[Network] = (),
    ) -> Network | None:
        """The one of the highest total score; None if there is none.

        Args:
            scores: Of every option of every choice.
            low_ms: Least predicted milliseconds.
            high_ms: Most.
            forbidden: Networks that must not come out.
        """
        ...


class Method(Protocol):
    """What proposes networks."""

    def propose(
        self, low_ms: float, high_ms: float, forbidden: Sequence[Network] = ()
    ) -> Network | None:
        """The best network that the method knows within a window.

        Args:
            low_ms: Least predicted milliseconds.
            high_ms: Most.
            forbidden: Networks that must not come out (again).

        Returns:
            One option a choice; None if no network keeps the window and the bounds.
        """
        ...


class ScoreMethod:
    """Additive scores, as gates give them: the exact choice.

    Args:
        networks: Those to choose from.
        scores: Of each option of each choice.
    """

    def __init__(self, networks: Feasible, scores: Sequence[np.ndarray]) -> None:
        self._networks, self._scores = networks, scores

    def propose(
        self, low_ms: float, high_ms: float, forbidden: Sequence[Network] = ()
    ) -> Network | None:
        return self._networks.choose(self._scores, low_ms, high_ms, forbidden)


class RandomMethod:
    """Networks drawn evenly from the space among those that fit.

    Args:
        networks: Those to draw from; made to fit where even draws hardly ever do.
        seed: Of the draws.
    """

    def __init__(self, networks: Feasible, seed: int) -> None:
        self._networks, self._seed = networks, seed

    def propose(
        self, low_ms: float, high_ms: float, forbidden: Sequence[Network] = ()
    ) -> Network | None:
        # A function of its arguments: a resumed run must draw the same networks.
        rng = np.random.default_rng((self._seed, 13, len(forbidden)))
        known = set(forbidden)
        for _ in range(DRAWS):
            network = tuple(int(rng.integers(size)) for size in self._networks.sizes)
            if network not in known and self._networks.fits(network, low_ms, high_ms):
                return network
        wanted = [rng.random(size) for size in self._networks.sizes]
        return self._networks.choose(wanted, low_ms, high_ms, forbidden)


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

    def propose(
        self, low_ms: float, high_ms: float, forbidden: Sequence[Network] = ()
    ) -> Network | None:
        known = set(forbidden)
        found = self._best(low_ms, high_ms, known)
        if found is None:
            self._fill(low_ms * (1 - self.MARGIN), high_ms * (1 + self.MARGIN))
            found = self._best(low_ms, high_ms, known)
        if found is None:
            self._fill(low_ms, high_ms, forbidden)
            found = self._best(low_ms, high_ms, known)
        return found

    def _best(self, low_ms: float, high_ms: float, known: set[Network]) -> Network | None:
        inside = (
            s.indices
            for s in self.scored
            if s.indices not in known and self._networks.fits(s.indices, low_ms, high_ms)
        )
        return next(inside, None)

    def _score(self, network: Network) -> float:
        if network not in self._scores:
            self._scores[network] = self._ask(network)
        return self._scores[network]

    @abstractmethod
    def _fill(self, low_ms: float, high_ms: float, forbidden: Sequence[Network] = ()) -> None:
        """Scores networks within a window."""


class EvolutionMethod(ScoredMethod):
    """The best of an evolution.

    Args:
        networks, score, seed, on_progress: See `ScoredMethod`.
        config: Settings.
    """

    def __init__(
        self,
        networks: Feasible,
        score: Callable[[Network], float],
        seed: int,
        config: EvolutionConfig,
        on_progress: Progress = lambda done, total, best: None,
    ) -> None:
        super().__init__(networks, score, seed, on_progress)
        self._config = config

    def _fill(self, low_ms: float, high_ms: float, forbidden: Sequence[Network] = ()) -> None:
        evolve(
            self._networks.sizes,
            lambda wanted: self._networks.choose(wanted, low_ms, high_ms, forbidden),
            self._score,
            self._config,
            self._seed,
            self._on_progress,
        )


class ProposalMethod(ScoredMethod):
    """The gates propose, the trained supernet judges the networks whole.

    Gates score every option by itself; whether options go together only a whole network tells.
    The first proposal is the gates' exact choice; the others are exact choices with Gumbel noise
    on the scores, which without a window would be samples of the gates' distribution.

    Source: Papandreou and Yuille 2011, ICCV, "Perturb-and-MAP random fields".

    Args:
        networks, score, seed, on_progress: See `ScoredMethod`.
        gate_scores: Of each option of each choice: logarithms of the gates' probabilities.
        count: Networks proposed for a window.
    """

    def __init__(
        self,
        networks: Feasible,
        score: Callable[[Network], float],
        seed: int,
        gate_scores: Sequence[np.ndarray],
        count: int,
        on_progress: Progress = lambda done, total, best: None,
    ) -> None:
        super().__init__(networks, score, seed, on_progress)
        self._gate_scores, self._count = gate_scores, count

    def _fill(self, low_ms: float, high_ms: float, forbidden: Sequence[Network] = ()) -> None:
        rng = np.random.default_rng((self._seed, 15))
        for number in range(self._count):
            wanted = [
                row + (rng.gumbel(size=len(row)) if number else 0) for row in self._gate_scores
            ]
            network = self._networks.choose(wanted, low_ms, high_ms, forbidden)
            if network is None:
                return
            self._score(network)
            self._on_progress(number + 1, self._count, self.scored[0])


def several(
    method: Method, low_ms: float, high_ms: float, count: int, forbidden: Sequence[Network] = ()
) -> list[Network]:
    """Up to `count` different networks of a method, best first.

    Args:
        method: What proposes.
        low_ms: Least predicted milliseconds.
        high_ms: Most.
        count: How many are wanted.
        forbidden: Networks that must not come out.
    """
    found: list[Network] = []
    while len(found) < count:
        network = method.propose(low_ms, high_ms, [*forbidden, *found])
        if network is None:
            break
        found.append(network)
    return found
