"""Every trial is trained whole: what a scheduler has to be better than."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nas.ranges import check_count
from nas.tuning.ladder import Ladder
from nas.tuning.scheduler import may_start, pause
from nas.tuning.scores import Job, Pause, Running
from nas.tuning.table import RungTable


@dataclass(frozen=True)
class FullLength:
    """Every trial is trained to the end at once.

    Args:
        max_epochs: Of every trial, above 0.
        max_trials: Trials in all, 1 or more.

    Raises:
        InputError: A number is out of range.
    """

    max_epochs: float
    max_trials: int

    def __post_init__(self) -> None:
        check_count("max_trials", self.max_trials)
        Ladder(self.max_epochs, rungs=1)

    @property
    def ladder(self) -> Ladder:
        """One rung."""
        return Ladder(self.max_epochs, rungs=1)

    def next_job(
        self, table: RungTable, running: Iterable[Running], *, can_begin: bool = True
    ) -> Job | Pause:
        """A new trial, or why there is none.

        Args:
            table: All stored values.
            running: Jobs without a stored value.
            can_begin: Whether there is a configuration for a new trial.
        """
        pending = table.pending(running)
        if can_begin and may_start(table, pending, self.max_trials):
            return Job(None, 0, self.max_epochs)
        return pause(pending)
