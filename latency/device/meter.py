"""How far a session has come, for whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable

from .plan import DevicePlan

Progress = Callable[[int, int, float], None]  # visits done, visits at most, seconds left at most


class Meter:
    """Counts visits and estimates the time that the remaining rounds take at most.

    Args:
        progress: Called after each visit; None where nobody waits.
        plan: Rounds and time at most.
    """

    def __init__(self, progress: Progress | None, plan: DevicePlan) -> None:
        self._progress = progress
        self._plan = plan
        self._done = 0
        self._seconds_before = 0.0
        self._seconds = 0.0

    def visited(self, round_seconds: float, left_in_round: int, number: int, active: int) -> None:
        """Counts one visit.

        Args:
            round_seconds: Time spent in this round so far.
            left_in_round: Visits that the round still has.
            number: The round's, from 0.
            active: Groups that are still visited.
        """
        self._done += 1
        self._seconds = self._seconds_before + round_seconds
        if self._progress is None:
            return
        left = left_in_round + active * (self._plan.max_rounds - number - 1)
        seconds_left = self._seconds / self._done * left
        if self._plan.max_seconds is not None:
            seconds_left = min(seconds_left, max(0.0, self._plan.max_seconds - self._seconds))
        self._progress(self._done, self._done + left, seconds_left)

    def round_ended(self) -> None:
        """Begins the next round's time."""
        self._seconds_before = self._seconds
