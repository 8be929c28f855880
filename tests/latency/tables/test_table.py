"""Tables: rows by difference, the file and its refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from latency.device import strict_json
from latency.device.graph_info import GraphInfo
from latency.device.host import current_host
from latency.device.settings import SessionSettings
from latency.jobs.plans import RowPlan, WholePlan
from latency.measurement.measure import Measurement, MeasurePlan
from latency.tables.rows import Row, row_by_difference
from latency.tables.table import LatencyTable, MissingRowError, TableFileError, TableMismatchError
from tests.support.latency_graphs import toy_table


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    return toy_table()


def reading(key: str, *visits: list[float]) -> Measurement:
    return Measurement(key, tuple(tuple(visit) for visit in visits), 0.25, True)


def test_a_row_is_the_difference_over_the_divisor() -> None:
    plan = RowPlan("block", "long", "short", 3)
    long, short = reading("long", [7.0] * 3, [7.0] * 3), reading("short", [1.0] * 3, [1.0] * 3)
    row, warning = row_by_difference(
        plan, long, short, True, GraphInfo({"Conv": 4}, {"X": 1.0}), {"macs": 5.0}
    )
    assert (row.latency_ms, row.low_ms, row.high_ms) == pytest.approx((2.0, 2.0, 2.0))
    assert (row.count, row.noise, warning) == (6, 0.0, None)
    assert (row.op_counts, row.node_share, row.features) == ({"Conv": 4}, {"X": 1.0}, {"macs": 5.0})
    assert row.samples_ms == {"long": long.samples_ms, "short": short.samples_ms}


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


@pytest.mark.parametrize("divisor", [0, -1, float("nan")])
def test_a_row_plan_refuses_a_divisor(divisor: float) -> None:
    with pytest.raises(ValueError, match="Expected a divisor above 0 for row 'r'.\nReceived: "):
        RowPlan("r", "long", "short", divisor)


def test_a_whole_plan_refuses_a_role() -> None:
    with pytest.raises(ValueError, match="Received: 'test'.\nFix: use one of them"):
        WholePlan("net", (), "test")


def test_a_built_table_holds_rows_networks_calibration_and_audit(table: LatencyTable) -> None:
    assert list(table.rows) == ["block", "stem"]
    assert table.rows["block"].latency_ms > 0 and table.run_overhead_ms > 0
    assert table.rows["block"].op_counts["GlobalAveragePool"] == 1
    assert sorted(table.networks) == [f"net{n}" for n in range(1, 7)]
    assert table.calibration is not None and table.calibration.n == 3
    assert table.audit is not None and table.audit.n == 3
    assert [point[0] for point in table.audit.points] == ["net2", "net4", "net6"]
    assert (table.statistic, table.plan.seed, table.rounds) == ("p25", 3, 4)
    now = current_host()
    assert table.host.fingerprint == now.fingerprint and table.host.hostname == now.hostname
    assert table.rows["block"].node_share == {"CPUExecutionProvider": 1.0}
    assert len(table.state_log) == 4 and table.state_log[0].at >= table.date
    assert list(table.anchors) == ["net2", "net4", "net6"]


def test_a_prediction_is_the_calibrated_sum_of_rows(table: LatencyTable) -> None:
    slope, intercept_ms = table.affine
    sum_ms = table.rows["stem"].latency_ms + 2 * table.rows["block"].latency_ms
    predicted_ms = table.predict_ms(("stem", "block", "block"))
    assert predicted_ms == pytest.approx(slope * sum_ms + intercept_ms)
    assert table.audit is not None
    assert table.audit.points[0][1] == pytest.approx(predicted_ms)


def test_without_networks_the_overhead_is_counted_once() -> None:
    bare = toy_table(wholes=[])
    assert (bare.calibration, bare.audit, bare.affine) == (None, None, (1.0, bare.run_overhead_ms))


def test_a_missing_row_is_an_error_and_never_zero(table: LatencyTable) -> None:
    with pytest.raises(MissingRowError, match="Expected a measured row for 'attic' in the table"):
        table.predict_ms(("stem", "attic"))


@pytest.mark.parametrize(
    ("wholes", "text"),
    [
        ([WholePlan("net9", ("stem",), "held_out")], "Received: none for net9 (1 missing)"),
        ([WholePlan("net1", ("roof",), "held_out")], "Received: none for roof (1 missing)"),
        ([WholePlan("net1", ("stem",), "held_out")] * 2, "repeated: net1.\nFix:"),
    ],
)
def test_plans_that_name_nothing_are_refused_before_anything_is_timed(
    wholes: list[WholePlan], text: str
) -> None:
    with pytest.raises(ValueError) as info:
        toy_table(wholes=wholes)
    assert text in str(info.value)


def test_unstable_rows_and_many_threads_are_said() -> None:
    plan = MeasurePlan(min_rounds=2, max_rounds=2, relative_tolerance=0.0)
    settings = SessionSettings(intra_op_num_threads=2, allow_spinning=False)
    warnings = toy_table(wholes=[], plan=plan, settings=settings).warnings
    assert any(text.startswith("not stable: ") and "--max_rounds 4" in text for text in warnings)
    assert any(text.startswith("more than one thread") for text in warnings)


def test_a_table_build_resumes_and_leaves_its_journal_to_the_caller(tmp_path: Path) -> None:
    journal = tmp_path / "journal"

    def stop(done: int, total: int, seconds_left: float) -> None:
        # Nine groups a round, counting the empty model's: in the third round.
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy_table(resume_path=journal, progress=stop)
    before = [json.loads(line)["samples_ms"] for line in journal.read_text().splitlines()[1:]]
    assert len(before) == 2
    resumed = toy_table(resume_path=journal)
    assert [list(v) for v in resumed.rows["block"].samples_ms["long"][:2]] == [
        record["chain4"] for record in before
    ]
    # All rounds are in the journal now, so the same build times nothing and gives the same.
    again = toy_table(resume_path=journal)
    assert again.rows == resumed.rows and again.audit == resumed.audit


def test_a_table_survives_its_file(table: LatencyTable, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    table.save(path)
    loaded = LatencyTable.load(
        path,
        space="toy",
        space_hash="abc",
        image_size=8,
        precision="fp32",
        provider="CPUExecutionProvider",
        threads=1,
    )
    assert loaded == table and loaded.load_warnings == ()
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.json"]


def test_csv_has_a_line_a_row(table: LatencyTable, tmp_path: Path) -> None:
    table.to_csv(tmp_path / "table.csv")
    lines = (tmp_path / "table.csv").read_text().splitlines()
    assert lines[0].startswith("key,latency_ms,low_ms,high_ms,count,stable,noise,")
    assert "weight_bytes" in lines[0].split(",")
    assert lines[1].startswith(f"block,{table.rows['block'].latency_ms},") and len(lines) == 3


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ({"space": "tiny"}, "Expected a table of space 'tiny' in {path}.\nReceived: 'toy'.\nFix:"),
        ({"space_hash": "x"}, "Expected a table of space_hash 'x' in {path}.\nReceived: 'abc'."),
        ({"image_size": 64}, "Expected a table of image_size 64 in {path}.\nReceived: 8."),
        (
            {"precision": "int8"},
            "Expected a table of precision 'int8' in {path}.\nReceived: 'fp32'",
        ),
        ({"provider": "XExecutionProvider"}, "Received: 'CPUExecutionProvider'.\nFix: build"),
    ],
)
def test_a_table_of_something_else_is_refused(
    table: LatencyTable, tmp_path: Path, expected: dict[str, Any], text: str
) -> None:
    path = tmp_path / "table.json"
    table.save(path)
    with pytest.raises(TableMismatchError) as info:
        LatencyTable.load(path, **expected)
    assert text.format(path=path) in str(info.value)
    with pytest.raises(TableMismatchError):
        LatencyTable.load(path, allow_other_host=True, **expected)


def test_another_hosts_table_is_refused_unless_allowed(table: LatencyTable, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    replace(table, host=replace(table.host, cpu_model="Abacus")).save(path)
    with pytest.raises(TableMismatchError, match="Received: another host .cpu_model: .*Abacus"):
        LatencyTable.load(path)
    loaded = LatencyTable.load(path, allow_other_host=True)
    assert any("another host: cpu_model" in text for text in loaded.load_warnings)


def test_another_runtime_threads_and_age_are_warnings(table: LatencyTable, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    old = (datetime.now(UTC) - timedelta(days=31, hours=1)).isoformat()
    replace(table, host=replace(table.host, onnxruntime="1.2.3"), date=old).save(path)
    warnings = LatencyTable.load(path, threads=4).load_warnings
    assert len(warnings) == 3
    assert "measured with onnxruntime 1.2.3" in warnings[0]
    assert warnings[1] == "the table is for 1 threads, not for 4"
    assert "31 days old" in warnings[2]


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: d.update(schema_version=99), "Expected schema version 2 in"),
        (lambda d: d.pop("schema_version"), "Received: no schema_version"),
        (lambda d: d.pop("rows"), "Expected the key 'rows' in"),
        (lambda d: d.pop("state_log"), "Expected the key 'state_log' in"),
        (lambda d: d.update(image_size="8"), "Expected a whole number at `image_size` in"),
        (lambda d: d["rows"]["block"].update(latency_ms=float("nan")), "NaN, which is no number"),
        (lambda d: d["rows"]["block"].update(latency_ms=-1), "to take 0 ms or more"),
        (
            lambda d: d["rows"]["block"].update(latency_ms="1"),
            "a number at `rows.block.latency_ms`",
        ),
        (lambda d: d["rows"]["block"].update(key="roof"), "row 'roof' stored under 'block'"),
        (lambda d: d["rows"]["block"].update(surprise=1), "Received: 'surprise'"),
        (lambda d: d["rows"]["block"]["samples_ms"]["long"][0].__setitem__(0, 0), "above 0 ms"),
        (lambda d: d["rows"].update(roof=None), "Expected an object at `rows.roof` in"),
        (lambda d: d["host"].pop("cpu_model"), "the key 'cpu_model' at `host` in"),
        (lambda d: d["settings"].update(graph_level="x"), "Expected a graph_level among"),
        (lambda d: d["calibration"].update(a=-1), "slope above 0"),
        (lambda d: d["plan"].update(min_rounds=0), "Expected min_rounds to be 1 or more"),
        (lambda d: d["calibration"].pop("feature"), "the key 'feature' at `calibration` in"),
        (lambda d: d.update(date="yesterday"), "Expected a date in ISO 8601 with a time zone"),
        (lambda d: d.update(date="2026-01-01T00:00:00"), "Expected a date in ISO 8601 with a"),
        (lambda d: d.update(run_overhead_ms=1e999), "Infinity, which is no number"),
    ],
)
def test_a_hand_edited_table_is_refused(
    table: LatencyTable, tmp_path: Path, change: Change, text: str
) -> None:
    path = tmp_path / "table.json"
    table.save(path)
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(TableFileError) as info:
        LatencyTable.load(path)
    assert text in str(info.value)
    assert "Received: " in str(info.value) and "Fix: " in str(info.value)


def test_a_truncated_and_a_missing_file_are_refused(table: LatencyTable, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    table.save(path)
    path.write_text(path.read_text()[:500])
    with pytest.raises(TableFileError, match="Expected a latency table in JSON at"):
        LatencyTable.load(path)
    with pytest.raises(TableFileError, match="No such file"):
        LatencyTable.load(tmp_path / "none.json")


def test_a_table_that_cannot_be_stored_leaves_the_old_file(
    table: LatencyTable, tmp_path: Path
) -> None:
    path = tmp_path / "table.json"
    path.write_text("old")
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace(table, load_average_after=float("nan")).save(path)
    assert path.read_text() == "old"


def test_rows_are_plain_records(table: LatencyTable) -> None:
    row = table.rows["block"]
    assert strict_json.decode(Row, json.loads(json.dumps(strict_json.encode(row))), "a row") == row
