"""The methods behind one interface: each proposes networks within a window of milliseconds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from nas.search.evolution import EvolutionConfig, Scored, evolve

Network = tuple[int, ...]
# (score of every option of every choice, least ms, most ms, networks left out) -> the network of
# the highest total score that keeps the window and all other bounds; None if there is none.
Chooser = Callable[[Sequence[np.ndarray], float, float, Sequence[Network]], Network | None]

# Even draws that may miss the window before networks are made to fit it.
DRAWS = 20_000


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
        scores: Of each option of each choice.
        choose: The exact choice.
    """

    def __init__(self, scores: Sequence[np.ndarray], choose: Chooser) -> None:
        self._scores, self._choose = scores, choose

    def propose(
        self, low_ms: float, high_ms: float, forbidden: Sequence[Network] = ()
    ) -> Network | None:
        return self._choose(self._scores, low_ms, high_ms, forbidden)


class RandomMethod:
    """Networks drawn evenly from the space among those that fit.

    Args:
        sizes: Options of each choice.
        fits: Whether a network keeps a window and the bounds: (network, low_ms, high_ms).
        choose: Makes a network fit where even draws hardly ever do.
        seed: Of the draws.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        fits: Callable[[Network, float, float], bool],
        choose: Chooser,
        seed: int,
    ) -> None:
        self._sizes, self._fits, self._choose, self._seed = sizes, fits, choose, seed

    def propose(
        self, low_ms: float, high_ms: float, forbidden: Sequence[Network] = ()
    ) -> Network | None:
        # A function of its arguments: a resumed run must draw the same networks.
        rng = np.random.default_rng((self._seed, 13, len(forbidden)))
        known = set(forbidden)
        for _ in range(DRAWS):
            network = tuple(int(rng.integers(size)) for size in self._sizes)
            if network not in known and self._fits(network, low_ms, high_ms):
                return network
        wanted = [rng.random(size) for size in self._sizes]
        return self._choose(wanted, low_ms, high_ms, forbidden)


class ScoredMethod(ABC):
    """Fills a pool for a window and proposes the best of it.

    Args:
        fits: As for `RandomMethod`.
        score: Of a network; higher is better; called once for each.
    """

    # A pool for one window serves its neighbours, which a corrected prediction asks for.
    MARGIN = 0.02

    def __init__(
        self, fits: Callable[[Network, float, float], bool], score: Callable[[Network], float]
    ) -> None:
        self._fits, self._ask = fits, score
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
            if s.indices not in known and self._fits(s.indices, low_ms, high_ms)
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
    """The best of an evolution that is scored by a trained supernet.

    Args:
        sizes: Options of each choice.
        fits: As for `RandomMethod`.
        choose: Makes children feasible.
        score: Of a network; higher is better; called once for each.
        config: Settings.
        seed: Of all chance.
        on_progress: See `evolve`.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        fits: Callable[[Network, float, float], bool],
        choose: Chooser,
        score: Callable[[Network], float],
        config: EvolutionConfig,
        seed: int,
        on_progress: Callable[[int, int, Scored], None] = lambda done, total, best: None,
    ) -> None:
        super().__init__(fits, score)
        self._sizes, self._choose = sizes, choose
        self._config, self._seed, self._on_progress = config, seed, on_progress

    def _fill(self, low_ms: float, high_ms: float, forbidden: Sequence[Network] = ()) -> None:
        evolve(
            self._sizes,
            lambda wanted: self._choose(wanted, low_ms, high_ms, forbidden),
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
        scores: Of each option of each choice: logarithms of the gates' probabilities.
        fits: As for `RandomMethod`.
        choose: The exact choice.
        score: Of a network by the supernet; higher is better; called once for each.
        count: Networks proposed for a window.
        seed: Of the noise.
        on_progress: Called with (scored, at most, the best so far).
    """

    def __init__(
        self,
        scores: Sequence[np.ndarray],
        fits: Callable[[Network, float, float], bool],
        choose: Chooser,
        score: Callable[[Network], float],
        count: int,
        seed: int,
        on_progress: Callable[[int, int, Scored], None] = lambda done, total, best: None,
    ) -> None:
        super().__init__(fits, score)
        self._gate_scores, self._choose = scores, choose
        self._count, self._seed, self._on_progress = count, seed, on_progress

    def _fill(self, low_ms: float, high_ms: float, forbidden: Sequence[Network] = ()) -> None:
        rng = np.random.default_rng((self._seed, 15))
        for number in range(self._count):
            wanted = [
                row + (rng.gumbel(size=len(row)) if number else 0) for row in self._gate_scores
            ]
            network = self._choose(wanted, low_ms, high_ms, forbidden)
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
