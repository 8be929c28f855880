"""Calibration and audit against hand-computed values."""

from __future__ import annotations

import json

import numpy as np
import pytest

from latency.device import strict_json
from latency.tables.predictor import Audit, Calibration, audit, calibrate


def test_calibration_recovers_a_known_line() -> None:
    sums_ms = [1.0, 2.0, 3.5, 4.0]
    line = calibrate(sums_ms, [1.25 * x + 0.5 for x in sums_ms])
    assert (line.a, line.b_ms) == pytest.approx((1.25, 0.5)) and line.n == 4
    assert line.residuals_percent == pytest.approx([0, 0, 0, 0], abs=1e-9)
    assert line.predict_ms(2.0) == pytest.approx(3.0)


def test_calibration_weighs_relative_errors() -> None:
    # Hand-computed through the normal equations of ((a*x + b - y)/y)^2 for y = 1, 2, 8 at
    # x = 1, 2, 4: the weights 1, 1/4, 1/64 pull the line to the small networks.
    line = calibrate([1, 2, 4], [1, 2, 8])
    weights = [1, 1 / 4, 1 / 64]
    points = list(zip([1, 2, 4], [1, 2, 8], weights, strict=True))
    total = sum(weights)
    mean_x = sum(w * x for x, _, w in points) / total
    mean_y = sum(w * y for _, y, w in points) / total
    slope = sum(w * (x - mean_x) * (y - mean_y) for x, y, w in points)
    slope /= sum(w * (x - mean_x) ** 2 for x, _, w in points)
    assert line.a == pytest.approx(slope)
    assert line.b_ms == pytest.approx(mean_y - slope * mean_x)


@pytest.mark.parametrize(
    ("sums_ms", "measured_ms", "slope"),
    [
        ([2.0], [3.0], 1.5),
        ([2.0, 2.0, 2.0], [3.0, 3.0, 3.0], 1.5),
        # Turned around by noise: (1/3 + 1/2 + 3/1) / (1/9 + 1/4 + 9)
        ([1.0, 1.0, 3.0], [3.0, 2.0, 1.0], (1 / 3 + 1 / 2 + 3) / (1 / 9 + 1 / 4 + 9)),
    ],
)
def test_calibration_falls_back_to_a_line_through_zero(
    sums_ms: list[float], measured_ms: list[float], slope: float
) -> None:
    line = calibrate(sums_ms, measured_ms)
    assert line.a == pytest.approx(slope) and line.b_ms == 0.0


@pytest.mark.parametrize(("sums_ms", "measured_ms"), [([], []), ([0.0], [1.0]), ([1.0], [-1.0])])
def test_calibration_refuses_what_it_cannot_fit(
    sums_ms: list[float], measured_ms: list[float]
) -> None:
    with pytest.raises(ValueError, match="Expected equally many row sums .*\nReceived: .*\nFix:"):
        calibrate(sums_ms, measured_ms)


def test_a_calibration_with_a_slope_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="Received: a=0, b_ms=1, c_ms=0.0.\nFix: calibrate"):
        Calibration(0, 1, 3, ())


def test_an_audit_by_hand() -> None:
    measured = {"a": 1.0, "b": 2.0, "c": 4.0}
    predicted = {"a": 1.04, "b": 1.84, "c": 5.0}
    halves = {"a": (0.9, 1.1), "b": (2.0, 2.0), "c": (4.4, 3.6)}
    found = audit(predicted, measured, halves)
    assert (found.n, found.within_5_percent, found.within_10_percent) == (3, 1 / 3, 2 / 3)
    assert found.mape_percent == pytest.approx((4 + 8 + 25) / 3)
    assert found.bias_percent == pytest.approx((4 - 8 + 25) / 3)
    assert found.rmspe_percent == pytest.approx(((16 + 64 + 625) / 3) ** 0.5)
    assert found.kendall_tau == 1.0 and found.spearman == pytest.approx(1.0)
    assert found.spread == 4.0
    # |h1-h2|/(h1+h2): 0.1, 0, 0.1
    assert found.noise["mape_percent"] == pytest.approx(20 / 3)
    assert found.noise["bias_percent"] == pytest.approx(0)
    assert found.noise["within_5_percent"] == pytest.approx(1 / 3)
    assert found.noise["kendall_tau"] == 1.0
    assert set(found.noise) == set(strict_json.encode(found)) - {"noise", "points"}
    assert found.points[0] == ("a", 1.04, 1.0)
    assert (
        strict_json.decode(Audit, json.loads(json.dumps(strict_json.encode(found))), "an audit")
        == found
    )


def test_an_audit_of_one_network_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected two or more networks.*\nReceived: 1 predicted"):
        audit({"a": 1.0}, {"a": 1.0}, {"a": (1.0, 1.0)})


def test_an_extra_feature_joins_only_where_residuals_ask_for_it() -> None:
    rng = np.random.default_rng(0)
    sums_ms = np.linspace(1, 5, 10)
    depth = rng.permutation(np.arange(4.0, 14.0))
    noise = 1 + 0.002 * rng.standard_normal(10)
    extras = {"depth": list(depth), "luck": list(rng.uniform(0, 1, 10))}
    plain = calibrate(list(sums_ms), list((1.1 * sums_ms + 0.2) * noise), extras)
    assert (plain.feature, plain.c_ms) == ("", 0.0)
    bent = calibrate(list(sums_ms), list((1.1 * sums_ms + 0.2 + 0.05 * depth) * noise), extras)
    assert bent.feature == "depth" and bent.c_ms == pytest.approx(0.05, rel=0.1)
    assert bent.predict_ms(2.0, {"depth": 10.0}) == pytest.approx(2.9, rel=0.02)
    assert max(map(abs, bent.residuals_percent)) < 1


def test_few_networks_get_no_extra_feature() -> None:
    sums_ms, depth = [1.0, 2.0, 3.0, 4.0, 5.0], [5.0, 1.0, 4.0, 2.0, 3.0]
    measured_ms = [x + d for x, d in zip(sums_ms, depth, strict=True)]
    assert calibrate(sums_ms, measured_ms, {"depth": depth}).feature == ""
