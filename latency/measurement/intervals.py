"""Intervals of few processes, each with rounds that share their disturbances."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from latency.device.statistics import times_drawn

RESAMPLES = 200
# A median of normal readings has this many times the standard error of their mean.
# Source: Kendall and Stuart, The Advanced Theory of Statistics, vol. 1, section 10.10.
MEDIAN_OVER_MEAN = math.sqrt(math.pi / 2)
COVERAGE = 0.95


def block_error(visits_ms: Sequence[Sequence[float]], quantile: float, seed: int) -> float | None:
    """Returns the relative standard error of a quantile over visits that depend on each other.

    A slow spell lasts for several visits, so that blocks of neighbouring visits are drawn and not
    single ones. A block has as many visits as there are blocks: ever more of both with more data.

    Args:
        visits_ms: Visit -> run, in ms and in the order of time; a visit may be empty.
        quantile: From 0 to 1.
        seed: Of the resampling.

    Returns:
        None where fewer than two visits have a run: the error of one visit is unknown.

    Source: Kuensch, The jackknife and the bootstrap for general stationary observations (1989).
    """
    full = [np.asarray(visit, float) for visit in visits_ms if len(visit)]
    if len(full) < 2:
        return None
    values = _weighted_quantiles(full, _drawn_blocks(len(full), seed), quantile)
    return float(np.std(values, ddof=1) / np.mean(values))


def paired_error(
    first_ms: Sequence[Sequence[float]],
    second_ms: Sequence[Sequence[float]],
    quantile: float,
    seed: int,
) -> float | None:
    """Returns the relative standard error of second over first, timed next to each other.

    Both draw the same blocks of visits, so that what slowed both down cancels.

    Args:
        first_ms: Visit -> run, in ms and in the order of time; every visit has one or more.
        second_ms: The same visits of the other model.
        quantile: From 0 to 1.
        seed: Of the resampling.

    Returns:
        None for fewer than two visits.
    """
    if len(first_ms) < 2:
        return None
    drawn = _drawn_blocks(len(first_ms), seed)
    first, second = (
        _weighted_quantiles([np.asarray(visit, float) for visit in visits], drawn, quantile)
        for visits in (first_ms, second_ms)
    )
    ratios = second / first
    return float(np.std(ratios, ddof=1) / np.mean(ratios))


@functools.lru_cache(maxsize=64)
def _drawn_blocks(count: int, seed: int) -> np.ndarray:
    """Resample, visit -> how often blocks of neighbouring visits draw it; not to be changed.

    Models and processes of one session have as many visits each, and so the same draws.
    """
    length = math.isqrt(count)
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, count, (RESAMPLES, -(-count // length)))
    # Blocks run over the end into the beginning, so that every visit is drawn equally often.
    picks = (starts[:, :, None] + np.arange(length)) % count
    picks = picks.reshape(RESAMPLES, -1)[:, :count]
    return times_drawn(picks, count).astype(float)


def _weighted_quantiles(
    visits_ms: Sequence[np.ndarray], drawn: np.ndarray, quantile: float
) -> np.ndarray:
    """Resample -> quantile over all runs of its visits; `drawn` is resample, visit -> times."""
    runs = np.concatenate(visits_ms)
    owner = np.repeat(np.arange(len(visits_ms)), [len(visit) for visit in visits_ms])
    order = np.argsort(runs)
    reached = np.cumsum(drawn[:, owner[order]], axis=1)
    first = np.argmax(reached >= quantile * reached[:, -1:], axis=1)
    found: np.ndarray = runs[order][first]
    return found


def spread_interval(
    process_ms: Sequence[float], errors: Sequence[float | None] = (), below: float = 0.0
) -> tuple[float, float] | None:
    """Returns the 95 % interval around the median of readings of different processes, in ms.

    The spread between the readings holds everything that differs between processes, their own
    errors included. Three readings often agree by chance: Student's factor stands for that, and
    the spread is never taken to be below what the processes' own errors say.

    Args:
        process_ms: One reading a process, above 0.
        errors: Relative standard error of each reading by itself; None where unknown.
        below: How far below full speed they may have been made, a share that extends the interval
            downwards; 0 by default.

    Returns:
        None for fewer than two readings: the spread of one is unknown.
    """
    count = len(process_ms)
    if count < 2:
        return None
    from scipy.special import stdtrit  # takes a moment to load, which readers of tables save

    centre = float(np.median(process_ms))
    known = [error for error in errors if error is not None]
    own = math.sqrt(float(np.mean(np.square(known)))) if known else 0.0
    spread = max(float(np.std(process_ms, ddof=1)) / centre, own)
    factor = float(stdtrit(count - 1, (1 + COVERAGE) / 2)) * MEDIAN_OVER_MEAN
    half = factor * spread / math.sqrt(count)
    return centre * max(0.0, 1 - half) / (1 + below), centre * (1 + half)
