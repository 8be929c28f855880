"""Asynchronous successive halving by promotion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nas.tuning.ladder import Ladder
from nas.tuning.scheduler import check_trials, may_start, pause
from nas.tuning.scores import Job, Pause, Running
from nas.tuning.table import RungTable


@dataclass(frozen=True)
class Asha:
    """Of n trials at the end of a rung the best floor(n / eta) go on, as soon as there is one.

    Looked at from the longest rung to the shortest, the first rung with a trial to promote gives
    the job; where there is none, a new trial begins. Nobody waits for anybody.

    A rung never promotes more than floor(n / eta) trials. By algorithm 2 a trial goes on as soon
    as it is among the best, also where as many went on already that are not among them any more;
    values that only rise would promote every trial. Here it goes on when the next place is free.

    Trials whose values are not finite count in n and are never promoted.

    Source: Li et al. 2020, arXiv 1810.05934, algorithm 2, with that bound.

    Args:
        ladder: Lengths, and eta as its reduction.
        max_trials: Trials in all, eta^(rungs - 1) or more.

    Raises:
        InputError: With so few trials none would be trained whole.
    """

    ladder: Ladder
    max_trials: int

    def __post_init__(self) -> None:
        check_trials(self.max_trials, self.ladder)

    def next_job(
        self, table: RungTable, running: Iterable[Running], *, can_begin: bool = True
    ) -> Job | Pause:
        """A promotion, a new trial, or why there is neither.

        When all trials have begun, what is left are promotions. The end is reached when nothing
        runs and no rung has a place left.

        Args:
            table: All stored values.
            running: Jobs without a stored value, also those that wait for a worker again.
            can_begin: Whether there is a configuration for a new trial.
        """
        pending = table.pending(running)
        for rung in reversed(range(self.ladder.last)):
            trial = self._promotable(rung, table, pending)
            if trial is not None:
                return Job(trial, rung + 1, self.ladder.epochs[rung + 1])
        if can_begin and may_start(table, pending, self.max_trials):
            return Job(None, 0, self.ladder.epochs[0])
        return pause(pending)

    def _promotable(self, rung: int, table: RungTable, pending: tuple[Running, ...]) -> int | None:
        """The best trial of a rung that is not in the next one, if that has a place left.

        As fewer than floor(n / eta) are there, the best of the others is among the best
        floor(n / eta).
        """
        above = {*table.values(rung + 1), *(job.trial for job in pending if job.rung == rung + 1)}
        if len(above) >= table.count(rung) // self.ladder.reduction:
            return None
        return table.order(rung).first(above)
