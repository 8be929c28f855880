"""nas.py killed or told to stop at any point: what goes on ends as if nothing had happened."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.support.programs import begun, run_program
from tests.support.toy import TOY

# A machine that is busy starts TensorFlow in half a minute.
WAIT_SECONDS = 200

KILL_POINTS = [
    "config.json",
    "table.journal",
    "table.json",
    "checkpoints/search.npz",
    "search.json",
    "architecture.json",
    "supernet.json",
    "comparison.json",
]


@pytest.mark.parametrize(
    "point",
    [
        p if p == "checkpoints/search.npz" else pytest.param(p, marks=pytest.mark.slow)
        for p in KILL_POINTS
    ],
)
def test_sigkill_and_resume_end_with_the_same_architecture(
    toy_run: Path, toy_table: Path, tmp_path: Path, point: str
) -> None:
    run = tmp_path / "killed"
    # `table.journal` exists only while a table is measured, so that run measures its own.
    table = () if point == "table.journal" else ("--table", str(toy_table))
    with begun("nas.py", "--lambda", "0.1", *TOY, *table, "--run_dir", str(run)) as process:
        deadline = time.monotonic() + WAIT_SECONDS
        while not (run / point).exists() and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        assert process.poll() is None, f"{point} never appeared before the end"
        process.send_signal(signal.SIGKILL)
    assert not (run / "certificate.json").exists(), "it was too late to be killed"
    done = run_program("nas.py", "--run_dir", str(run), "--resume")
    assert done.exit_code == 0, done.err
    if table:
        for name in ("search.json", "architecture.json"):
            assert (run / name).read_bytes() == (toy_run / name).read_bytes(), name
    assert json.loads((run / "certificate.json").read_text())["measured_ms"] > 0


@pytest.mark.slow
def test_sigterm_saves_and_says_how_to_go_on(toy_table: Path, tmp_path: Path) -> None:
    run = tmp_path / "stopped"
    flags = ("--lambda", "0.1", *TOY, "--table", str(toy_table), "--run_dir", str(run))
    with begun("nas.py", *flags) as process:
        deadline = time.monotonic() + WAIT_SECONDS
        while not (run / "checkpoints" / "search.npz").exists() and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        _, text = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 143
    assert f"--run_dir {run} --resume" in text
    assert not (run / "certificate.json").exists()
