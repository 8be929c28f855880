"""The interval that decides when a measurement may stop."""

from __future__ import annotations

import numpy as np
import pytest

from latency.device import statistics
from latency.device.plan import DevicePlan
from latency.device.statistics import Quantity, Visit, bootstrap_interval, certain_quantities


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


def test_resampling_visits_of_different_lengths_is_numpys_quantile() -> None:
    rng = np.random.default_rng(3)
    visits = [rng.uniform(1, 2, size).tolist() for size in (3, 0, 1, 4, 2)]
    times = rng.integers(0, 3, (50, 5))
    times[:, 0] += 1  # no empty sample
    found = statistics._resampled_quantiles(visits, times, 0.1)
    for counts, value in zip(times, found, strict=True):
        drawn = [run for visit, n in zip(visits, counts, strict=True) for run in visit * int(n)]
        assert value == pytest.approx(float(np.quantile(drawn, 0.1)), rel=1e-12)


def test_an_empty_sample_tells_nothing() -> None:
    found = statistics._resampled_quantiles([[1.0], []], np.asarray([[0, 2], [1, 1]]), 0.5)
    assert np.isnan(found[0]) and found[1] == 1.0
    assert bootstrap_interval([[[], []]], [1.0], 0.5, 0) == (-np.inf, np.inf)


def visit(*runs: tuple[float, float, float]) -> Visit:
    times = list(zip(*runs, strict=True))
    return Visit(times[0], times[1], times[2])


def test_a_run_counts_when_both_of_its_probes_are_within_the_limit() -> None:
    found = visit((1.0, 9.0, 9.0), (2.0, 9.0, 12.0), (3.0, 12.0, 9.0), (4.0, 9.3, 9.3))
    assert found.kept_ms(9.3) == [1.0, 4.0]
    assert found.kept_ms(None) == [1.0, 2.0, 3.0, 4.0]
    assert Visit((5.0,)).kept_ms(9.3) == [5.0]


def test_certainty_needs_runs_at_full_speed_in_as_many_visits_as_rounds_at_least() -> None:
    plan = DevicePlan(min_rounds=3, max_rounds=9)
    fast, slow = visit((1.0, 9.0, 9.0)), visit((1.4, 12.0, 12.0))
    quantity = [Quantity(("m",), (1.0,))]
    assert certain_quantities({"m": [fast] * 3 + [slow] * 6}, quantity, plan, 9.3) == [True]
    assert certain_quantities({"m": [fast] * 2 + [slow] * 7}, quantity, plan, 9.3) == [False]
    assert certain_quantities({"m": [slow] * 9}, quantity, plan, 9.3) == [False]


def test_one_visit_is_never_certain() -> None:
    # Its runs agree; what another visit would have said is unknown.
    quantity = [Quantity(("m",), (1.0,))]
    plan = DevicePlan(min_rounds=1, max_rounds=9)
    alike = Visit((1.0, 1.0, 1.0))
    assert certain_quantities({"m": [alike]}, quantity, plan) == [False]
    assert certain_quantities({"m": [alike] * 2}, quantity, plan) == [True]
