"""What a scheduler is: a pure function of what is stored and what runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from nas.errors import InputError
from nas.ranges import check_count
from nas.tuning.ladder import EvenLadder, Ladder
from nas.tuning.scores import Job, Pause, Running
from nas.tuning.table import RungTable


class Scheduler(Protocol):
    """Decides what trains next, from stored values and running jobs alone.

    The same values and jobs give the same decision, whatever came between. Nothing is therefore
    kept of a scheduler but its settings.
    """

    @property
    def ladder(self) -> Ladder | EvenLadder:
        """The lengths that trials are compared at."""

    @property
    def max_trials(self) -> int:
        """Trials in all."""

    def next_job(
        self, table: RungTable, running: Iterable[Running], *, can_begin: bool = True
    ) -> Job | Pause:
        """What to train next.

        Args:
            table: All stored values.
            running: Jobs that were handed out and whose values are not stored, also those that
                wait for a worker again.
            can_begin: Whether there is a configuration for a new trial. Without one, what is there
                comes to its end as if no more trials had been asked for.
        """


def may_start(table: RungTable, pending: Iterable[Running], max_trials: int) -> bool:
    """Whether fewer trials have begun than there shall be.

    Args:
        table: All stored values.
        pending: Jobs without a value.
        max_trials: Trials in all.
    """
    fresh = {job.trial for job in pending if job.trial not in table.brackets}
    return len(table.brackets) + len(fresh) < max_trials


def pause(pending: Iterable[Running]) -> Pause:
    """What to say where there is no job.

    Args:
        pending: Jobs without a value.
    """
    return Pause.WAIT if any(True for _ in pending) else Pause.FINISHED


def check_trials(max_trials: int, ladder: Ladder) -> None:
    """Refuses so few trials that none of them would be trained whole.

    Args:
        max_trials: Trials in all.
        ladder: Whose every rung lets one in `reduction` go on.

    Raises:
        InputError: There are fewer than reduction^(rungs - 1).
    """
    check_count("max_trials", max_trials)
    needed = ladder.reduction**ladder.last
    if max_trials < needed:
        rungs = ladder.rungs
        while ladder.reduction ** (rungs - 1) > max_trials:
            rungs -= 1
        raise InputError(
            f"at least {needed} trials, so that one of them is trained whole: reduction "
            f"{ladder.reduction} to the power of {ladder.rungs} rungs less one",
            f"max_trials {max_trials}",
            f"set max_trials to {needed} or more, or rungs to {rungs} or less",
        )
