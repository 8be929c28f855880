"""The commands of `python -m latency`: output, exit codes, messages."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from latency_graphs import chain, toy_table

from latency import cli
from latency.table import LatencyTable

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    return toy_table()


def test_measure_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, output = tmp_path / "net.onnx", tmp_path / "out.json"
    model.write_bytes(chain(1))
    rounds = ["--min_rounds", "2", "--max_rounds", "2"]
    assert cli.main(["measure", str(model), "--json", "--output", str(output), *rounds]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(output.read_text())
    assert printed["measurements"][str(model)]["count"] == 6
    assert cli.main(["measure", str(model), *rounds]) == 0
    assert "p25 ms" in capsys.readouterr().out


def test_table_commands(
    table: LatencyTable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, csv = str(tmp_path / "table.json"), tmp_path / "rows.csv"
    table.save(path)
    assert cli.main(["show", path, "--csv", str(csv)]) == 0
    assert "block" in capsys.readouterr().out and csv.exists()
    assert cli.main(["audit", path]) == 0
    assert "Kendall tau" in capsys.readouterr().out
    assert cli.main(["audit", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 3
    assert cli.main(["check", path]) == 0
    assert "the same host" in capsys.readouterr().out


def test_check_command_tells_another_host(
    table: LatencyTable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "table.json")
    replace(table, host=replace(table.host, cores_visible=512)).save(path)
    assert cli.main(["check", path, "--json"]) == 3
    printed = json.loads(capsys.readouterr().out)
    assert printed["same_host"] is False and "512 there" in printed["differences"][0]
    assert cli.main(["check", path]) == 3
    assert "another host" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["measure", "none.onnx"], "Expected an ONNX file at none.onnx. Received: no such file."),
        (["measure", "bad.onnx"], "Expected an ONNX model that CPUExecutionProvider runs"),
        (["measure", "bad.onnx", "--threads", "0"], "Expected intra_op_num_threads of 1 or more"),
        (["measure", "bad.onnx", "--max_rounds", "1"], "Expected max_rounds to be at least"),
        (["show", "none.json"], "Expected a latency table in JSON at none.json"),
        (["audit", "bare.json"], "Received: one without an audit. Fix: build the table with"),
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
    assert cli.main([*arguments, "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ") and text in printed.err
    assert "Fix: " in printed.err


@pytest.mark.parametrize("arguments", [[], ["measure"], ["paint"], ["show", "t.json", "--js"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as info:
        cli.main(arguments)
    assert info.value.code == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_command_with_its_exit_code(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    # The signal comes from inside the measurement, so no waiting and no timing is involved.
    script = (
        "import os, runpy, signal\n"
        "from latency import worker\n"
        # A background job of a shell inherits that SIGINT is ignored; a user's command does not.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"worker.model_runner = lambda *_: lambda: os.kill(os.getpid(), {int(number)})\n"
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
