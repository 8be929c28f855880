"""Every configuration once: a list that is gone through in an order of chance."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from nas.errors import InputError
from nas.ranges import check_count
from nas.tuning.candidates import MOST_DRAWS, Candidates, Listed
from nas.tuning.legs import SearchState
from nas.tuning.parameters import Configuration, Range, key_of


class GridSampler:
    """All configurations, none of them twice.

    The order is that of chance, so that the first ones are like any others: a search of fewer
    trials than there are configurations is one by chance without repetitions.

    Args:
        candidates: What there is; without ranges, and fewer than 10,000 configurations.
        seed: Of the order, 0 or more.

    Raises:
        InputError: There are endlessly many configurations, or too many.
    """

    def __init__(self, candidates: Candidates, seed: int) -> None:
        check_count("seed", seed, least=0)
        self._listed, self._candidates, self._seed = _listed(candidates), candidates, seed

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Numbers of the configurations, of those that mean the same the one that stands for all.

        The order is that of (seed) alone.
        """
        size = self._listed.size or 0
        numbers = np.random.default_rng((self._seed, 24)).permutation(size).tolist()
        return tuple(number for number in numbers if self._stands_for_all(number))

    def propose(self, trial: int, attempt: int, state: SearchState) -> Configuration | None:
        """The configuration behind all that were trained or turned down; None behind the last one.

        Args:
            trial: Number of the new trial.
            attempt: How many proposals for it were turned down.
            state: That tells how many were turned down before.
        """
        place = trial + state.refused + attempt
        return self._listed.point(self.order[place]) if place < len(self.order) else None

    def _stands_for_all(self, number: int) -> bool:
        found = self._listed.point(number)
        return key_of(self._candidates.canonical(found)) == key_of(found)


def _listed(candidates: Candidates) -> Listed:
    """Candidates that can be gone through one by one.

    Raises:
        InputError: They cannot.
    """
    ranges = [p for p in candidates.parameters if isinstance(p, Range)]
    if ranges:
        raise InputError(
            "lists of values for a grid",
            ", ".join(parameter.text for parameter in ranges),
            f"write it as a list by --tune, such as {ranges[0].name}={{a,b}}",
        )
    if not isinstance(candidates, Listed):
        raise InputError(
            "configurations that are a list for a grid", "others", "use another sampler"
        )
    size = candidates.size or 0
    if size >= MOST_DRAWS:
        raise InputError(
            f"fewer than {MOST_DRAWS:,} configurations for a grid, each of which is trained",
            f"{size:,}",
            "draw some of them by --method asha, or by --method random with --max_trials",
        )
    return candidates
