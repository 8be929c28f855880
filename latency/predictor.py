"""From sums of rows to whole networks: an affine calibration and its honest audit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from latency import stats


class PredictorError(ValueError):
    """Figures that no calibration or audit can be made of."""


@dataclass(frozen=True)
class Calibration:
    """whole network in ms = a * (sum of its rows in ms) + b_ms.

    Args:
        a: Slope, above 0.
        b_ms: Intercept in ms.
        n: Networks it was fitted on.
        residuals_percent: (fitted - measured) / measured of each of them.
    """

    a: float
    b_ms: float
    n: int
    residuals_percent: tuple[float, ...]

    def __post_init__(self) -> None:
        if not (self.a > 0 and math.isfinite(self.a) and math.isfinite(self.b_ms)):
            raise PredictorError(
                "Expected a calibration with a finite slope above 0 and a finite intercept. "
                f"Received: a={self.a}, b_ms={self.b_ms}. Fix: calibrate again."
            )

    def predict_ms(self, sum_ms: float) -> float:
        """Returns a whole network's latency in ms from the sum of its rows in ms."""
        return self.a * sum_ms + self.b_ms

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""
        return {**asdict(self), "residuals_percent": list(self.residuals_percent)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibration:
        """Reads `to_json`'s form."""
        return cls(value["a"], value["b_ms"], value["n"], tuple(value["residuals_percent"]))


def calibrate(sums_ms: Sequence[float], measured_ms: Sequence[float]) -> Calibration:
    """Fits slope and intercept by relative least squares: min sum ((a*x + b - y) / y)^2.

    A small network's percent weighs as much as a large one's. Where the networks are too alike
    to tell slope from intercept, or noise turns the slope around, the line goes through 0.

    Args:
        sums_ms: Sum of the rows of each network, in ms.
        measured_ms: The networks measured whole, in ms.

    Raises:
        PredictorError: There is no network, or a figure is not positive.
    """
    x, y = np.asarray(sums_ms, float), np.asarray(measured_ms, float)
    if len(x) == 0 or x.shape != y.shape or not (np.all(x > 0) and np.all(y > 0)):
        raise PredictorError(
            "Expected equally many row sums and measured networks, all above 0 ms. "
            f"Received: {len(x)} sums (smallest {x.min(initial=math.inf):g}) and {len(y)} networks "
            f"(smallest {y.min(initial=math.inf):g}). Fix: measure the table with more rounds."
        )
    design = np.stack([x / y, 1 / y], axis=1)
    (a, b_ms), _, rank, _ = np.linalg.lstsq(design, np.ones(len(x)), rcond=1e-9)
    if rank < 2 or len(x) < 3 or a <= 0:
        scaled = x / y
        a, b_ms = float(np.sum(scaled) / np.sum(scaled * scaled)), 0.0
    residuals = 100 * stats.relative_errors(a * x + b_ms, y)
    return Calibration(float(a), float(b_ms), len(x), tuple(float(r) for r in residuals))


@dataclass(frozen=True)
class Audit:
    """How well predictions met networks that took no part in the calibration.

    Args:
        n: Held-out networks.
        within_5_percent: Share (0 to 1) whose relative error is at most 5 %.
        within_10_percent: Share (0 to 1) whose relative error is at most 10 %.
        mape_percent: Mean absolute relative error.
        bias_percent: Mean signed relative error; above 0 predicts too slow.
        rmspe_percent: Root of the mean squared relative error.
        kendall_tau: Rank agreement, tau-b.
        spearman: Rank correlation.
        spread: Slowest over fastest measured network.
        noise: The same figures between halves of the measurement: what no predictor can beat.
        points: Key, predicted ms, measured ms of each network.
    """

    n: int
    within_5_percent: float
    within_10_percent: float
    mape_percent: float
    bias_percent: float
    rmspe_percent: float
    kendall_tau: float
    spearman: float
    spread: float
    noise: Mapping[str, float]
    points: tuple[tuple[str, float, float], ...]

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""
        return {
            **asdict(self),
            "noise": dict(self.noise),
            "points": [list(point) for point in self.points],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Audit:
        """Reads `to_json`'s form."""
        points = tuple((key, predicted, true) for key, predicted, true in value["points"])
        return cls(**{**value, "points": points})


def audit(
    predicted_ms: Mapping[str, float],
    measured_ms: Mapping[str, float],
    halves_ms: Mapping[str, tuple[float, float]],
) -> Audit:
    """Compares predictions with held-out measurements, and the measurement with itself.

    Args:
        predicted_ms: Key -> predicted latency in ms.
        measured_ms: Key -> measured latency in ms.
        halves_ms: Key -> latency in ms from each of two random halves of the visits.

    Raises:
        PredictorError: The keys differ, there are fewer than two, or a figure is not positive.
    """
    keys = sorted(measured_ms)
    measured = [measured_ms[key] for key in keys]
    if len(keys) < 2 or not set(keys) == set(predicted_ms) == set(halves_ms) or min(measured) <= 0:
        raise PredictorError(
            "Expected two or more networks, each predicted, measured above 0 ms and halved. "
            f"Received: {len(predicted_ms)} predicted, {len(keys)} measured, {len(halves_ms)} "
            "halved. Fix: hold out more networks."
        )
    predicted = [predicted_ms[key] for key in keys]
    first = [halves_ms[key][0] for key in keys]
    second = [halves_ms[key][1] for key in keys]
    middle = [(one + two) / 2 for one, two in zip(first, second, strict=True)]
    # A half differs from the halves' middle by (h1-h2)/2: relative to it, (h1-h2)/(h1+h2).
    noise = {
        **_error_figures(stats.relative_errors(first, middle)),
        "n": len(keys),
        "kendall_tau": stats.kendall_tau(first, second),
        "spearman": stats.spearman(first, second),
        "spread": max(middle) / min(middle),
    }
    return Audit(
        n=len(keys),
        **_error_figures(stats.relative_errors(predicted, measured)),
        kendall_tau=stats.kendall_tau(predicted, measured),
        spearman=stats.spearman(predicted, measured),
        spread=max(measured) / min(measured),
        noise=noise,
        points=tuple(zip(keys, predicted, measured, strict=True)),
    )


def _error_figures(errors: np.ndarray) -> dict[str, float]:
    return {
        "within_5_percent": stats.within(errors, 0.05),
        "within_10_percent": stats.within(errors, 0.10),
        "mape_percent": stats.mape_percent(errors),
        "bias_percent": stats.bias_percent(errors),
        "rmspe_percent": stats.rmspe_percent(errors),
    }
