"""Halving on a virtual clock: as many workers as one likes, recorded curves, and no training.

The rule is that of `nas.tuning.asha`, by heaps: 10,000 trials on 10,000 workers would take the
scheduler of the program, which looks at everything anew, hours. A test compares both.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np

from nas.tuning.ladder import Ladder


@dataclass(frozen=True)
class Costs:
    """What trainings take, in seconds of one worker and of the driver.

    Args:
        epoch_s: Of one epoch.
        leg_s: Of each leg beside its epochs: tracing, evaluating, the way of a checkpoint.
        driver_s: Of the driver, for each leg; it does one thing at a time.
        slow_share: Share of legs that are slow, 0 to 1.
        slow_factor: How many times as long these take.
        failures_an_hour: Losses of a worker, of each worker.
        replacement_s: Until another one is in its place.
        checkpoint_s: Between two checkpoints: on average half of it is trained anew.
    """

    epoch_s: float = 60.0
    leg_s: float = 10.0
    driver_s: float = 0.005
    slow_share: float = 0.0
    slow_factor: float = 5.0
    failures_an_hour: float = 0.0
    replacement_s: float = 60.0
    checkpoint_s: float = 60.0

    def leg_seconds(self, epochs: float, rng: np.random.Generator) -> float:
        """What a leg takes, with what happens to it.

        Args:
            epochs: That it trains.
            rng: Generator of this search.
        """
        seconds = self.leg_s + epochs * self.epoch_s
        if self.slow_share and rng.random() < self.slow_share:
            seconds *= self.slow_factor
        if self.failures_an_hour:
            lost = rng.poisson(self.failures_an_hour * seconds / 3600)
            again = self.replacement_s + min(self.checkpoint_s, seconds) / 2
            seconds += float(lost) * (again + self.leg_s)
        return seconds


@dataclass
class _Rung:
    """What trials have come to at the end of a rung."""

    waiting: list[tuple[float, int]] = field(default_factory=list)
    ended: int = 0
    begun_above: int = 0


@dataclass(frozen=True)
class Played:
    """What a search came to.

    Args:
        seconds: From its beginning to its end.
        busy_s: Of all workers.
        driver_s: Of the driver.
        legs: How many there were.
        best: The greatest top-1 of a whole training.
        decisions: (trial, rung) in the order in which they were handed out.
    """

    seconds: float
    busy_s: float
    driver_s: float
    legs: int
    best: float
    decisions: tuple[tuple[int, int], ...]


def play(
    top1: np.ndarray, ladder: Ladder, workers: int, costs: Costs, rng: np.random.Generator
) -> Played:
    """Lets halving train all trials, each at first to the end of the lowest rung.

    Args:
        top1: A row a trial, a column a rung; NaN where a training diverged.
        ladder: Lengths of the rungs.
        workers: That train at a time.
        costs: Of legs and of the driver.
        rng: Generator of what happens to legs.
    """
    lengths = np.diff([0.0, *ladder.epochs])
    rungs = [_Rung() for _ in range(ladder.rungs)]
    running: list[tuple[float, int, int, int]] = []
    decisions: list[tuple[int, int]] = []
    now = driver_free = busy = best = 0.0
    new = 0
    while True:
        while len(running) < workers:
            chosen = _next(rungs, ladder, new, len(top1))
            if chosen is None:
                break
            trial, rung = chosen
            new += rung == 0
            seconds = costs.leg_seconds(float(lengths[rung]), rng)
            driver_free = max(driver_free, now) + costs.driver_s
            heapq.heappush(running, (driver_free + seconds, len(decisions), trial, rung))
            busy += seconds
            decisions.append((trial, rung))
        if not running:
            used = costs.driver_s * len(decisions)
            return Played(now, busy, used, len(decisions), best, tuple(decisions))
        now, _, trial, rung = heapq.heappop(running)
        value = float(top1[trial, rung])
        rungs[rung].ended += 1
        if rung == ladder.last:
            best = max(best, 0.0 if np.isnan(value) else value)
        elif not np.isnan(value):
            heapq.heappush(rungs[rung].waiting, (-value, trial))


def _next(rungs: list[_Rung], ladder: Ladder, new: int, trials: int) -> tuple[int, int] | None:
    """What trains next: a promotion from the longest rung that has one, else a new trial."""
    for number in reversed(range(ladder.last)):
        rung = rungs[number]
        if rung.waiting and rung.begun_above < rung.ended // ladder.reduction:
            rung.begun_above += 1
            return heapq.heappop(rung.waiting)[1], number + 1
    return (new, 0) if new < trials else None
