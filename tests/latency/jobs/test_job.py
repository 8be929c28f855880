"""Jobs: the folder, the program for the device in it, results and their import."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import latency.device
from latency.device.graph_info import GraphInfo
from latency.device.host import DeviceState
from latency.device.job import unknown_config_keys
from latency.device.plan import MeasurePlan
from latency.device.records import Result
from latency.device.settings import SessionSettings
from latency.jobs.folder import export_job, read_job, read_results
from latency.jobs.job import Job, JobError
from latency.jobs.plans import WholePlan
from latency.measurement.result import ResultError, merge_results, read_result
from latency.tables.build import table_of
from tests.support.latency_graphs import toy_job

MODULE = ("-m", "device")
Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job folder with the result of its own program, run as on a device."""
    folder = tmp_path_factory.mktemp("job") / "toy"
    export_job(toy_job(), folder)
    done = run_worker(folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(folder / "result.json")
    return folder


@pytest.fixture
def folder(measured: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(measured, tmp_path / "toy"))


def run_worker(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return on_device([sys.executable, *MODULE, str(folder), *flags], folder)


def on_device(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    # As a person starts it there: no path leads to this repository.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env=environment
    )


def edit(path: Path, change: Change) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


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


def test_the_program_on_the_device_needs_nothing_of_the_package_around_it(measured: Path) -> None:
    code = (
        "import sys, device.job\n"
        "roots = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(roots & {'latency', 'nas', 'onnx', 'scipy', 'rich', 'onnxruntime'}))\n"
    )
    done = on_device([sys.executable, "-c", code], measured)
    assert done.stdout == "[]\n", done.stderr


def test_wrong_usage_on_the_device_is_exit_code_2(measured: Path) -> None:
    for arguments in ([], ["--help"], [".", "."]):
        done = on_device([sys.executable, *MODULE, *arguments], measured)
        assert done.returncode == 2
        assert "usage: python3 -m device FOLDER" in done.stderr


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


def test_a_second_worker_finds_the_result(folder: Path) -> None:
    before = (folder / "result.json").read_bytes()
    done = run_worker(folder, "--progress")
    assert done.returncode == 0 and done.stdout.startswith("result ")
    assert (folder / "result.json").read_bytes() == before


def test_a_lost_result_is_made_of_the_journal_alone(folder: Path) -> None:
    before = read_result(folder / "result.json")
    (folder / "result.json").unlink()
    assert run_worker(folder).returncode == 0
    after = read_result(folder / "result.json")
    assert (after.samples_ms, after.rounds) == (before.samples_ms, before.rounds)


def test_exporting_again_keeps_what_was_measured_and_nothing_else_is_overwritten(
    folder: Path, tmp_path: Path
) -> None:
    export_job(toy_job(), folder)
    assert (folder / "result.json").is_file()
    other = toy_job(plan=MeasurePlan(min_rounds=2, max_rounds=2))
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


def test_a_changed_model_is_refused_by_the_worker(folder: Path) -> None:
    (folder / "result.json").unlink()
    path = folder / "models" / "0000.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    done = run_worker(folder)
    assert done.returncode == 2
    assert "Expected the models and settings that make job" in done.stderr
    assert "Fix: copy the whole folder again" in done.stderr


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: d.update(schema_version=1), "Expected schema version 2 in "),
        (lambda d: d.pop("quantities"), "Expected the key 'quantities' in "),
        (lambda d: d["plan"].update(seed="x"), "Expected a whole number at `plan.seed` in "),
        (lambda d: d["settings"].update(graph_level="basic"), "Received: those of job"),
    ],
)
def test_a_changed_job_is_refused_by_the_worker(folder: Path, change: Change, text: str) -> None:
    edit(folder / "job.json", change)
    done = run_worker(folder)
    assert done.returncode == 2 and text in done.stderr and "Traceback" not in done.stderr


def test_a_worker_reports_keys_that_it_does_not_know(tmp_path: Path) -> None:
    job = toy_job(wholes=[], plan=MeasurePlan(min_rounds=2, max_rounds=2))
    export_job(job, tmp_path / "toy")
    edit(tmp_path / "toy" / "job.json", lambda d: d.update(colour="red"))
    done = run_worker(tmp_path / "toy")
    assert done.returncode == 0, done.stderr
    assert "warning: colour is unknown here" in done.stderr
    result = read_result(tmp_path / "toy" / "result.json")
    assert result.unknown_keys == ("colour",)
    assert any("colour was unknown" in text for text in table_of(job, result).warnings)


