"""What is stored of trials, and what is handed out to be trained: the state of every scheduler."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from nas.errors import InputError
from nas.ranges import check_count


@dataclass(frozen=True)
class RungValue:
    """What a trial had reached when it came to the end of a rung.

    Values that are not finite are kept as they are: a training that diverged or failed for good
    takes its place in the rung, behind all others, and never goes on.

    Args:
        trial: Number of the trial, 0 or more.
        rung: Number of the rung, 0 for the shortest.
        values: One for each objective, in their order, as measured and not turned round.
        violation: By how much budgets are missed, 0 or more; 0 for all budgets kept.
        bracket: Number of the bracket that the trial is in, 0 or more; 0 where there is one alone.

    Raises:
        InputError: A number is out of range, or there are no values.
    """

    trial: int
    rung: int
    values: tuple[float, ...]
    violation: float = 0.0
    bracket: int = 0

    def __post_init__(self) -> None:
        for name in ("trial", "rung", "bracket"):
            check_count(name, getattr(self, name), least=0)
        if not self.values:
            raise InputError("a value for each objective", "none", "store every objective's value")
        if self.violation < 0:
            raise InputError(
                "a violation of 0 or more", f"{self.violation!r}", "store 0 for budgets kept"
            )

    @property
    def is_finite(self) -> bool:
        """Whether all of it is a number that can be compared."""
        return all(map(math.isfinite, (*self.values, self.violation)))


@dataclass(frozen=True)
class Running:
    """A job that was handed out and has stored no value yet, whether or not a worker has it.

    Args:
        trial: Number of the trial.
        rung: The rung whose end it trains to.
        bracket: Number of the bracket that the trial is in.
    """

    trial: int
    rung: int
    bracket: int = 0


@dataclass(frozen=True)
class Job:
    """What to train next: a trial up to the end of a rung.

    Args:
        trial: Number of a trial that goes on from its checkpoint; None for a new one.
        rung: The rung whose end it trains to.
        epochs: Of the trial in all when it gets there, those before included.
        bracket: Number of the bracket that the trial is in.
    """

    trial: int | None
    rung: int
    epochs: float
    bracket: int = 0

    def running(self, trial: int) -> Running:
        """What is remembered of it until its value is stored.

        Args:
            trial: Its own number, or the one that a new trial was given.
        """
        return Running(trial, self.rung, self.bracket)


class Pause(Enum):
    """Why there is no job.

    Attributes:
        WAIT: Running jobs have to end first; their values decide what comes next.
        FINISHED: Nothing runs, and nothing will ever follow.
    """

    WAIT = "wait"
    FINISHED = "finished"
