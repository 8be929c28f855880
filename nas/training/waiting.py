"""How long a training waited for its images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nas.data.loader import BatchLoader


class WaitClock:
    """The share of the time in which steps waited for images, row by row of a history.

    Args:
        loaders: That the steps read.
    """

    def __init__(self, *loaders: BatchLoader) -> None:
        self._loaders = loaders
        self._seconds, self._step = 0.0, 0

    def start(self, step: int) -> None:
        """Begins to count.

        Args:
            step: Steps done so far.
        """
        self._step, self._seconds = step, self._waited()

    def take(self, step: int, steps_per_second: float) -> float:
        """The share since the last call, from 0 to 1.

        Args:
            step: Steps done.
            steps_per_second: Since the last call, above 0.
        """
        seconds = (step - self._step) / steps_per_second
        waited = self._waited() - self._seconds
        self.start(step)
        return min(1.0, waited / max(seconds, 1e-9))

    def _waited(self) -> float:
        return sum(loader.seconds_waiting for loader in self._loaders)


def waiting_share(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """The share of a whole training; None where no row has one.

    Args:
        rows: Of a history, with `step`, `examples_per_s` and `input_wait_share`.
    """
    total = waited = 0.0
    before = 0
    for row in rows:
        share, rate = row.get("input_wait_share"), row.get("examples_per_s")
        if share is not None and rate:
            # In units of one batch over images a second, which is the same for all rows.
            seconds = (row["step"] - before) / rate
            total, waited = total + seconds, waited + share * seconds
        before = row["step"]
    return waited / total if total else None


def waiting_text(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """What is said of it at the end of a training; None where it is not known.

    Args:
        rows: Of a history.
    """
    share = waiting_share(rows)
    return None if share is None else f"Waiting for images: {share:.1%} of the time."
