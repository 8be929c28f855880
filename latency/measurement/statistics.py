"""Statistics of repeated timings and of predictions: plain functions of arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from latency.device.statistics import Runs, weighted_quantile

# One random cut in two is itself noisy; the mean over a few is not.
SPLITS = 20


def quantile_ms(samples_ms: Runs, quantile: float) -> float:
    """Returns a quantile over all runs of all visits, in ms (linear interpolation).

    Args:
        samples_ms: Visit -> run.
        quantile: From 0 to 1.
    """
    return weighted_quantile([samples_ms], [1.0], quantile)


def half_values(
    samples_ms: Sequence[Runs], weights: Sequence[float], quantile: float, seed: int
) -> tuple[float, float]:
    """Returns a weighted sum of quantiles from each of two random halves of the visits, in ms.

    With one visit both halves are that visit. The models of a sum are cut alike, since they were
    timed next to each other. Visits without any run of one of the models are left out.
    """
    count = min(len(visits) for visits in samples_ms)
    whole = [i for i in range(count) if all(len(visits[i]) for visits in samples_ms)]
    if whole:
        samples_ms = [[visits[index] for index in whole] for visits in samples_ms]
        count = len(whole)
    else:
        # Each model for itself, then: no visit has runs of all of them.
        samples_ms = [[visit for visit in visits if len(visit)] for visits in samples_ms]
        count = min(len(visits) for visits in samples_ms)
    order = np.random.default_rng(seed).permutation(count)
    cut = max(1, count // 2)
    halves = []
    for picks in (order[:cut], order[cut:] if count > 1 else order):
        chosen = [[visits[index] for index in picks] for visits in samples_ms]
        halves.append(weighted_quantile(chosen, weights, quantile))
    return halves[0], halves[1]


def split_half_noise(
    samples_ms: Sequence[Runs], weights: Sequence[float], quantile: float, seed: int
) -> float:
    """Returns the mean |h1-h2|/(h1+h2), the relative noise of the full measurement, at most 1.

    The difference of two halves has twice the deviation of the whole, and so has their sum twice
    its size; a value too small to carry a sign counts as nothing but noise.
    """
    shares = []
    for index in range(SPLITS):
        first, second = half_values(samples_ms, weights, quantile, seed + index)
        total = first + second
        shares.append(min(1.0, abs(first - second) / total) if total > 0 else 1.0)
    return float(np.mean(shares))


def relative_errors(predicted: ArrayLike, measured: ArrayLike) -> np.ndarray:
    """Returns (predicted - measured) / measured, a signed share a network."""
    truth = np.asarray(measured, float)
    errors: np.ndarray = (np.asarray(predicted, float) - truth) / truth
    return errors


def within(errors: np.ndarray, share: float) -> float:
    """Returns the share (0 to 1) of relative errors whose size is at most `share`."""
    return float(np.mean(np.abs(errors) <= share))


def mape_percent(errors: np.ndarray) -> float:
    """Returns the mean absolute relative error in percent."""
    return float(100 * np.mean(np.abs(errors)))


def bias_percent(errors: np.ndarray) -> float:
    """Returns the mean signed relative error in percent; above 0 predicts too slow."""
    return float(100 * np.mean(errors))


def rmspe_percent(errors: np.ndarray) -> float:
    """Returns the root of the mean squared relative error in percent (as nn-Meter defines it)."""
    return float(100 * np.sqrt(np.mean(np.square(errors))))


def kendall_tau(first: ArrayLike, second: ArrayLike) -> float:
    """Returns Kendall's tau-b, which corrects for ties; 0 where one side is constant.

    Source: Kendall, "The treatment of ties in ranking problems", Biometrika 1945.
    """
    x, y = np.asarray(first, float), np.asarray(second, float)
    upper = np.triu_indices(len(x), 1)
    signs_x = np.sign(x[:, None] - x[None, :])[upper]
    signs_y = np.sign(y[:, None] - y[None, :])[upper]
    size = np.sqrt(np.sum(np.abs(signs_x)) * np.sum(np.abs(signs_y)))
    return float(np.sum(signs_x * signs_y) / size) if size else 0.0


def ranks(values: ArrayLike) -> np.ndarray:
    """Returns ranks from 1; equal values share the mean of their ranks."""
    array = np.asarray(values, float)
    below = np.sum(array[None, :] < array[:, None], axis=1)
    equal = np.sum(array[None, :] == array[:, None], axis=1)
    shared: np.ndarray = below + (equal + 1) / 2
    return shared


def spearman(first: ArrayLike, second: ArrayLike) -> float:
    """Returns the correlation of ranks; 0 where one side is constant."""
    x, y = ranks(first), ranks(second)
    x, y = x - x.mean(), y - y.mean()
    size = np.sqrt(np.sum(x * x) * np.sum(y * y))
    return float(np.sum(x * y) / size) if size else 0.0


def median_error(values: Sequence[float]) -> float:
    """Relative standard error of the median of repeated readings; infinite for fewer than two.

    For normal errors the median's is sqrt(pi / 2) times the mean's.

    Args:
        values: Readings above 0.

    Source: Kendall and Stuart, The Advanced Theory of Statistics, vol. 1, section 10.10.
    """
    if len(values) < 2:
        return math.inf
    sd = float(np.std(values, ddof=1))
    return math.sqrt(math.pi / 2) * sd / math.sqrt(len(values)) / float(np.median(values))
