"""Trials from the best to the last: budgets, then fronts, then crowding, then their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from nas.errors import InputError
from nas.tuning.objectives import Objective
from nas.tuning.ranks import Numbers, Points, add_point, crowding, differs_from_last, fronts
from nas.tuning.scores import RungValue

# From here on a whole new sort is as fast as adding points one by one.
MANY_NEW = 64


class Order:
    """Trials that are compared with each other, in a complete order that is made when asked for.

    The keys are, one after the other:

    1. Values that are all finite, before others.
    2. The violation of budgets, the smaller first; 0 for those that keep them.
    3. The front among trials of equal violation.
    4. The crowding distance on this front, the greater first.
    5. The number of the trial.

    The first three are the constrained domination of Deb et al. 2002, section VI. The order follows
    from the values alone: neither their order of arrival nor how often it was asked for matters.
    What is kept beside the values are their fronts, so that one more of n trials takes O(m n) and
    what moves, and `first` O(n) and the sorting of one front.

    Args:
        objectives: In the order of the values.
    """

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self._signs = np.array([objective.cost(1.0) for objective in objectives])
        self._rows: dict[int, int] = {}
        self._ranked = 0
        self._room = 8
        self._all_trials = np.zeros(self._room, np.int64)
        self._all_costs = np.zeros((self._room, len(objectives)))
        # Violations of trials without finite values are infinite.
        self._all_violations = np.zeros(self._room)
        self._all_ranks = np.zeros(self._room, np.int64)
        self._best_first: tuple[int, ...] | None = None
        self._standings: tuple[Numbers, Points] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, value: RungValue) -> None:
        """One more trial.

        Args:
            value: Of a trial that is not there yet.

        Raises:
            InputError: It has another number of values than there are objectives.
        """
        if len(value.values) != len(self._signs):
            raise InputError(
                f"{len(self._signs)} values of a trial, one for each objective",
                f"{len(value.values)} of trial {value.trial}",
                "store every objective's value, in the order of the objectives",
            )
        row = len(self)
        if row == self._room:
            self._grow()
        self._all_trials[row] = value.trial
        self._all_costs[row] = self._signs * np.array(value.values, np.float64)
        self._all_violations[row] = value.violation if value.is_finite else np.inf
        self._rows[value.trial] = row
        self._best_first = self._standings = None

    def best_first(self) -> tuple[int, ...]:
        """Numbers of all trials."""
        if self._best_first is None:
            self._rank()
            rows = np.flatnonzero(self._is_finite)
            rest = np.sort(self._trials[~self._is_finite])
            self._best_first = (*self._sorted(rows), *rest.tolist())
        return self._best_first

    def first(self, excluded: Iterable[int] = ()) -> int | None:
        """The first of `best_first` that has finite values and is not excluded; None for none.

        Args:
            excluded: Numbers of trials; those that are not here do not matter.
        """
        self._rank()
        is_left = self._is_finite.copy()
        is_left[[self._rows[trial] for trial in excluded if trial in self._rows]] = False
        rows = np.flatnonzero(is_left)
        if not len(rows):
            return None
        for keys in (self._violations, self._ranks):
            rows = rows[keys[rows] == keys[rows].min()]
        front = self._sorted(self._front_of(rows[0]))
        return next(trial for trial in front if is_left[self._rows[trial]])

    @property
    def finite(self) -> int:
        """How many trials have finite values; they are the first of `best_first`."""
        return int(np.count_nonzero(self._is_finite))

    def finite_trials(self) -> Numbers:
        """Numbers of trials with finite values, in no order."""
        return self._trials[self._is_finite]

    def standings(self) -> tuple[Numbers, Points]:
        """Trials by their numbers, and one figure for each that tells how well it stands.

        Less is better. With one objective it is the value, with the sign that makes less better,
        and infinity where a budget is missed or a value is not finite. With several objectives it
        is the share of all trials that are on fronts before its own.
        """
        if self._standings is None:
            self._standings = self._stand()
        return self._standings

    def _stand(self) -> tuple[Numbers, Points]:
        by_number = np.argsort(self._trials)
        if self._costs.shape[1] == 1:
            found = np.where(self._violations == 0, self._costs[:, 0], np.inf)
        else:
            self._rank()
            order = np.lexsort((self._ranks, self._violations))
            keys = np.column_stack((self._violations, self._ranks))[order]
            starts = np.flatnonzero(differs_from_last(keys))
            found = np.empty(len(self))
            found[order] = np.repeat(starts, np.diff([*starts, len(self)])) / max(1, len(self))
        return self._trials[by_number], found[by_number]

    def front(self) -> tuple[int, ...]:
        """Trials that keep all budgets and that no such trial dominates, in the same order."""
        self._rank()
        return tuple(self._sorted(np.flatnonzero((self._violations == 0) & (self._ranks == 0))))

    def ranks(self) -> dict[int, tuple[float, int]]:
        """Trial with finite values -> its violation, and its front among those of equal one."""
        self._rank()
        rows = np.flatnonzero(self._is_finite)
        keys = zip(self._violations[rows].tolist(), self._ranks[rows].tolist(), strict=True)
        return dict(zip(self._trials[rows].tolist(), keys, strict=True))

    @property
    def _trials(self) -> Numbers:
        return self._all_trials[: len(self)]

    @property
    def _costs(self) -> Points:
        return self._all_costs[: len(self)]

    @property
    def _violations(self) -> Points:
        return self._all_violations[: len(self)]

    @property
    def _ranks(self) -> Numbers:
        return self._all_ranks[: len(self)]

    @property
    def _is_finite(self) -> NDArray[np.bool_]:
        return np.isfinite(self._violations)

    def _front_of(self, row: int) -> Numbers:
        same = self._violations == self._violations[row]
        return np.flatnonzero(same & (self._ranks == self._ranks[row]))

    def _grow(self) -> None:
        for name in ("_all_trials", "_all_costs", "_all_violations", "_all_ranks"):
            array = getattr(self, name)
            setattr(self, name, np.concatenate((array, np.zeros_like(array))))
        self._room *= 2

    def _rank(self) -> None:
        if len(self) - self._ranked < MANY_NEW:
            for row in range(self._ranked, len(self)):
                self._add_to_fronts(row)
        else:
            for rows in self._equal_violations():
                self._ranks[rows] = fronts(self._costs[rows])
        self._ranked = len(self)

    def _add_to_fronts(self, row: int) -> None:
        if self._is_finite[row]:
            rows = np.flatnonzero(self._violations[:row] == self._violations[row])
            ranks = self._ranks[rows]
            self._ranks[row] = add_point(self._costs[rows], ranks, self._costs[row])
            self._ranks[rows] = ranks

    def _equal_violations(self) -> Iterable[Numbers]:
        """Rows of each set of two or more trials that are compared by their objectives."""
        rows = np.flatnonzero(self._is_finite)
        rows = rows[np.argsort(self._violations[rows], kind="stable")]
        sizes = np.unique(self._violations[rows], return_counts=True)[1]
        ends = np.cumsum(sizes)
        for size, end in zip(sizes[sizes > 1], ends[sizes > 1], strict=True):
            yield rows[end - size : end]

    def _sorted(self, rows: Numbers) -> list[int]:
        """Trials of rows that hold every row of a front or none of it."""
        trials, ranks = self._trials[rows], self._ranks[rows]
        _, violations = np.unique(self._violations[rows], return_inverse=True)
        # Fronts of all violations, numbered in their order.
        groups = violations.reshape(-1) * (int(ranks.max(initial=0)) + 1) + ranks
        distances = crowding(self._costs[rows], groups, trials)
        found: list[int] = trials[np.lexsort((trials, -distances, groups))].tolist()
        return found


def order_of(objectives: Sequence[Objective], values: Iterable[RungValue]) -> Order:
    """The order of trials that are compared with each other.

    Args:
        objectives: In the order of the values.
        values: One of each trial.

    Raises:
        InputError: A trial has another number of values than there are objectives.
    """
    found = Order(objectives)
    for value in values:
        found.add(value)
    return found
