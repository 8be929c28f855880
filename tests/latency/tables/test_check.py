"""Whether a check tells a stale table from a good one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from latency.device.plan import MeasurePlan
from latency.device.speed import BUSY, FULL_SPEED, NOT_GATED, SLOWER, BestSpeed, HostSpeed
from latency.device.statistics import Visit
from latency.measurement.measure import Measurement, Readings
from latency.measurement.timing import LEAST_KEPT
from latency.tables.check import GOOD, STALE, UNSURE, Check, check_table, judge
from latency.tables.table import LatencyTable
from tests.support.latency_graphs import toy_table


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    return toy_table()


NOBODY = HostSpeed(NOT_GATED, "several threads")
BEST = BestSpeed("p", 12.0, "2026-11-26T00:00:00+00:00", 2600.0, 50.0)
FULL = HostSpeed(FULL_SPEED, "", "p", 12.0, 12.0, best=BEST, share_full_speed=0.9)


def now(
    table: LatencyTable, factors: list[float], speed: HostSpeed = NOBODY, probe_us: float = 12.0
) -> Readings:
    """New readings: the table's own, times a factor."""
    found = {}
    for (key, _), factor in zip(table.anchors.items(), factors, strict=True):
        predicted_ms = table.predict_ms(table.networks[key].row_keys)
        visits = (Visit((predicted_ms * factor,) * 2, (probe_us,) * 2, (probe_us,) * 2),) * 12
        found[key] = Measurement(key, visits, 0.25, True, speed.limit_us)
    return Readings(found, speed)


def exact(table: LatencyTable) -> LatencyTable:
    """The table as if its networks had been measured exactly as predicted."""
    networks = {}
    for key, network in table.networks.items():
        predicted_ms = table.predict_ms(network.row_keys)
        reading = Measurement(key, (Visit((predicted_ms,) * 3),) * 4, 0.25, True)
        networks[key] = replace(network, measurement=reading)
    return replace(table, networks=networks, speed=FULL)


def verdict(table: LatencyTable, readings: Readings, busy: float = 0.0) -> Check:
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
def test_verdicts_without_a_gate(
    table: LatencyTable, factors: list[float], busy: float, expected: str
) -> None:
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
    found = verdict(table, Readings(readings, NOBODY))
    assert found.verdict == UNSURE
    assert found.drift == pytest.approx(1.3) and found.fast_drift == pytest.approx(1.0)


@pytest.mark.parametrize("busy", [0.0, 0.3, 1.9])
@pytest.mark.parametrize(
    ("factors", "expected", "words"),
    [
        ([1.0, 1.0, 1.0], GOOD, "the networks agree"),
        ([1.04, 1.03, 1.05], GOOD, "the networks agree"),
        # Whatever the load says: these runs were made at full speed.
        ([1.6, 1.6, 1.6], STALE, "1.600 of predicted at the host's full speed"),
        ([1.09, 1.09, 1.09], STALE, "at the host's full speed"),
        # A table taken in a slow moment is as stale as one that promises too much.
        ([1 / 1.6] * 3, STALE, "0.625 of predicted at the host's full speed"),
        ([0.91] * 3, STALE, "at the host's full speed"),
        ([1.07] * 3, UNSURE, "more than 6%"),
        ([0.93] * 3, UNSURE, "less than 8%"),
        ([0.8, 1.0, 1.3], STALE, "2 of 3 networks left the common drift"),
    ],
)
def test_verdicts_at_full_speed_go_by_the_probe_and_not_by_the_load(
    table: LatencyTable, factors: list[float], expected: str, words: str, busy: float
) -> None:
    found = verdict(table, now(table, factors, FULL), busy)
    assert found.verdict == expected and words in found.reason, found.reason
    assert found.other_cores == busy and found.speed == FULL


def test_without_undisturbed_runs_it_cannot_tell_and_says_so(table: LatencyTable) -> None:
    speed = replace(FULL, state=BUSY, share_full_speed=0.02)
    found = verdict(table, now(table, [1.6] * 3, speed, probe_us=19.0), 1.9)
    assert found.verdict == UNSURE
    assert f"3 of 3 networks have fewer than {LEAST_KEPT} undisturbed runs" in found.reason
    assert "at full speed in 2% of the time" in found.reason


def test_a_host_below_its_best_cannot_tell_and_says_so(table: LatencyTable) -> None:
    # Judged by its speed of today: its own best is 12 us.
    speed = replace(FULL, state=SLOWER, reason="never", full_speed_us=19.2, session_us=19.2)
    found = verdict(table, now(table, [1.6] * 3, speed, probe_us=19.2), 0.0)
    assert found.verdict == UNSURE and "slower than its own best (never)" in found.reason
    assert "python -m latency clock" in found.reason
    # Where the table was measured in the same state, it is as good as it was.
    assert verdict(table, now(table, [1.0] * 3, speed, probe_us=19.2)).verdict == GOOD


def test_a_table_of_a_slower_moment_is_said_to_be_one(table: LatencyTable) -> None:
    slow = replace(exact(table), speed=replace(FULL, full_speed_us=18.0))
    found = judge(slow, now(table, [1 / 1.5] * 3, FULL), 0.0, 1.0)
    assert found.verdict == STALE
    assert "probe took 1.50 times as long when the table was measured" in found.reason


def test_drift_and_residuals_are_told_apart(table: LatencyTable) -> None:
    found = verdict(table, now(table, [1.1, 1.1, 1.21]))
    residuals = [point.residual_percent for point in found.points]
    assert residuals == pytest.approx([0.0, 0.0, 10.0], abs=1e-6)
    assert found.points[2].key == "net6"


def test_a_real_check_measures_the_anchors_again(table: LatencyTable) -> None:
    plan = MeasurePlan(min_rounds=3, max_rounds=3, max_wait_seconds=0.0)
    found = check_table(table, plan=plan)
    assert [point.key for point in found.points] == list(table.anchors)
    assert all(point.measured_ms > 0 for point in found.points)
    assert found.verdict in (GOOD, STALE, UNSURE) and found.seconds > 0
    slow = check_table(table, replace(table.settings, graph_level="disabled"), plan)
    assert slow.drift != found.drift


def test_a_table_without_networks_cannot_be_checked(table: LatencyTable) -> None:
    with pytest.raises(ValueError, match="Expected a table that keeps networks to measure again"):
        check_table(replace(table, anchors={}))
