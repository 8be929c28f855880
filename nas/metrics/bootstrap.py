"""How far a metric would move with other images of the same kind: a stratified bootstrap.

`scipy.stats.bootstrap` does the same where every stratum has two images or more, and a test holds
both together. It refuses a class with one evaluation image, and names its random state otherwise
from one version to the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# From one seed to another the ends of the interval then move by about 2 % of its width: that is the
# error of a normal distribution's 2.5 % quantile, sqrt(0.025 * 0.975 / 1000) / 0.058 deviations.
RESAMPLES = 1_000
CONFIDENCE = 0.95
SEED = 0
# Numbers that are drawn at a time: a few MB of memory, however many images there are.
NUMBERS_AT_A_TIME = 500_000


@dataclass(frozen=True)
class Cut:
    """Where a metric lets images pass.

    Args:
        threshold: Log-odds of the signal class that an image has to exceed.
        allowed_background: Background images that may pass.
        passing_background: Those that do; fewer where scores are equal at the threshold.
    """

    threshold: float
    allowed_background: int
    passing_background: int


@dataclass(frozen=True)
class Sample:
    """A metric of one set of images, in a form from which others like it can be drawn.

    Args:
        strata: Numbers of the images of each group, whose size no draw changes.
        statistic: From the numbers of all groups to the metric, along the last axis.
        cut: Of a metric with a threshold; None for others.
    """

    strata: tuple[np.ndarray, ...]
    statistic: Callable[..., np.ndarray]
    cut: Cut | None = None

    @property
    def value(self) -> float:
        """The metric of the images themselves."""
        return float(self.statistic(*self.strata))


def interval(sample: Sample, resamples: int = RESAMPLES, seed: int = SEED) -> tuple[float, float]:
    """Ends of the 95 % percentile interval.

    Args:
        sample: Of a metric.
        resamples: Sets of images that are drawn, 1 or more.
        seed: Of the draws, 0 or more.

    Source: Efron and Tibshirani 1993, An introduction to the bootstrap, chapter 13.
    """
    rng = np.random.default_rng(seed)
    images = sum(len(values) for values in sample.strata)
    at_a_time = max(1, NUMBERS_AT_A_TIME // images)
    found: list[np.ndarray] = []
    for begin in range(0, resamples, at_a_time):
        count = min(at_a_time, resamples - begin)
        drawn = [s[rng.integers(len(s), size=(count, len(s)))] for s in sample.strata]
        found.append(sample.statistic(*drawn))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.concatenate(found), (tail, 1 - tail))
    return float(low), float(high)
