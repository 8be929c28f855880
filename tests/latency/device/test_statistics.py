"""The interval that decides when a measurement may stop."""

from __future__ import annotations

import numpy as np

from latency.device.statistics import bootstrap_interval


def test_bootstrap_resamples_visits_not_runs() -> None:
    # Runs differ inside each visit, visits are all alike: no visit can be drawn that matters.
    assert bootstrap_interval([[[1.0, 2.0, 3.0]] * 5], [1.0], 0.5, 0) == (2.0, 2.0)
    low, high = bootstrap_interval([[[1.0]] * 5 + [[3.0]] * 5], [1.0], 0.5, 0)
    assert (low, high) == (1.0, 3.0)


def test_bootstrap_interval_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        samples = rng.normal(10, 1, (30, 1)).tolist()
        low, high = bootstrap_interval([samples], [1.0], 0.5, trial)
        hits += low <= 10 <= high
    # 95 % nominal; a binomial of 200 at 0.93 (percentile bootstraps of medians run short)
    # stays above 170 with a probability beyond 0.9999.
    assert hits >= 170
