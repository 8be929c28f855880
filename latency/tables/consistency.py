"""What a table says of its own samples, computed again: figures of a file are not believed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np

from latency.errors import FileFormatError
from latency.measurement.measure import Measurement
from latency.tables.networks import fit_again, row_terms
from latency.tables.predictor import Audit, Calibration, error_figures
from latency.tables.rows import Network, Row, difference_ms

# Libraries of linear algebra differ in the last digits; no clock tells a millionth.
RELATIVE_TOLERANCE = 1e-6
FIX = "build the table again"


def check_consistency(
    rows: Mapping[str, Row],
    networks: Mapping[str, Network],
    calibration: Calibration | None,
    audit: Audit | None,
    quantile: float,
    limit_us: float | None,
) -> None:
    """Refuses a table whose rows, calibration or audit do not follow from its samples.

    Intervals and noise are resampled at random and stay as they are stored.

    Args:
        rows: Key -> row.
        networks: Key -> whole network.
        calibration: Of these networks, or None.
        audit: Of these networks, or None.
        quantile: The table's statistic.
        limit_us: The longest probe beside a run that counts; None where every run does.

    Raises:
        FileFormatError: A figure is another than the samples give.
    """
    try:
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            for row in rows.values():
                _check_row(row, quantile, limit_us)
            for key, network in networks.items():
                _check_network(key, network, rows, quantile, limit_us)
            if calibration is not None:
                _check_calibration(calibration, rows, networks)
            if audit is not None:
                _check_audit(audit, rows, networks, calibration)
    except (ArithmeticError, np.linalg.LinAlgError) as error:
        expected = "milliseconds of a size that can be computed with"
        raise FileFormatError(expected, str(error), FIX) from None


def _check_row(row: Row, quantile: float, limit_us: float | None) -> None:
    if set(row.visits) != {"long", "short"}:
        raise FileFormatError(
            f"visits of a long and a short model in row {row.key!r}",
            ", ".join(row.visits) or "none",
            FIX,
        )
    long, short = (
        Measurement(row.key, row.visits[name], quantile, row.stable, limit_us)
        for name in ("long", "short")
    )
    value_ms = max(0.0, difference_ms(long, short, row.divisor))
    _same(f"latency_ms of row {row.key!r}", [row.latency_ms], [value_ms])
    _same(f"count of row {row.key!r}", [row.count], [long.kept_count])


def _check_network(
    key: str, network: Network, rows: Mapping[str, Row], quantile: float, limit_us: float | None
) -> None:
    missing = sorted(set(network.row_keys) - set(rows))
    if missing or not network.row_keys:
        raise FileFormatError(
            f"rows of the table in network {key!r}",
            f"{missing[0]!r}, which it has not" if missing else "none",
            FIX,
        )
    own = (network.measurement.key, network.measurement.quantile, network.measurement.limit_us)
    if own != (key, quantile, limit_us):
        raise FileFormatError(
            f"network {key!r} read at quantile {quantile:g} below {limit_us} us, as its table is",
            f"{own[0]!r} at {own[1]:g} below {own[2]} us",
            FIX,
        )


def _check_calibration(
    found: Calibration, rows: Mapping[str, Row], networks: Mapping[str, Network]
) -> None:
    feature = found.feature
    lacking = [key for key, row in rows.items() if feature and feature not in row.features]
    if lacking:
        expected = f"the calibration's feature {feature!r} in every row"
        raise FileFormatError(expected, f"none in {lacking[0]!r}", FIX)
    again = fit_again(rows, networks, feature)
    if again is None:
        raise FileFormatError("networks that a calibration is fitted on", "none", FIX)
    what = "calibration that the table's own networks give"
    names = ("a", "b_ms", "c_ms")
    _same(f"{what} ({', '.join(names)})", *([getattr(c, n) for n in names] for c in (found, again)))
    _same(f"{what} (n, feature)", [found.n, feature], [again.n, again.feature])
    scale = [100 + residual for residual in found.residuals_percent]
    _same(f"{what} (residuals)", scale, [100 + residual for residual in again.residuals_percent])
    for key, network in networks.items():
        predicted_ms = found.predict_ms(*row_terms(rows, network))
        if predicted_ms <= 0:
            expected = "predictions above 0 ms for the table's own networks"
            raise FileFormatError(expected, f"{predicted_ms:g} ms for {key!r}", FIX)


def _check_audit(
    audit: Audit,
    rows: Mapping[str, Row],
    networks: Mapping[str, Network],
    calibration: Calibration | None,
) -> None:
    held_out = {key: n for key, n in networks.items() if n.role == "held_out"}
    points = {key: (predicted, measured) for key, predicted, measured in audit.points}
    if set(points) != set(held_out) or len(audit.points) != len(held_out) or audit.n != len(points):
        raise FileFormatError(
            "an audit of the table's own held-out networks",
            f"{len(audit.points)} points, {len(held_out)} networks",
            FIX,
        )
    for key, network in held_out.items():
        _same(f"audit's ms of {key!r}", [points[key][1]], [network.measurement.latency_ms])
        if calibration is not None:
            again_ms = calibration.predict_ms(*row_terms(rows, network))
            _same(f"audit's prediction of {key!r}", [points[key][0]], [again_ms])
    figures = error_figures([p for p, _ in points.values()], [m for _, m in points.values()])
    stored = asdict(audit)
    # Relative errors near 0 are compared as parts of 100 %.
    _same(
        "audit's figures",
        [100 + stored[name] for name in figures],
        [100 + value for value in figures.values()],
    )


def _same(what: str, found: Sequence[float | str], again: Sequence[float | str]) -> None:
    if len(found) == len(again) and all(map(_equal, found, again)):
        return
    raise FileFormatError(f"the {what} as the samples give it: {_text(again)}", _text(found), FIX)


def _equal(one: float | str, other: float | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return math.isclose(one, other, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-12)


def _text(values: Sequence[float | str]) -> str:
    return ", ".join(v if isinstance(v, str) else f"{v:.6g}" for v in values[:3]) or "none"
