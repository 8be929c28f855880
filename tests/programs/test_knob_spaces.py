"""The documented searches of knob spaces as a user runs them, with trainings, at toy size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.programs import run_program

LENGTH = ("--max_trials", "2", "--max_epochs", "1", "--rungs", "1", "--smoke", "--workers", "1")
COMMANDS = {
    # No network of the original's size is trained here.
    "cnv": (
        *("--space", "cnv_small", "--method", "asha", "--objectives", "top1,bops"),
        *("--max_bops", "2_000_000", "--max_weight_bits", "100_000"),
    ),
    "trigger": (
        *("--space", "trigger", "--sample", "trigger", "--method", "hyperband"),
        *("--objectives", "tpr_at_rate=10kHz,weight_bits"),
    ),
}


@pytest.mark.slow  # each trains quantised networks in a process of its own
@pytest.mark.parametrize("name", COMMANDS)
def test_quantised_networks_are_trained_and_stand_in_the_record(tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    done = run_program("nas.py", *COMMANDS[name], *LENGTH, "--run_dir", str(run))
    assert done.exit_code == 0, done.err
    record = json.loads((run / "trials.json").read_text("utf-8"))
    assert record["is_finished"] and record["front"] and len(record["trials"]) == 2
    for trial in record["trials"]:
        (rung,) = trial["rungs"]
        assert rung["state"] == "done" and not rung["failures"]
        assert set(record["objectives"]) <= {*rung["reached"], *trial["known"]}
    assert record["evaluated"][0]["metrics"] is not None
