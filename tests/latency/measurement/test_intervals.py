"""Intervals of few processes and of visits that depend on each other."""

from __future__ import annotations

import numpy as np
import pytest

from latency.measurement.intervals import MEDIAN_OVER_MEAN, block_error, spread_interval


def test_the_error_of_one_visit_is_unknown() -> None:
    assert block_error([[1.0, 1.1, 1.2]], 0.25, 0) is None
    # A visit of which no run counts is no second one.
    assert block_error([[1.0, 1.1], [], []], 0.25, 0) is None
    assert block_error([[1.0], [1.0]], 0.25, 0) == 0


def test_the_error_of_independent_visits_is_that_of_their_mean() -> None:
    rng = np.random.default_rng(0)
    visits = rng.normal(10.0, 0.2, (400, 1)).tolist()
    found = block_error(visits, 0.5, 0)
    expected = MEDIAN_OVER_MEAN * 0.2 / 10 / np.sqrt(400)
    # 200 resamples of blocks of 20 visits tell a standard error within about a quarter.
    assert found == pytest.approx(expected, rel=0.25)


def test_spells_of_neighbouring_visits_make_the_error_larger() -> None:
    rng = np.random.default_rng(0)
    spells = np.repeat(rng.normal(10.0, 0.2, 40), 10)
    visits = [[value] for value in spells]
    mixed = [[value] for value in rng.permutation(spells)]
    together, apart = block_error(visits, 0.5, 0), block_error(mixed, 0.5, 0)
    # 40 spells of ten equal visits are 40 readings and not 400: the square root of ten is 3.2,
    # of which blocks of 20 visits find most.
    assert together is not None and apart is not None and together > 2 * apart


def test_an_interval_of_one_reading_is_unknown() -> None:
    assert spread_interval([]) is None and spread_interval([1.0], [0.001]) is None


def test_the_interval_of_three_readings_by_hand() -> None:
    # Standard deviation 1 % of 10; Student's factor of two degrees of freedom is 4.303.
    half = 4.302653 * MEDIAN_OVER_MEAN * 0.1 / np.sqrt(3)
    assert spread_interval([9.9, 10.0, 10.1]) == pytest.approx((10 - half, 10 + half))


def test_readings_that_agree_by_chance_are_as_uncertain_as_each_by_itself() -> None:
    lucky = spread_interval([1.0, 1.0, 1.0], [0.01, 0.01, None])
    half = 4.302653 * MEDIAN_OVER_MEAN * 0.01 / np.sqrt(3)
    assert lucky == pytest.approx((1 - half, 1 + half))


def test_what_may_have_been_below_full_speed_extends_the_interval_downwards() -> None:
    low, high = spread_interval([9.9, 10.0, 10.1]) or (0, 0)
    assert spread_interval([9.9, 10.0, 10.1], below=0.01) == pytest.approx((low / 1.01, high))


def test_an_interval_never_lies_below_zero() -> None:
    low, _ = spread_interval([1.0, 9.0]) or (1, 1)
    assert low == 0
