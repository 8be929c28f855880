"""Whether a check tells a stale table from a good one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from latency.device.plan import MeasurePlan
from latency.device.statistics import Visit
from latency.measurement.measure import Measurement
from latency.tables.check import GOOD, STALE, UNSURE, Check, check_table, judge
from latency.tables.table import LatencyTable
from tests.support.latency_graphs import toy_table


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    return toy_table()


def now(table: LatencyTable, factors: list[float], spike: float = 1.0) -> dict[str, Measurement]:
    """New readings: the table's own, times a factor; slow runs times `spike` as well."""
    found = {}
    for (key, _), factor in zip(table.anchors.items(), factors, strict=True):
        predicted_ms = table.predict_ms(table.networks[key].row_keys)
        visits = [[predicted_ms * factor, predicted_ms * factor * spike]] * 12
        # A quarter of the runs is fast, the rest is what a disturbance made of them.
        found[key] = Measurement(key, tuple(Visit(tuple(v)) for v in visits), 0.25, True)
    return found


def exact(table: LatencyTable) -> LatencyTable:
    """The table as if its networks had been measured exactly as predicted."""
    networks = {}
    for key, network in table.networks.items():
        predicted_ms = table.predict_ms(network.row_keys)
        reading = Measurement(key, (Visit((predicted_ms,) * 3),) * 4, 0.25, True)
        networks[key] = replace(network, measurement=reading)
    return replace(table, networks=networks)


def verdict(table: LatencyTable, readings: Mapping[str, Measurement], busy: float = 0.0) -> Check:
    return judge(exact(table), readings, busy, 1.0)


@pytest.mark.parametrize(
    ("factors", "busy", "expected"),
    [
        ([1.0, 1.0, 1.0], 0.0, GOOD),
        ([1.04, 1.03, 1.05], 0.0, GOOD),
        ([1 / 1.15] * 3, 0.0, STALE),
        # Other programs slow networks down; they never make them faster.
        ([1 / 1.15] * 3, 1.5, STALE),
        ([1.15] * 3, 0.0, STALE),
        ([1.15] * 3, 1.5, UNSURE),
        ([3.2] * 3, 0.0, STALE),
        ([1.07] * 3, 0.0, UNSURE),
        # No common drift, but the networks changed places.
        ([0.8, 1.0, 1.3], 0.0, STALE),
        ([0.8, 1.0, 1.3], 1.5, UNSURE),
    ],
)
def test_verdicts(table: LatencyTable, factors: list[float], busy: float, expected: str) -> None:
    found = verdict(table, now(table, factors), busy)
    assert found.verdict == expected, found.reason
    assert found.drift == pytest.approx(float(np.median(factors)))


def test_a_drift_that_the_fastest_runs_do_not_share_is_doubted(table: LatencyTable) -> None:
    readings = {}
    for key in table.anchors:
        predicted_ms = table.predict_ms(table.networks[key].row_keys)
        # One run in ten is undisturbed, so p05 is as stored and p25 is 30 % above.
        visits = (Visit((predicted_ms, *[1.3 * predicted_ms] * 9)),) * 12
        readings[key] = Measurement(key, visits, 0.25, True)
    found = verdict(table, readings)
    assert found.verdict == UNSURE
    assert found.drift == pytest.approx(1.3) and found.fast_drift == pytest.approx(1.0)


def test_drift_and_residuals_are_told_apart(table: LatencyTable) -> None:
    found = verdict(table, now(table, [1.1, 1.1, 1.21]))
    residuals = [point.residual_percent for point in found.points]
    assert residuals == pytest.approx([0.0, 0.0, 10.0], abs=1e-6)
    assert found.points[2].key == "net6"


def test_a_real_check_measures_the_anchors_again(table: LatencyTable) -> None:
    plan = MeasurePlan(min_rounds=3, max_rounds=3)
    found = check_table(table, plan=plan)
    assert [point.key for point in found.points] == list(table.anchors)
    assert all(point.measured_ms > 0 for point in found.points)
    assert found.verdict in (GOOD, STALE, UNSURE) and found.seconds > 0
    slow = check_table(table, replace(table.settings, graph_level="disabled"), plan)
    assert slow.drift != found.drift


def test_a_table_without_networks_cannot_be_checked(table: LatencyTable) -> None:
    with pytest.raises(ValueError, match="Expected a table that keeps networks to measure again"):
        check_table(replace(table, anchors={}))
