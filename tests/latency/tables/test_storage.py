"""The file of a table: its form, and what is refused or said when it is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from latency.device.settings import SessionSettings
from latency.tables import seal
from latency.tables.table import LatencyTable, TableFileError, TableMismatchError
from tests.support.latency_graphs import toy_table

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    return toy_table()


def test_a_table_survives_its_file(table: LatencyTable, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    table.save(path)
    loaded = LatencyTable.load(
        path,
        space="toy",
        space_hash="abc",
        image_size=8,
        precision="fp32",
        scheme="",
        batch=1,
        provider="CPUExecutionProvider",
        settings=SessionSettings(),
    )
    assert loaded == table and loaded.load_warnings == ()
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.json"]


def test_a_table_read_and_written_again_has_the_same_bytes(
    table: LatencyTable, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    table.save(first)
    LatencyTable.load(first).save(second)
    assert second.read_bytes() == first.read_bytes()
    # One line for each row, network, anchor and round, so that changes are seen.
    lines = first.read_text().splitlines()
    count = sum(len(part) for part in (table.rows, table.networks, table.anchors, table.state_log))
    assert sum(line.startswith("  ") for line in lines) == count


def edited(path: Path, change: Change, seals_again: bool = False) -> None:
    """Changes a table's file as somebody with an editor would, or with this program."""
    document = json.loads(path.read_text())
    change(document)
    if seals_again:
        document = seal.sealed(seal.unsealed(document))
    path.write_text(json.dumps(document))


def test_derived_values_of_a_file_are_not_believed(table: LatencyTable, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    table.save(path)

    def change(document: dict[str, Any]) -> None:
        document["networks"]["net1"]["measurement"]["latency_ms"] = 1e9
        document["host"]["fingerprint"] = "0" * 12

    edited(path, change, seals_again=True)
    assert LatencyTable.load(path) == table


def test_csv_has_a_line_a_row(table: LatencyTable, tmp_path: Path) -> None:
    table.to_csv(tmp_path / "table.csv")
    lines = (tmp_path / "table.csv").read_text().splitlines()
    assert lines[0].startswith("key,latency_ms,low_ms,high_ms,count,stable,noise,")
    assert "weight_bytes" in lines[0].split(",")
    assert lines[1].startswith(f"block,{table.rows['block'].latency_ms},") and len(lines) == 3


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (
            {"space": "tiny"},
            "Expected a table of space 'tiny' in {path}.\nReceived: space 'toy'.\nFix: build",
        ),
        ({"space_hash": "x"}, "of space_hash 'x' in {path}.\nReceived: space_hash 'abc'."),
        ({"image_size": 64}, "of image_size 64 in {path}.\nReceived: image_size 8."),
        ({"precision": "int8"}, "of precision 'int8' in {path}.\nReceived: precision 'fp32'."),
        ({"scheme": "u8u8"}, "of scheme 'u8u8' in {path}.\nReceived: scheme ''."),
        ({"batch": 8}, "of batch 8 in {path}.\nReceived: batch 1."),
        ({"provider": "XProvider"}, "Received: provider 'CPUExecutionProvider'.\nFix: build"),
        (
            {"space": "tiny", "batch": 8},
            "of space 'tiny', batch 8 in {path}.\nReceived: space 'toy', batch 1.\nFix: build a "
            "table for this space and batch, or name another file",
        ),
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


OTHER_SETTINGS: dict[str, Any] = {
    "intra_op_num_threads": 2,
    "graph_level": "extended",
    "provider": "XnnpackExecutionProvider",
    "provider_options": {"intra_op_num_threads": "2"},
    "provider_library": "plugin.so",
    "allow_spinning": False,
    "set_denormal_as_zero": False,
    "affinity": (1,),
    "config_entries": {"session.disable_prepacking": "1"},
}


def test_every_setting_is_part_of_a_tables_identity() -> None:
    assert OTHER_SETTINGS.keys() == set(SessionSettings.KEYS)


@pytest.mark.parametrize("name", OTHER_SETTINGS)
def test_a_table_of_other_settings_is_refused_by_their_names(
    table: LatencyTable, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "table.json"
    replace(table, settings=replace(table.settings, **{name: OTHER_SETTINGS[name]})).save(path)
    with pytest.raises(TableMismatchError) as info:
        LatencyTable.load(path, settings=SessionSettings(), allow_other_host=True)
    plain = getattr(SessionSettings(), name)
    assert f"Expected a table of {name} {plain!r} in {path}" in str(info.value)
    assert f"Received: {name} {OTHER_SETTINGS[name]!r}." in str(info.value)
    assert f"Fix: build a table for this {name}" in str(info.value)


def test_another_hosts_table_is_refused_unless_allowed(table: LatencyTable, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    replace(table, host=replace(table.host, cpu_model="Abacus")).save(path)
    with pytest.raises(TableMismatchError, match="Received: another host .cpu_model: .*Abacus"):
        LatencyTable.load(path)
    loaded = LatencyTable.load(path, allow_other_host=True)
    assert any("another host: cpu_model" in text for text in loaded.load_warnings)


def test_another_runtime_and_age_are_warnings(table: LatencyTable, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    old = (datetime.now(UTC) - timedelta(days=31, hours=1)).isoformat()
    replace(table, host=replace(table.host, onnxruntime="1.2.3"), date=old).save(path)
    warnings = LatencyTable.load(path).load_warnings
    assert len(warnings) == 2
    assert "measured with onnxruntime 1.2.3" in warnings[0]
    assert "31 days old" in warnings[1]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: d.update(schema_version=99), "Expected schema version 3 in"),
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
        (
            lambda d: d["rows"]["block"]["visits"]["long"][0]["runs_ms"].__setitem__(0, 0),
            "above 0 ms",
        ),
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


def test_another_quota_or_governor_is_a_doubt_and_no_refusal(
    table: LatencyTable, tmp_path: Path
) -> None:
    path = tmp_path / "table.json"
    replace(table, host=replace(table.host, quota_cores=0.25)).save(path)
    doubts = LatencyTable.load(path).load_warnings
    assert any("under another limit: quota_cores: " in text for text in doubts)
