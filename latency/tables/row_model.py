"""Rows that were not measured: predicted from physical features, refused outside what was."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from latency.errors import LatencyError
from latency.measurement import statistics
from latency.onnx_files.features import FEATURES

# With fewer rows there is nothing to hold out.
MIN_ROWS = 12
# How far beyond the measured rows a linear law is trusted, as a share of the border's value.
SLACK = 0.25
FOLDS = 8


class RowModelError(LatencyError):
    """Rows that no predictor can be learned from, or a broken record of one."""


class OutOfRangeError(LatencyError):
    """A row unlike any that was measured."""


class UnknownOperatorError(OutOfRangeError):
    """A row with an operator, or a form of one, that no measured row has."""


@dataclass(frozen=True)
class RowModel:
    """ms = sum of cost * feature, with costs of at least 0: time per MAC, byte and node.

    Args:
        costs_ms: Feature -> ms for one unit.
        low: Feature -> least value among the measured rows.
        high: Feature -> greatest value.
        intensity: Least and greatest MACs per byte moved.
        operators: Kinds that the measured rows have, of `latency.onnx_files.operators`.
        held_out: `n`, `refused`, `mape_percent`, `bias_percent`, `within_10_percent`,
            `within_20_percent`: what the model did on groups of rows that it had not seen.
    """

    costs_ms: Mapping[str, float]
    low: Mapping[str, float]
    high: Mapping[str, float]
    intensity: tuple[float, float]
    operators: tuple[str, ...]
    held_out: Mapping[str, int | float]

    def __post_init__(self) -> None:
        numbers = [*self.costs_ms.values(), *self.low.values(), *self.high.values()]
        numbers += [*self.intensity, *self.held_out.values()]
        complete = set(self.costs_ms) == set(self.low) == set(self.high) == set(FEATURES)
        finite = all(
            isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)
            for v in numbers
        )
        if not (complete and finite and all(v >= 0 for v in self.costs_ms.values())):
            raise RowModelError(
                f"finite costs of at least 0 and ranges of {', '.join(FEATURES)}",
                str(dict(self.costs_ms)),
                "build the table again",
            )

    def predict_ms(self, features: Mapping[str, float], operators: Collection[str]) -> float:
        """Returns a row's latency in ms, before calibration.

        Args:
            features: Of `latency.onnx_files.features.row_features`.
            operators: Of `latency.onnx_files.operators.row_operators`.

        Raises:
            UnknownOperatorError: The row has an operator that no measured row has.
            OutOfRangeError: The row does more, or less, than any measured one.
        """
        unknown = sorted(set(operators) - set(self.operators))
        if unknown:
            raise UnknownOperatorError(
                "operators of the kinds that the measured rows have",
                ", ".join(f"`{kind}`" for kind in unknown),
                "measure this row, or a table of rows that have these operators",
            )
        for name in FEATURES:
            self._check(name, features[name], self.low[name], self.high[name])
        self._check("MACs per byte", _intensity(features), *self.intensity)
        return sum(self.costs_ms[name] * features[name] for name in FEATURES)

    def _check(self, name: str, value: float, low: float, high: float) -> None:
        slack = SLACK * max(abs(low), abs(high)) if low == high else 0.0
        least, most = low - SLACK * abs(low) - slack, high + SLACK * abs(high) + slack
        if not least <= value <= most:
            raise OutOfRangeError(
                f"{name} from {least:.4g} to {most:.4g}, as the measured rows have",
                f"{value:.4g}",
                "measure this row, or a table of rows around it",
            )


def fit_row_model(
    features: Mapping[str, Mapping[str, float]],
    latency_ms: Mapping[str, float],
    operators: Mapping[str, Collection[str]],
    *,
    groups: Mapping[str, str] | None = None,
) -> RowModel:
    """Learns costs from measured rows, and how well they predict rows left out.

    Non-negative least squares on relative errors: work cannot take negative time, and a
    small row's percent weighs as much as a large one's.

    Args:
        features: Row key -> features.
        latency_ms: Row key -> measured ms, above 0.
        operators: Row key -> kinds of its operators.
        groups: Row key -> group, such as its input shape; whole groups are left out together.
            Each row by itself when None.

    Raises:
        RowModelError: Fewer than `MIN_ROWS` rows, or a latency that is not positive.
    """
    keys = sorted(latency_ms)
    if len(keys) < MIN_ROWS or min(latency_ms.values()) <= 0:
        raise RowModelError(
            f"{MIN_ROWS} or more rows, all above 0 ms",
            f"{len(keys)} rows, the least {min(latency_ms.values(), default=math.nan):g} ms",
            "measure more rows",
        )
    rows = [{name: float(features[key][name]) for name in FEATURES} for key in keys]
    measured = np.array([latency_ms[key] for key in keys])
    names = [(groups or {}).get(key, key) for key in keys]
    kinds = [frozenset(operators[key]) for key in keys]
    held_out = _held_out(rows, kinds, measured, names)
    return _fit(rows, kinds, measured, held_out)


def _fit(
    rows: list[dict[str, float]],
    kinds: list[frozenset[str]],
    measured: np.ndarray,
    held_out: Mapping[str, float],
) -> RowModel:
    from scipy.optimize import nnls

    matrix = np.array([[row[name] for name in FEATURES] for row in rows])
    design = matrix / measured[:, None]
    scale = np.abs(design).max(axis=0)
    scale[scale == 0] = 1.0
    costs, _ = nnls(design / scale, np.ones(len(rows)))
    intensities = [_intensity(row) for row in rows]
    return RowModel(
        costs_ms=dict(zip(FEATURES, (float(c) for c in costs / scale), strict=True)),
        low=dict(zip(FEATURES, (float(v) for v in matrix.min(axis=0)), strict=True)),
        high=dict(zip(FEATURES, (float(v) for v in matrix.max(axis=0)), strict=True)),
        intensity=(min(intensities), max(intensities)),
        operators=tuple(sorted(frozenset().union(*kinds))),
        held_out=held_out,
    )


def _intensity(features: Mapping[str, float]) -> float:
    macs = sum(value for name, value in features.items() if name.endswith("_macs"))
    moved = sum(max(value, 0.0) for name, value in features.items() if name.endswith("_bytes"))
    return macs / moved if moved > 0 else 0.0


def _held_out(
    rows: list[dict[str, float]],
    kinds: list[frozenset[str]],
    measured: np.ndarray,
    names: list[str],
) -> dict[str, float]:
    """Predicts each fold of groups by a model of the others; refused rows are counted apart."""
    groups = sorted(set(names))
    folds = [set(groups[index::FOLDS]) for index in range(min(FOLDS, len(groups)))]
    errors, refused = [], 0
    for fold in folds:
        out = [index for index, name in enumerate(names) if name in fold]
        kept = [index for index, name in enumerate(names) if name not in fold]
        if not kept:
            continue
        known = [kinds[index] for index in kept]
        model = _fit([rows[index] for index in kept], known, measured[kept], {})
        for index in out:
            try:
                predicted_ms = model.predict_ms(rows[index], kinds[index])
                errors.append(predicted_ms / measured[index] - 1)
            except OutOfRangeError:
                refused += 1
    found = np.array(errors)
    if not len(found):
        return {"n": 0, "refused": refused}
    return {
        "n": len(found),
        "refused": refused,
        "mape_percent": statistics.mape_percent(found),
        "bias_percent": statistics.bias_percent(found),
        "within_10_percent": statistics.within(found, 0.10),
        "within_20_percent": statistics.within(found, 0.20),
    }
