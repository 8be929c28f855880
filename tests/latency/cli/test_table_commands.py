"""What the commands that make tables and jobs print, hand on and refuse."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latency.cli import program, table_commands
from latency.device.job import run_job
from latency.device.settings import SessionSettings
from latency.jobs.folder import read_job
from latency.jobs.job import Job
from latency.jobs.ssh import SshTarget, _files_of
from latency.terminal import warn
from tests.support.latency_graphs import chain, hidden_gather
from tests.support.unhurried import TWO_ROUNDS_FLAGS


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    path.write_bytes(chain(1))
    return path


@pytest.fixture
def job(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The folder of a job with one graph and two rounds."""
    folder = tmp_path / "job"
    assert program.main(["table", str(model), "--export_job", str(folder), *TWO_ROUNDS_FLAGS]) == 0
    capsys.readouterr()
    return folder


def test_an_exported_job_is_told_as_one_object(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "job"
    assert program.main(["table", str(model), "--export_job", str(folder), "--json"]) == 0
    written = json.loads((folder / "job.json").read_text())
    assert json.loads(capsys.readouterr().out) == {
        "job_id": written["job_id"],
        "folder": str(folder),
        "graphs": len(written["models"]),
    }


def test_a_folder_beside_files_is_refused(
    job: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "table.json"
    assert program.main(["table", str(job), str(model), "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert "Received: 2 arguments with a folder among them.\nFix: name the folder alone" in error
    assert not output.exists()


def test_a_folder_is_measured_in_the_precision_that_was_asked(job: Path, tmp_path: Path) -> None:
    folder = tmp_path / "int8"
    flags = ["--precision", "int8", "--scheme", "s8s8"]
    assert program.main(["table", str(job), "--export_job", str(folder), *flags]) == 0
    before, after = read_job(job), read_job(folder)
    assert (before.subject.precision, before.subject.scheme) == ("fp32", "")
    assert (after.subject.precision, after.subject.scheme) == ("int8", "s8s8")
    assert [m.key for m in after.models] == [m.key for m in before.models]
    assert all(b"QuantizeLinear" in m.data for m in after.models)
    assert after.rows == before.rows


def test_a_folder_is_measured_as_its_job_says_but_for_what_flags_change(
    model: Path, tmp_path: Path
) -> None:
    def exported(name: str, source: Path, *flags: str) -> Job:
        words = ["table", str(source), "--export_job", str(tmp_path / name), *flags]
        assert program.main(words) == 0
        return read_job(tmp_path / name)

    int8 = ("--precision", "int8", "--scheme", "s8s8")
    own = ("--threads", "2", "--min_rounds", "3", "--max_rounds", "4", "--seed", "5", *int8)
    first = exported("first", model, *own)
    settings = (first.settings.intra_op_num_threads, first.subject.precision)
    plan = (first.plan.min_rounds, first.plan.max_rounds, first.plan.seed)
    assert (settings, plan) == ((2, "int8"), (3, 4, 5))
    assert exported("same", tmp_path / "first") == first
    assert exported("again", tmp_path / "first", *int8) == first, "it is in this precision"
    changed = exported("changed", tmp_path / "first", "--max_rounds", "9", "--graph_level", "basic")
    assert changed.plan == replace(first.plan, max_rounds=9)
    assert changed.settings == replace(first.settings, graph_level="basic")
    # Without job.json, as a folder that is written by hand, the command's own values hold.
    (tmp_path / "first" / "job.json").unlink()
    assert exported("by hand", tmp_path / "first").settings == SessionSettings()


@pytest.mark.parametrize(
    "other", [("fp32",), ("fp16",), ("int8", "--scheme", "u8u8")], ids=lambda words: words[0]
)
def test_models_in_int8_do_not_become_others(
    other: tuple[str, ...], model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, words = tmp_path / "int8", ("--precision", "int8", "--scheme", "s8s8")
    assert program.main(["table", str(model), "--export_job", str(folder), *words]) == 0
    output = tmp_path / "table.json"
    asked = ["table", str(folder), "--precision", *other, "--output", str(output)]
    assert program.main(asked) == 2
    assert "fp32" in capsys.readouterr().err and not output.exists()


def test_a_job_that_was_run_here_names_its_result_and_the_next_command(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["run-job", str(job)]) == 0
    done, then = capsys.readouterr().out.splitlines()
    graphs = len(read_job(job).everything)
    assert done.startswith(f"{graphs} graphs, 2 rounds, ") and done.endswith(f"{job}/result.json")
    assert then == f"then: python -m latency import-result {job} --output table.json"


def test_a_result_that_is_named_twice_is_refused_and_no_table_written(
    job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["run-job", str(job)]) == 0
    copy = shutil.copy(job / "result.json", tmp_path / "copy.json")
    table = tmp_path / "twice.json"
    for other in (job / "result.json", copy):
        flags = ["--result", str(job / "result.json"), "--result", str(other)]
        assert program.main(["import-result", str(job), *flags, "--output", str(table)]) == 2
        assert "Received: result 1 and result 2, which began at" in capsys.readouterr().err
    assert not table.exists()


def test_ssh_flags_reach_the_target_and_its_words_stay_out_of_the_json(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    targets: list[SshTarget] = []
    words: list[str] = []

    def run(folder: Path, target: SshTarget, *, progress: object, flags: list[str]) -> Path:
        targets.append(target)
        words.extend(flags)
        warn("sending 6 of 6 files")
        return Path(run_job(str(folder)))

    monkeypatch.setattr(table_commands, "run_over_ssh", run)
    flags = ["--ssh", "pi@board", "--ssh_option=-p", "--ssh_option=2222"]
    flags += ["--remote_python", "/opt/python3", "--remote_folder", "there"]
    loading = ["--provider_library", "plugin.so", "--provider_option", "a=b"]
    assert program.main(["run-job", str(job), "--json", *flags, *loading]) == 0
    assert words == loading  # a path on the device stays as it is
    assert targets == [SshTarget("pi@board", ("-p", "2222"), "/opt/python3", "there")]
    printed = capsys.readouterr()
    assert json.loads(printed.out)["result"] == str(job / "result.json")
    assert "sending 6 of 6 files\n" in printed.err


def test_own_arrays_go_into_a_job_and_over_the_wire(tmp_path: Path) -> None:
    net, ids, folder = tmp_path / "ids.onnx", tmp_path / "ids.npz", tmp_path / "job"
    net.write_bytes(hidden_gather(rows=9))
    np.savez(ids, image=np.full((1, 4), 8, np.int64))
    flags = ["--input", str(ids), "--export_job", str(folder), *TWO_ROUNDS_FLAGS]
    assert program.main(["table", str(net), *flags]) == 0
    assert read_job(folder).models[0].inputs == ids.read_bytes()
    assert "models/0000.npz" in _files_of(folder)
    # Without the arrays, drawn ids would be beyond the table.
    assert program.main(["run-job", str(folder)]) == 0
    # Measured again as a folder of models, it is still these arrays.
    again = ["table", str(folder), "--output", str(tmp_path / "t.json"), *TWO_ROUNDS_FLAGS]
    assert program.main(again) == 0


@pytest.mark.parametrize("flags", [["--input_shape", "image=1,3"], ["--input", "a.npz"]])
def test_flags_for_files_are_refused_beside_a_folder(
    tmp_path: Path, job: Path, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    output = ["--output", str(tmp_path / "t.json")]
    assert program.main(["table", str(job), *output, *flags]) == 2
    error = capsys.readouterr().err
    assert f"Received: {' '.join(flags)} beside a folder" in error


def test_a_model_that_fails_when_it_runs_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short, output = tmp_path / "short.onnx", tmp_path / "table.json"
    short.write_bytes(hidden_gather(rows=50))
    assert program.main(["table", str(short), "--output", str(output), "--max_rounds", "9"]) == 2
    error = capsys.readouterr().err
    assert f"Expected a model that runs for model '{short}'" in error
    assert "out of data bounds" in error and not output.exists()
