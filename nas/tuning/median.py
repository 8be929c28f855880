"""Median stopping: what is worse than the median of the others does not go on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.errors import InputError
from nas.ranges import check_count
from nas.tuning.ladder import EvenLadder
from nas.tuning.ranks import Numbers, Points
from nas.tuning.scheduler import may_start, pause
from nas.tuning.scores import Job, Pause, Running
from nas.tuning.table import RungTable


@dataclass(frozen=True)
class MedianStopping:
    """A trial goes on unless its best value so far is worse than the median of the others.

    The others are all trials that have come to the end of the same rung s, also those that were
    stopped there. Of each of them the running average counts, the mean of its values of rungs 0
    to s. A trial is stopped at s if its best value of rungs 0 to s is strictly worse than the
    median of these.

    With one objective, values are compared as they are, and a value that misses a budget is worse
    than all that keep theirs. With several objectives, the value of a trial at a rung is the share
    of the rung's trials that are on fronts before its own, from 0 for the best.

    Decisions follow from what is stored, whatever came first. A trial that was stopped while there
    were few others therefore goes on from its checkpoint if more of them turn out worse. One that
    has values that are not finite never goes on.

    Source: Golovin et al. 2017, KDD, section 3.2.2, where the others are completed trials.

    Args:
        ladder: When trials are looked at.
        max_trials: Trials in all, 1 or more.
        min_others: With fewer others at a rung, every trial goes on; 1 or more.
        first_rung: The first at which a trial may be stopped, 0 or more.

    Raises:
        InputError: A number is out of range.
    """

    ladder: EvenLadder
    max_trials: int
    min_others: int = 5
    first_rung: int = 0

    def __post_init__(self) -> None:
        check_count("max_trials", self.max_trials)
        check_count("min_others", self.min_others)
        check_count("first_rung", self.first_rung, least=0)

    def next_job(
        self, table: RungTable, running: Iterable[Running], *, can_begin: bool = True
    ) -> Job | Pause:
        """The next rung of a trial that goes on, a new trial, or why there is neither.

        Args:
            table: All stored values.
            running: Jobs without a stored value, also those that wait for a worker again.
            can_begin: Whether there is a configuration for a new trial.
        """
        pending = table.pending(running)
        judged = self._judged(table)
        for rung in reversed(range(len(judged))):
            going = [job.trial for job in pending if job.rung == rung + 1]
            trial = judged[rung].next([*going, *table.values(rung + 1)])
            if trial is not None:
                return Job(trial, rung + 1, self.ladder.epochs[rung + 1])
        if can_begin and may_start(table, pending, self.max_trials):
            return Job(None, 0, self.ladder.epochs[0])
        return pause(pending)

    def stopped(self, rung: int, table: RungTable) -> tuple[int, ...]:
        """Trials that do not go on from a rung by what is stored now, by their numbers.

        Args:
            rung: Its number, less than the last one.
            table: All stored values.
        """
        judged = self._judged(table)[rung]
        return tuple(judged.trials[judged.is_stopped].tolist())

    def _judged(self, table: RungTable) -> list[_Judged]:
        """The trials of all rungs but the last."""
        found: list[_Judged] = []
        for rung in range(self.ladder.last):
            trials, standings = table.order(rung).standings()
            best, total = standings, standings
            if found:
                places = _places(trials, found[-1].trials)
                best = np.minimum(found[-1].best[places], standings)
                total = found[-1].total[places] + standings
            is_stopped = ~np.isin(trials, table.order(rung).finite_trials())
            if rung >= self.first_rung and len(trials) > self.min_others:
                is_stopped |= best > _medians_of_others(total / (rung + 1))
            found.append(_Judged(trials, standings, best, total, is_stopped))
        return found


@dataclass(frozen=True)
class _Judged:
    """The trials of a rung, by their numbers.

    Args:
        trials: Numbers.
        standings: At this rung; less is better.
        best: The least of this and all earlier rungs.
        total: The sum over this and all earlier rungs.
        is_stopped: Whether each does not go on.
    """

    trials: Numbers
    standings: Points
    best: Points
    total: Points
    is_stopped: NDArray[np.bool_]

    def next(self, gone_on: Sequence[int]) -> int | None:
        """The best trial that goes on and has not yet; None for none.

        Args:
            gone_on: Numbers of those that have.
        """
        left = ~self.is_stopped & ~np.isin(self.trials, gone_on)
        order = np.lexsort((self.trials[left], self.standings[left]))
        return int(self.trials[left][order[0]]) if len(order) else None


def _places(trials: Numbers, known: Numbers) -> Numbers:
    """Where trials stand among those of the rung before."""
    missing = np.setdiff1d(trials, known, assume_unique=True)
    if len(missing):
        raise InputError(
            "the values of a trial at all rungs that it has passed",
            f"trial {missing[0]} without one of them",
            "store every value when its rung ends",
        )
    return np.searchsorted(known, trials)


def _medians_of_others(values: Points) -> Points:
    """Of each value, the median of all others; two or more values."""
    order = np.argsort(values, kind="stable")
    places = np.empty(len(values), np.int64)
    places[order] = np.arange(len(values))
    others = len(values) - 1
    found = np.zeros(len(values))
    for middle in ((others - 1) // 2, others // 2):
        # Behind its own place, every other value stands one further back.
        found += values[order][middle + (places <= middle)] / 2
    return found
