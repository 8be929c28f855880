"""The program on the device: what it runs, refuses and tells."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import latency.device
from latency.device.job import unknown_config_keys
from latency.jobs.folder import export_job, read_job, read_results
from latency.measurement.result import read_result
from latency.tables.build import table_of
from tests.support.device_jobs import MODULE, Change, edit, on_device, run_worker
from tests.support.latency_graphs import toy_job
from tests.support.unhurried import TWO_ROUNDS

FOLDER = Path(latency.device.__file__).parent


def test_the_program_on_the_device_needs_nothing_of_the_package_around_it(measured: Path) -> None:
    code = (
        "import sys, device.job\n"
        "roots = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(roots & {'latency', 'nas', 'onnx', 'scipy', 'rich', 'onnxruntime'}))\n"
    )
    done = on_device([sys.executable, "-c", code], measured)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_the_program_is_written_for_python_3_9(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 9))
    # Fields of records are evaluated at run time, where an older Python has no `int | None`.
    for kind in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        for field in (node for node in kind.body if isinstance(node, ast.AnnAssign)):
            assert not any(isinstance(part, ast.BitOr) for part in ast.walk(field.annotation))


def test_wrong_usage_on_the_device_is_exit_code_2(measured: Path) -> None:
    for arguments in ([], ["--prog"], [".", "."]):
        done = on_device([sys.executable, *MODULE, *arguments], measured)
        assert done.returncode == 2
        assert "usage: python3 -m device " in done.stderr


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
    assert (after.visits, after.rounds) == (before.visits, before.rounds)


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
        (lambda d: d.update(schema_version=1), "Expected schema version 3 in "),
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
    job = toy_job(wholes=[], plan=TWO_ROUNDS)
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


def test_a_journal_of_another_device_is_refused(folder: Path) -> None:
    (folder / "result.json").unlink()
    journal = folder / "journal.jsonl"
    first, rest = journal.read_text().split("\n", 1)
    identity = json.loads(first)["identity"]
    journal.write_text(json.dumps({"identity": identity[:-3] + "xyz"}) + "\n" + rest)
    done = run_worker(folder)
    assert done.returncode == 2 and "Expected a journal of the session" in done.stderr


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