def test_keys_that_onnxruntime_lacks_are_found_in_its_binary() -> None:
    known, unknown = "session.intra_op.allow_spinning", "session.disable_nchwc"
    assert unknown_config_keys([known, unknown]) == [unknown]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: d.update(schema_version=9), "Expected schema version 1 in"),
        (lambda d: d.pop("models"), "Expected the key 'models' in"),
        (lambda d: d["models"][-1].pop("row_keys"), "Expected row_keys of the held_out network"),
        (lambda d: d["models"][0].update(file="../job.json"), "'../job.json', which is no file in"),
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
    with pytest.raises(JobError, match="Expected a readable text file .*manifest.json"):
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


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: d.update(schema_version=9), "Expected a device's result: schema version 2 in"),
        (lambda d: d.update(job_id="0" * 16), "Received: one of job 0000000000000000.\nFix:"),
        (lambda d: d.pop("samples_ms"), "Expected a device's result: the key 'samples_ms' in"),
        (lambda d: d["host"].pop("cpu_model"), "the key 'cpu_model' at `host` in"),
        (lambda d: d["samples_ms"]["net1"][0].__setitem__(0, float("nan")), "which is no number"),
        (lambda d: d["samples_ms"]["net1"][0].__setitem__(0, -1.0), "Expected samples of 'net1'"),
        (lambda d: d["samples_ms"]["net1"][0].__setitem__(0, 0), "Expected samples of 'net1'"),
        (lambda d: d["samples_ms"].pop("net1"), "Expected samples of every model"),
        (lambda d: d["certain"].pop(), "Expected a verdict on each of"),
    ],
)
def test_a_broken_result_is_refused(folder: Path, change: Change, text: str) -> None:
    edit(folder / "result.json", change)
    job = read_job(folder)
    with pytest.raises(ValueError) as info:
        table_of(job, read_results(job, folder))
    assert text in str(info.value) and "Fix:" in str(info.value)


def test_a_truncated_result_is_refused(folder: Path) -> None:
    path = folder / "result.json"
    path.write_text(path.read_text()[:300])
    with pytest.raises(ResultError, match="Expected a device's result: whole JSON in"):
        read_result(path)


def merged(job: Job, *results: Result) -> Result:
    return merge_results(results, job.quantities, job.device_plan)


def test_two_sessions_of_one_device_join(folder: Path) -> None:
    job, one = read_job(folder), read_result(folder / "result.json")
    both = merged(job, one, one)
    assert both.rounds == 2 * one.rounds
    assert both.samples_ms["net1"] == [*one.samples_ms["net1"], *one.samples_ms["net1"]]
    assert table_of(job, both).rows["block"].count == 2 * table_of(job, one).rows["block"].count


def test_results_of_two_devices_are_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    shutil.copy(folder / "result.json", other)
    edit(other, lambda d: d["host"].update(cpu_model="Abacus", hostname="attic"))
    job = read_job(folder)
    with pytest.raises(ResultError, match="Expected results of one device.\nReceived: .*'attic'"):
        read_results(job, folder, [folder / "result.json", other])


def test_a_journal_of_another_device_is_refused(folder: Path) -> None:
    (folder / "result.json").unlink()
    journal = folder / "journal.jsonl"
    first, rest = journal.read_text().split("\n", 1)
    identity = json.loads(first)["identity"]
    journal.write_text(json.dumps({"identity": identity[:-3] + "xyz"}) + "\n" + rest)
    done = run_worker(folder)
    assert done.returncode == 2 and "Expected a journal of the session" in done.stderr


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


@pytest.mark.slow
def test_the_worker_runs_on_python_3_9(measured: Path, tmp_path: Path) -> None:
    """With the onnxruntime that this Python implies; needs a network or a package mirror."""
    python = shutil.which("python3.9")
    works = python and subprocess.run([python, "-c", ""], check=False).returncode == 0
    if not works:
        pytest.skip("no python3.9 here")
    subprocess.run([str(python), "-m", "venv", tmp_path / "old"], check=True)
    pip = [str(tmp_path / "old" / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    if subprocess.run([*pip, "onnxruntime", "numpy"], check=False).returncode:
        pytest.skip("onnxruntime for Python 3.9 cannot be installed here")
    export_job(toy_job(), tmp_path / "toy")
    done = on_device([pip[0], *MODULE, "."], tmp_path / "toy")
    assert done.returncode == 0, done.stderr
    job = read_job(tmp_path / "toy")
    table = table_of(job, read_results(job, tmp_path / "toy"))
    assert table.host.python.startswith("3.9.") and table.rows["block"].node_share is None
