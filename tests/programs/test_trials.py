"""Searches by trials as a user runs them, with trainings, at toy size."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import begun, is_refusal, run_program
from tests.support.toy import TOY

WAIT_SECONDS = 400
FLAGS = (
    *("--method", "asha", *TOY, "--max_trials", "4", "--max_epochs", "2", "--reduction", "2"),
    *("--rungs", "2", "--objectives", "top1,ms", "--workers", "1"),
)


def trials(run: Path) -> list[dict[str, Any]]:
    """What trials came to, without the time that it took."""
    found: list[dict[str, Any]] = json.loads((run / "trials.json").read_text("utf-8"))["trials"]
    for trial in found:
        for rung in trial["rungs"]:
            del rung["seconds"]
    return found


@pytest.mark.slow  # two programs, of which each trains several networks
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT])
def test_search_that_is_stopped_ends_as_one_that_is_not(
    tmp_path: Path, toy_table: Path, signum: signal.Signals
) -> None:
    calm, run = tmp_path / "calm", tmp_path / "stopped"
    table = ("--table", str(toy_table))
    done = run_program("nas.py", *FLAGS, *table, "--run_dir", str(calm))
    assert done.exit_code == 0, done.err
    assert "Front of the whole trainings" in done.out
    with begun("nas.py", *FLAGS, *table, "--run_dir", str(run)) as process:
        deadline = time.monotonic() + WAIT_SECONDS
        while not (run / "checkpoints" / "trial_000001.npz").exists() and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signum)
        process.wait(timeout=WAIT_SECONDS)
    assert process.returncode == (-signum if signum == signal.SIGKILL else 128 + signum)
    record = json.loads((run / "trials.json").read_text("utf-8"))
    assert not record["is_finished"], "it was too late to be stopped"
    done = run_program("nas.py", "--run_dir", str(run), "--resume")
    assert done.exit_code == 0, done.err
    assert trials(run) == trials(calm)
    assert not any(rung["failures"] for trial in trials(run) for rung in trial["rungs"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--method", "asha"], "--max_trials, how many configurations are tried"),
        (
            ["--method", "random", "--max_trials", "4", "--rungs", "2"],
            "whose trials are trained whole",
        ),
        (["--method", "asha", "--max_trials", "4", "--lambda", "0.1"], "--lambda"),
        (["--lambda", "0.1", "--max_trials", "4"], "--max_trials with --method asha"),
        (["--method", "asha", "--max_trials", "4", "--budgets", "params<=9"], "params"),
    ],
)
def test_refusals_end_the_program_and_leave_no_folder(
    tmp_path: Path, words: list[str], expected: str
) -> None:
    run = tmp_path / "run"
    done = run_program("nas.py", *words, *TOY, "--run_dir", str(run))
    assert done.exit_code == 2 and is_refusal(done.err) and expected in done.err
    assert not run.exists()
