"""Statistics against published or hand-computed values."""

from __future__ import annotations

import numpy as np
import pytest

from latency.measurement import statistics


def test_quantile_runs_over_all_visits() -> None:
    # Linear interpolation: rank 0.25 * (8 - 1) = 1.75 of 1..8 is 2.75 (numpy's and R's type 7).
    samples = [[8.0, 1.0], [7.0, 2.0], [6.0, 3.0], [5.0, 4.0]]
    assert statistics.quantile_ms(samples, 0.25) == 2.75
    assert statistics.quantile_ms(samples, 0.5) == 4.5


def test_kendall_tau_b_with_ties() -> None:
    # Hand-computed: 4 concordant, 0 discordant; one pair tied in each list, another pair each:
    # tau-b = 4 / sqrt((6 - 1) * (6 - 1)).
    assert statistics.kendall_tau([1, 1, 2, 3], [1, 2, 3, 3]) == pytest.approx(0.8)


@pytest.mark.parametrize(("second", "expected"), [([2, 4, 6, 8], 1.0), ([8, 6, 4, 2], -1.0)])
def test_rank_figures_of_monotone_lists(second: list[float], expected: float) -> None:
    assert statistics.kendall_tau([1, 2, 3, 4], second) == pytest.approx(expected)
    assert statistics.spearman([1, 2, 3, 4], second) == pytest.approx(expected)


def test_spearman_of_the_published_example() -> None:
    # https://en.wikipedia.org/wiki/Spearman%27s_rank_correlation_coefficient#Example: -29/165
    iq = [106, 100, 86, 101, 99, 103, 97, 113, 112, 110]
    hours = [7, 27, 2, 50, 28, 29, 20, 12, 6, 17]
    assert statistics.spearman(iq, hours) == pytest.approx(-29 / 165)


def test_tied_ranks_share_their_mean() -> None:
    np.testing.assert_array_equal(statistics.ranks([10, 20, 20, 30]), [1, 2.5, 2.5, 4])


def test_a_constant_list_has_no_rank_agreement() -> None:
    assert statistics.kendall_tau([1, 1, 1], [1, 2, 3]) == 0
    assert statistics.spearman([1, 1, 1], [1, 2, 3]) == 0


def test_rank_figures_agree_with_scipy() -> None:
    scipy_stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(5)
    first, second = rng.integers(0, 12, 40), rng.integers(0, 12, 40)
    expected = scipy_stats.kendalltau(first, second).statistic
    assert statistics.kendall_tau(first, second) == pytest.approx(expected)
    expected = scipy_stats.spearmanr(first, second).statistic
    assert statistics.spearman(first, second) == pytest.approx(expected)


def test_error_figures_by_hand() -> None:
    errors = statistics.relative_errors([1.05, 1.8, 5.0], [1.0, 2.0, 4.0])
    np.testing.assert_allclose(errors, [0.05, -0.1, 0.25])
    assert statistics.mape_percent(errors) == pytest.approx(40 / 3)
    assert statistics.bias_percent(errors) == pytest.approx(20 / 3)
    # sqrt((0.0025 + 0.01 + 0.0625) / 3)
    assert statistics.rmspe_percent(errors) == pytest.approx(100 * 0.025**0.5)
    assert statistics.within(np.asarray([0.04, -0.06, 0.2]), 0.05) == pytest.approx(1 / 3)


def test_noise_of_equal_visits_is_zero_and_of_two_visits_is_exact() -> None:
    assert statistics.split_half_noise([[[2.0, 2.0]] * 6], [1.0], 0.25, 0) == 0
    # Halves are the two visits: |3 - 1| / (3 + 1).
    assert statistics.split_half_noise([[[3.0], [1.0]]], [1.0], 0.25, 0) == pytest.approx(0.5)


def test_halves_cut_both_models_of_a_difference_alike() -> None:
    # A disturbance of 5 ms hits the same visits of both: it must cancel in either half.
    disturbance = [0.0, 5.0, 0.0, 5.0, 5.0, 0.0]
    long = [[10.0 + extra] for extra in disturbance]
    short = [[4.0 + extra] for extra in disturbance]
    assert statistics.half_values([long, short], [0.5, -0.5], 0.25, 3) == pytest.approx((3.0, 3.0))


def test_noise_without_a_sign_is_all_noise() -> None:
    assert statistics.split_half_noise([[[1.0]] * 4, [[2.0]] * 4], [1.0, -1.0], 0.25, 0) == 1.0


def test_median_error_is_that_of_normal_readings() -> None:
    assert statistics.median_error([1.0]) == np.inf
    assert statistics.median_error([2.0, 2.0, 2.0]) == 0.0
    rng = np.random.default_rng(0)
    draws = rng.normal(10.0, 0.2, (4000, 25))
    actual = float(np.std(np.median(draws, axis=1))) / 10.0
    assert np.median([statistics.median_error(row) for row in draws]) == pytest.approx(
        actual, rel=0.05
    )
