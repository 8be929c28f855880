"""Rows by difference, and what they refuse."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from latency.device import strict_json
from latency.device.graph_info import GraphInfo
from latency.device.statistics import Visit
from latency.jobs.plans import RowPlan
from latency.measurement.measure import Measurement
from latency.tables.rows import Row, row_by_difference
from latency.tables.table import LatencyTable
from tests.support.latency_graphs import toy_table


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    return toy_table()


def reading(key: str, *visits: list[float]) -> Measurement:
    return Measurement(key, tuple(Visit(tuple(visit)) for visit in visits), 0.25, True)


def test_a_row_is_the_difference_over_the_divisor() -> None:
    plan = RowPlan("block", "long", "short", 3)
    long, short = reading("long", [7.0] * 3, [7.0] * 3), reading("short", [1.0] * 3, [1.0] * 3)
    row, warning = row_by_difference(
        plan, long, short, True, GraphInfo({"Conv": 4}, {"X": 1.0}), {"macs": 5.0}
    )
    assert (row.latency_ms, row.low_ms, row.high_ms) == pytest.approx((2.0, 2.0, 2.0))
    assert (row.count, row.noise, warning) == (6, 0.0, None)
    assert (row.op_counts, row.node_share, row.features) == ({"Conv": 4}, {"X": 1.0}, {"macs": 5.0})
    assert row.visits == {"long": long.visits, "short": short.visits}


def test_a_row_that_noise_made_negative_counts_as_zero_with_a_warning() -> None:
    plan = RowPlan("skip", "long", "short", 2)
    row, warning = row_by_difference(
        plan, reading("l", [1.0]), reading("s", [1.5]), True, GraphInfo({}), {}
    )
    assert (row.latency_ms, row.low_ms) == (0.0, -0.25)
    assert warning == "row 'skip' came out as -0.250000 ms and counts as 0"


@pytest.mark.parametrize(("field", "value"), [("latency_ms", float("nan")), ("noise", None)])
def test_a_row_refuses_what_is_no_number(table: LatencyTable, field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"Expected a finite number as {field} of row 'block'"):
        replace(table.rows["block"], **{field: value})  # type: ignore[arg-type]


def test_a_row_refuses_negative_time(table: LatencyTable) -> None:
    with pytest.raises(ValueError, match="Expected row 'block' to take 0 ms or more"):
        replace(table.rows["block"], latency_ms=-0.1)


def test_rows_are_plain_records(table: LatencyTable) -> None:
    row = table.rows["block"]
    assert strict_json.decode(Row, json.loads(json.dumps(strict_json.encode(row))), "a row") == row
