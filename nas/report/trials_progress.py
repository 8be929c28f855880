"""A search by trials in the terminal while it runs."""

from __future__ import annotations

import time

from nas.report.numbers import counted
from nas.report.trials import value_text
from nas.system.console import Bar
from nas.tuning.hyperband import Hyperband
from nas.tuning.legs import Leg, SearchState
from nas.tuning.scheduler import Scheduler


class TrialsProgress:
    """Shows how far a search is, its best trial, and the time that is left.

    Each leg is looked at until it has ended and no more, since there may be 10,000 of them.

    Args:
        scheduler: Of the search.
        progress: Where it is shown.
    """

    def __init__(self, scheduler: Scheduler, progress: Bar) -> None:
        self._progress = progress
        self._expected = expected_epochs(scheduler)
        self._begun_s = time.monotonic()
        self._epochs = 0.0
        self._epochs_before: float | None = None
        self._looked_at = self._failed = 0
        self._open: set[int] = set()
        self._best: Leg | None = None

    def show(self, state: SearchState) -> None:
        """One more leg has begun or ended.

        Args:
            state: Of the search.
        """
        self._open |= set(range(self._looked_at, len(state.legs)))
        self._looked_at = len(state.legs)
        for leg in [state.legs[number] for number in sorted(self._open)]:
            if leg.state != "running":
                self._open.remove(leg.number)
                self._ended(state, leg)
        if self._epochs_before is None:
            self._epochs_before = self._epochs
        self._progress.update(
            min(self._epochs, self._expected), self._expected, note=self._note(state)
        )

    def _ended(self, state: SearchState, leg: Leg) -> None:
        self._epochs += leg_epochs(state, leg)
        if leg.state == "failed":
            self._failed += 1
        elif self._best is None or standing(state, leg) < standing(state, self._best):
            self._best = leg

    def _note(self, state: SearchState) -> str:
        parts = [counted(len(state.trials), "trial"), f"{len(state.running)} running"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        if state.refused:
            parts.append(f"{state.refused} refused")
        if self._best is not None:
            reached = reached_text(state, self._best)
            parts.append(f"best {reached} after {counted(self._best.plan.epochs, 'epoch')}")
        left_s = self._left_s()
        return ", ".join([*parts, *([] if left_s is None else [f"{left_s / 60:.0f} min left"])])

    def _left_s(self) -> float | None:
        """Seconds by the pace so far; None where there is none yet."""
        done = self._epochs - (self._epochs_before or 0.0)
        if done <= 0:
            return None
        pace = (time.monotonic() - self._begun_s) / done
        return max(0.0, self._expected - self._epochs) * pace


def leg_epochs(state: SearchState, leg: Leg) -> float:
    """Epochs of one leg alone.

    Args:
        state: Of the search.
        leg: Of the search.
    """
    numbers = state.trials[leg.plan.trial]
    place = numbers.index(leg.number)
    before = state.legs[numbers[place - 1]].plan.epochs if place else 0.0
    return leg.plan.epochs - before


def expected_epochs(scheduler: Scheduler) -> float:
    """Epochs of a whole search where no training fails.

    Args:
        scheduler: Of the search.
    """
    if isinstance(scheduler, Hyperband):
        ladder = scheduler.ladder
        rungs = [(b.sizes(ladder), ladder.epochs[b.first_rung :]) for b in scheduler.brackets]
    else:
        # As many trials go on as make every rung as long as the first one.
        epochs = scheduler.ladder.epochs
        rungs = [(tuple(int(scheduler.max_trials * epochs[0] / e) for e in epochs), epochs)]
    return sum(
        count * (after - before)
        for sizes, ends in rungs
        for count, before, after in zip(sizes, (0.0, *ends), ends, strict=False)
    )


def standing(state: SearchState, leg: Leg) -> tuple[float, float, float, int]:
    """Less is better: a higher rung, then kept budgets, then the first objective.

    Args:
        state: Of the search.
        leg: That is done.
    """
    first = state.table.objectives[0]
    return -leg.plan.epochs, leg.violation, first.cost(leg.values[0]), leg.number


def reached_text(state: SearchState, leg: Leg) -> str:
    """The objectives of a leg in words.

    Args:
        state: Of the search.
        leg: That is done.
    """
    pairs = zip(state.table.objectives, leg.values, strict=True)
    return ", ".join(f"{o.text} {value_text(o.name, value)}" for o, value in pairs)
