"""From sums of rows to whole networks: an affine calibration and its honest audit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from latency.errors import LatencyError
from latency.measurement import statistics


class PredictorError(LatencyError):
    """Figures that no calibration or audit can be made of."""


# How often a feature may join where none costs time. Compared with other rules in docs/log.md
# (2026-11-26): of those below 0.5 % in every case, this one found true features most often.
JOIN_LEVEL = 0.002
# With fewer networks, three coefficients would fit noise.
LEAST_FOR_EXTRA = 8
# Of relative residuals: below what any clock tells, a fit is exact and no error is left to judge.
EXACT = 1e-6


@dataclass(frozen=True)
class Calibration:
    """whole network in ms = a * (sum of its rows in ms) + b_ms + c_ms * (sum of a feature).

    Args:
        a: Slope, above 0.
        b_ms: Intercept in ms.
        n: Networks it was fitted on.
        residuals_percent: (fitted - measured) / measured of each of them.
        feature: A feature of rows that the residuals asked for; empty for none.
        c_ms: Its cost in ms; 0 for none.
    """

    a: float
    b_ms: float
    n: int
    residuals_percent: tuple[float, ...]
    feature: str = ""
    c_ms: float = 0.0

    def __post_init__(self) -> None:
        numbers = (self.a, self.b_ms, self.c_ms)
        if not (self.a > 0 and all(math.isfinite(value) for value in numbers)):
            raise PredictorError(
                "a calibration with a finite slope above 0 and a finite intercept",
                f"a={self.a}, b_ms={self.b_ms}, c_ms={self.c_ms}",
                "calibrate again",
            )

    def predict_ms(self, sum_ms: float, features: Mapping[str, float] | None = None) -> float:
        """Returns a whole network's latency in ms.

        Args:
            sum_ms: Sum of its rows in ms.
            features: Sum of each feature over its rows; only `feature` is used.
        """
        extra = self.c_ms * features[self.feature] if self.feature and features else 0.0
        return self.a * sum_ms + self.b_ms + extra


def calibrate(
    sums_ms: Sequence[float],
    measured_ms: Sequence[float],
    extras: Mapping[str, Sequence[float]] | None = None,
) -> Calibration:
    """Fits slope and intercept, and one extra feature if it is certain that it costs time.

    Args:
        sums_ms: Sum of the rows of each network, in ms.
        measured_ms: The networks measured whole, in ms.
        extras: Feature -> its sum over each network's rows.

    Raises:
        PredictorError: There is no network, or a figure is not positive.
    """
    x, y = _networks(sums_ms, measured_ms)
    feature = _costly_extra(x, y, extras or {})
    return fit_line(sums_ms, measured_ms, feature, (extras or {}).get(feature, ()))


def fit_line(
    sums_ms: Sequence[float],
    measured_ms: Sequence[float],
    feature: str = "",
    values: Sequence[float] = (),
) -> Calibration:
    """Fits the line by relative least squares: min sum ((a*x + b + c*f - y) / y)^2.

    A small network's percent weighs as much as a large one's. Where the networks are too alike
    to tell slope from intercept, or noise turns the slope around, the line goes through 0.

    Args:
        sums_ms: Sum of the rows of each network, in ms.
        measured_ms: The networks measured whole, in ms.
        feature: Name of an extra feature; empty for none.
        values: Its sum over each network's rows.

    Raises:
        PredictorError: There is no network, or a figure is not positive.
    """
    x, y = _networks(sums_ms, measured_ms)
    columns = [x, np.ones(len(x))]
    if feature:
        columns.append(np.asarray(values, float))
    solution, rank = _relative_fit(columns, y)
    if rank < len(columns) or len(x) < 3 or solution[0] <= 0:
        scaled = x / y
        solution, feature = [float(np.sum(scaled) / np.sum(scaled * scaled)), 0.0], ""
    c_ms = solution[2] if feature else 0.0
    fitted = sum(s * column for s, column in zip(solution, columns, strict=False))
    residuals = 100 * statistics.relative_errors(fitted, y)
    percents = tuple(float(residual) for residual in residuals)
    return Calibration(solution[0], solution[1], len(x), percents, feature, c_ms)


def _networks(
    sums_ms: Sequence[float], measured_ms: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(sums_ms, float), np.asarray(measured_ms, float)
    if len(x) == 0 or x.shape != y.shape or not (np.all(x > 0) and np.all(y > 0)):
        raise PredictorError(
            "equally many row sums and measured networks, all above 0 ms",
            f"{len(x)} sums (smallest {x.min(initial=math.inf):g}) and {len(y)} networks "
            f"(smallest {y.min(initial=math.inf):g})",
            "measure the table with more rounds",
        )
    return x, y


def _relative_fit(columns: list[np.ndarray], y: np.ndarray) -> tuple[list[float], int]:
    design, scale = _scaled_design(columns, y)
    solution, _, rank, _ = np.linalg.lstsq(design, np.ones(len(y)), rcond=1e-9)
    return [float(value) for value in solution / scale], int(rank)


def _scaled_design(columns: list[np.ndarray], y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    design = np.stack(columns, axis=1) / y[:, None]
    # Columns of bytes and of ms differ by many orders of magnitude.
    scale = np.abs(design).max(axis=0)
    scale[scale == 0] = 1.0
    return design / scale, scale


def _costly_extra(x: np.ndarray, y: np.ndarray, extras: Mapping[str, Sequence[float]]) -> str:
    """The feature whose cost is most certain, if it is certain enough; empty for none.

    Each coefficient has a one-sided t-test, whose level is divided by the number of features
    (Bonferroni): rows may miss a cost, such as weights that are cold in a network, but no
    operation saves time.
    """
    if len(x) < LEAST_FOR_EXTRA or not extras:
        return ""
    from scipy.stats import t as student

    limit, best = float(student.isf(JOIN_LEVEL / len(extras), len(x) - 3)), ""
    for name, values in extras.items():
        certainty = _certainty([x, np.ones(len(x)), np.asarray(values, float)], y)
        if certainty > limit:
            limit, best = certainty, name
    return best


def _certainty(columns: list[np.ndarray], y: np.ndarray) -> float:
    """The last coefficient over its standard error; 0 where the fit makes no sense.

    Source: Draper and Smith, Applied Regression Analysis, 3rd ed., section 6.1.
    """
    design, _ = _scaled_design(columns, y)
    solution, _, rank, _ = np.linalg.lstsq(design, np.ones(len(y)), rcond=1e-9)
    if rank < len(columns) or solution[0] <= 0 or solution[-1] <= 0:
        return 0.0
    residual = 1 - design @ solution
    sigma = math.sqrt(float(np.sum(residual**2)) / (len(y) - len(columns)))
    spread = float(np.linalg.norm(np.linalg.pinv(design, rcond=1e-9)[-1]))
    return float(solution[-1]) / (max(sigma, EXACT) * spread)


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

    Raises:
        PredictorError: A figure has no noise floor.
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
    noise: Mapping[str, int | float]
    points: tuple[tuple[str, float, float], ...]

    def __post_init__(self) -> None:
        missing = {field for _, field, _ in AUDIT_LINES} - set(self.noise)
        if missing:
            raise PredictorError(
                "an audit with the noise floor of each of its figures",
                f"none of {', '.join(sorted(missing))}",
                "build the table again",
            )


# What is printed of an audit, in this order: title, field, form.
AUDIT_LINES = (
    ("within 5 %", "within_5_percent", "{:.1%}"),
    ("within 10 %", "within_10_percent", "{:.1%}"),
    ("mean error", "mape_percent", "{:.2f} %"),
    ("bias", "bias_percent", "{:+.2f} %"),
    ("RMSPE", "rmspe_percent", "{:.2f} %"),
    ("Kendall tau", "kendall_tau", "{:.3f}"),
    ("Spearman", "spearman", "{:.3f}"),
    ("spread (max/min)", "spread", "{:.2f}x"),
)


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
            "two or more networks, each predicted, measured above 0 ms and halved",
            f"{len(predicted_ms)} predicted, {len(keys)} measured, {len(halves_ms)} halved",
            "hold out more networks",
        )
    predicted = [predicted_ms[key] for key in keys]
    first = [halves_ms[key][0] for key in keys]
    second = [halves_ms[key][1] for key in keys]
    middle = [(one + two) / 2 for one, two in zip(first, second, strict=True)]
    # A half differs from the halves' middle by (h1-h2)/2: relative to it, (h1-h2)/(h1+h2).
    noise = {
        **error_figures(first, middle),
        "n": len(keys),
        "kendall_tau": statistics.kendall_tau(first, second),
        "spearman": statistics.spearman(first, second),
        "spread": max(middle) / min(middle),
    }
    return Audit(
        n=len(keys),
        **error_figures(predicted, measured),
        kendall_tau=statistics.kendall_tau(predicted, measured),
        spearman=statistics.spearman(predicted, measured),
        spread=max(measured) / min(measured),
        noise=noise,
        points=tuple(zip(keys, predicted, measured, strict=True)),
    )


def error_figures(predicted: Sequence[float], measured: Sequence[float]) -> dict[str, float]:
    """Returns the figures of an audit that are of relative errors.

    Args:
        predicted: One value a network.
        measured: Likewise, above 0.
    """
    errors = statistics.relative_errors(predicted, measured)
    return {
        "within_5_percent": statistics.within(errors, 0.05),
        "within_10_percent": statistics.within(errors, 0.10),
        "mape_percent": statistics.mape_percent(errors),
        "bias_percent": statistics.bias_percent(errors),
        "rmspe_percent": statistics.rmspe_percent(errors),
    }
