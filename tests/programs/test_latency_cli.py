"""The commands of `python -m latency`: output, exit codes, messages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from latency.cli import program
from latency.jobs.folder import export_job
from latency.tables.table import LatencyTable
from tests.support.latency_graphs import chain, toy_job, toy_table
from tests.support.programs import is_refusal
from tests.support.unhurried import TWO_ROUNDS_FLAGS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    return toy_table()


# The usual plan; tests/latency/cli/test_timing_commands.py has shorter ones.
@pytest.mark.slow
def test_measure_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, output = tmp_path / "net.onnx", tmp_path / "out.json"
    model.write_bytes(chain(1))
    # What is not stable on this machine of the moment ends with exit code 4 and prints the same.
    code = program.main(["measure", str(model), "--json", "--output", str(output)])
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(output.read_text())
    found = printed["measurements"][str(model)]
    assert code == (0 if found["stable"] else 4)
    # Twelve rounds of three runs in each of three processes, or more.
    assert found["count"] >= 108 and len(found["measurements"]) == 3
    assert found["p50_ms"] <= found["p90_ms"] <= found["p99_ms"]


def test_table_commands(
    table: LatencyTable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, csv = str(tmp_path / "table.json"), tmp_path / "rows.csv"
    table.save(path)
    assert program.main(["show", path, "--csv", str(csv)]) == 0
    assert "block" in capsys.readouterr().out and csv.exists()
    assert program.main(["audit", path]) == 0
    assert "Kendall tau" in capsys.readouterr().out
    assert program.main(["audit", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 3


def test_check_command_measures_again(
    table: LatencyTable,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = str(tmp_path / "table.json")
    table.save(path)
    codes = {"good": 0, "stale": 3, "cannot tell": 4}
    short = ["--max_rounds", "12", "--max_wait_seconds", "0"]
    code = program.main(["check", path, "--json", *short])
    printed = json.loads(capsys.readouterr().out)
    assert codes[printed["verdict"]] == code and len(printed["points"]) == 3
    assert printed["settings"]["graph_level"] == "all"
    code = program.main(["check", path, "--graph_level", "disabled", *short])
    text = capsys.readouterr().out
    assert "graph level disabled" in text and "residual" in text and "drift" in text
    assert any(f"{verdict}: " in text for verdict, number in codes.items() if number == code)


def test_check_command_refuses_another_host(
    table: LatencyTable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "table.json")
    replace(table, host=replace(table.host, cores_visible=512)).save(path)
    assert program.main(["check", path, "--json"]) == 2
    assert "512 there).\nFix: run this check on that machine." in capsys.readouterr().err


def test_a_job_goes_the_whole_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, output = tmp_path / "job", tmp_path / "table.json"
    export_job(toy_job(), folder)
    assert program.main(["run-job", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rounds"] == 4
    assert program.main(["import-result", str(folder), "--output", str(output)]) == 0
    assert "Kendall tau" in capsys.readouterr().out
    assert sorted(LatencyTable.load(output).rows) == ["block", "stem"]


def test_a_table_of_a_folder_and_of_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = tmp_path / "job", tmp_path / "table.json"
    export_job(toy_job(), folder)
    rounds = ["--min_rounds", "3", "--max_rounds", "3", "--max_wait_seconds", "0"]
    arguments = ["table", str(folder), "--output", str(output), "--json", *rounds]
    assert program.main([*arguments, "--threads", "1", "--graph_level", "extended"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["audit"]["n"] == 3
    table = LatencyTable.load(output)
    assert (table.settings.graph_level, table.rounds) == ("extended", 3)

    files = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    for number, path in enumerate(files):
        path.write_bytes(chain(number + 1))
    assert program.main(["table", *map(str, files), "--output", str(output), *rounds]) == 0
    assert "written to" in capsys.readouterr().out
    table = LatencyTable.load(output)
    assert list(table.rows) == [str(path) for path in files] and table.audit is None
    assert not list(tmp_path.glob("*.journal"))


def test_a_job_of_files_is_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, folder = tmp_path / "a.onnx", tmp_path / "job"
    model.write_bytes(chain(1))
    assert program.main(["table", str(model), "--export_job", str(folder)]) == 0
    assert "python3 -m device ." in capsys.readouterr().out
    assert (folder / "device" / "__main__.py").is_file()


def test_a_dynamic_model_is_measured_with_a_shape(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "net.onnx"
    model.write_bytes(chain(1, size="side"))
    rounds = [*TWO_ROUNDS_FLAGS, "--processes", "1", "--json"]
    assert program.main(["measure", str(model), *rounds]) == 2
    assert "--input_shape image=1,3,N,N" in capsys.readouterr().err
    # It runs; one process alone is never stable.
    assert program.main(["measure", str(model), "--input_shape", "image=1,3,8,8", *rounds]) == 4
    assert json.loads(capsys.readouterr().out)["measurements"][str(model)]["count"] >= 6


def test_settings_flags_reach_the_measurement(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "net.onnx"
    model.write_bytes(chain(1))
    core = str(min(os.sched_getaffinity(0)))
    flags = ["--threads", "2", "--no-spinning", "--affinity", core, "--graph_level", "basic"]
    flags += ["--config", "session.dynamic_block_base=4", *TWO_ROUNDS_FLAGS]
    flags += ["--processes", "1"]
    before = os.sched_getaffinity(0)
    assert program.main(["measure", str(model), "--json", *flags]) == 4
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["intra_op_num_threads"] == 2 and settings["allow_spinning"] is False
    assert settings["affinity"] == [int(core)] and settings["graph_level"] == "basic"
    assert settings["config_entries"] == {"session.dynamic_block_base": "4"}
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["measure", "none.onnx"], "Expected an ONNX file.\nReceived: none.onnx, no such file."),
        (["measure", "bad.onnx"], "Expected a whole ONNX model.\nReceived: bad.onnx"),
        (["measure", "bad.onnx", "--affinity", "a"], "Expected --affinity as core numbers"),
        (["measure", "bad.onnx", "--config", "x"], "Expected --config NAME=VALUE"),
        (["measure", "bad.onnx", "--config", "x.y=1"], "a configuration key that onnxruntime"),
        (["table", "bad.onnx"], "Expected either --output or --export_job.\nReceived: neither."),
        (["run-job", "."], "Expected a readable file manifest.json"),
        (["import-result", ".", "--output", "no/t.json"], "Expected a file in an existing folder"),
        (["predict", "bare.json", "bad.onnx"], "Expected a table with enough rows to learn from"),
        (["measure", "bad.onnx", "--threads", "0"], "Expected intra_op_num_threads from 1 to 4096"),
        (["measure", "bad.onnx", "--max_rounds", "0"], "Expected min_rounds to be 1 or more"),
        (["show", "none.json"], "Expected a latency table in JSON at none.json"),
        (["audit", "bare.json"], "Received: one without an audit.\nFix: build the table with"),
    ],
)
def test_bad_input_is_exit_code_2_and_one_message(
    table: LatencyTable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.onnx").write_text("no onnx")
    replace(table, audit=None).save("bare.json")
    assert program.main([*arguments, "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ") and text in printed.err
    assert "Fix: " in printed.err


@pytest.mark.parametrize("arguments", [[], ["measure"], ["paint"], ["show", "t.json", "--js"]])
def test_wrong_usage_is_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(arguments) == 2
    assert is_refusal(capsys.readouterr().err)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_command_with_its_exit_code(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    # The signal comes from inside the measurement, so no waiting and no timing is involved.
    script = (
        "import os, runpy, signal\n"
        "from latency.measurement import processes\n"
        # A background job of a shell inherits that SIGINT is ignored; a user's command does not.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"processes.measure_fresh_process = lambda *_: os.kill(os.getpid(), {int(number)})\n"
        "runpy.run_module('latency', run_name='__main__')\n"
    )
    model = tmp_path / "net.onnx"
    model.write_bytes(chain(1))
    done = subprocess.run(
        [sys.executable, "-c", script, "measure", str(model)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
