"""Jobs as folders: written, read back, made into tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import latency.device
from latency.device.graph_info import GraphInfo
from latency.device.host import DeviceState
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.jobs.folder import export_job, read_job, read_results
from latency.jobs.job import JobError
from latency.jobs.plans import WholePlan
from latency.measurement.result import read_result
from latency.tables.build import table_of
from tests.support.device_jobs import Change, edit
from tests.support.latency_graphs import toy_job
from tests.support.unhurried import TWO_ROUNDS


def test_a_folder_holds_what_a_device_needs(measured: Path) -> None:
    names = {path.name for path in measured.iterdir()}
    assert {"job.json", "manifest.json", "device", "models", "result.json"} <= names
    source = Path(latency.device.__file__).parent
    for path in source.glob("*.py"):
        assert (measured / "device" / path.name).read_bytes() == path.read_bytes()
    manifest = json.loads((measured / "manifest.json").read_text())
    roles = {entry["key"]: entry["role"] for entry in manifest["models"]}
    assert (roles["chain4"], roles["net1"], roles["net2"]) == ("row", "calibration", "held_out")
    entry = next(e for e in manifest["models"] if e["key"] == "net2")
    assert entry["row_keys"] == ["stem", "block", "block"]
    assert (manifest["space"], manifest["precision"], manifest["batch"]) == ("toy", "fp32", 1)


def test_the_folder_survives_reading(measured: Path) -> None:
    job = read_job(measured)
    assert job == toy_job()


def test_a_result_becomes_the_table_of_its_job(measured: Path) -> None:
    job = read_job(measured)
    table = table_of(job, read_results(job, measured))
    assert list(table.rows) == ["block", "stem"] and table.rounds == 4
    assert table.audit is not None and table.audit.n == 3
    assert table.rows["block"].op_counts["GlobalAveragePool"] == 1
    assert table.job_id == json.loads((measured / "job.json").read_text())["job_id"]


def test_exporting_again_keeps_what_was_measured_and_nothing_else_is_overwritten(
    folder: Path, tmp_path: Path
) -> None:
    export_job(toy_job(), folder)
    assert (folder / "result.json").is_file()
    other = toy_job(plan=TWO_ROUNDS)
    with pytest.raises(JobError, match="Expected an empty folder, or one that holds job"):
        export_job(other, folder)
    assert read_job(folder) == toy_job()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(JobError, match="one with thesis.txt.\nFix: name another folder"):
        export_job(toy_job(), tmp_path / "mine")


def test_a_killed_export_is_finished_by_the_next(tmp_path: Path) -> None:
    export_job(toy_job(), tmp_path / "toy")
    (tmp_path / "toy" / "job.json").unlink()
    export_job(toy_job(), tmp_path / "toy")
    assert read_job(tmp_path / "toy") == toy_job()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: d.update(schema_version=9), "Expected schema version 2 in"),
        (lambda d: d.pop("models"), "Expected the key 'models' in"),
        (lambda d: d["models"][-1].pop("row_keys"), "Expected row_keys of the held_out network"),
        (lambda d: d["models"][0].update(file="../job.json"), "'../job.json', which leads out of"),
        (
            lambda d: d["models"][0].update(file="models/none.onnx"),
            "which is no file in the folder",
        ),
        (lambda d: d["models"][-1].update(role="test"), "Received: 'test'"),
        (lambda d: d["rows"][0].update(divisor=0), "Expected a divisor above 0"),
    ],
)
def test_a_hand_edited_manifest_is_refused(folder: Path, change: Change, text: str) -> None:
    edit(folder / "manifest.json", change)
    with pytest.raises(JobError) as info:
        read_job(folder)
    assert text in str(info.value) and "Fix:" in str(info.value)


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="Expected a readable file .*manifest.json"):
        read_job(tmp_path)


def test_a_manifest_by_hand_needs_no_rows(folder: Path) -> None:
    (folder / "job.json").unlink()
    edit(folder / "manifest.json", lambda d: d.update(rows=[]))
    edit(folder / "manifest.json", lambda d: d.update(models=[d["models"][0], d["models"][2]]))
    job = read_job(folder, SessionSettings(), MeasurePlan())
    assert [(row.key, row.long_key, row.short_key) for row in job.rows] == [
        ("chain1", "chain1", None),
        ("stem", "stem", None),
    ]


def test_heat_throttling_and_foreign_nodes_are_said(measured: Path) -> None:
    job, result = read_job(measured), read_result(measured / "result.json")
    hot = replace(
        result,
        log=(DeviceState(result.log[0].at, 1.0, None, 91.0, "throttled=0x50000"),),
        described={"chain4": GraphInfo({}, {"CPUExecutionProvider": 0.5})},
    )
    text = " | ".join(table_of(job, hot).warnings)
    assert "reached 91 degrees" in text and "slowed itself down (throttled=0x50000)" in text
    assert "CPUExecutionProvider took 50% of row 'block'" in text


def test_plans_are_checked_when_a_job_is_made() -> None:
    with pytest.raises(ValueError, match="repeated: net1"):
        toy_job(wholes=[WholePlan("net1", ("stem",), "held_out")] * 2)
