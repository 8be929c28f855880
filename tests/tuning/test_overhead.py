"""The benchmarks of a decision's overhead and of a recording run; no time is judged."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from benchmarks import tuning_curves, tuning_overhead
from benchmarks.tuning_trainings import Recording, train
from tests.support.programs import ROOT, run_program


def test_the_overhead_of_every_scheduler_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "overhead.json"
    arguments = ["--trials", "5", "--decisions", "2", "--json", str(path)]
    assert tuning_overhead.main(arguments) == 0
    rows = json.loads(path.read_text())["figures"]
    asked = [(name, n) for name, counts in tuning_overhead.COUNTS.items() for n in counts]
    assert [(row["scheduler"], row["objectives"]) for row in rows] == asked
    readme = (ROOT / "benchmarks" / "README.md").read_text()
    for row in rows:
        assert all(math.isfinite(row[key]) and row[key] >= 0 for key in row if key != "scheduler")
        assert row["table_mib"] > 0
        assert [key for key in row if f"`{key}`" not in readme] == []
    assert len(capsys.readouterr().out.splitlines()) == 2 + len(rows)


@pytest.mark.slow
def test_a_recording_is_made_and_gone_on_with(tmp_path: Path) -> None:
    output = tmp_path / "curves.npz"
    words = ("--folder", str(tmp_path / "curves"), "--output", str(output), "--space", "toy")
    sizes = ("--epochs", "2", "--jobs", "1", "--smoke")
    script = "benchmarks/tuning_record.py"
    done = run_program(script, *words, *sizes, "--configurations", "1")
    assert done.exit_code == 0, done.err
    done = run_program(script, *words, *sizes, "--configurations", "2")
    assert "1 of 1: network 1: " in done.out
    curves = tuning_curves.load(output)
    assert curves.top1.shape == (2, 5) and curves.epochs.tolist() == [0.125, 0.25, 0.5, 1, 2]
    assert (curves.cost > 0).all() and str(curves.cost_name) == "macs"
    refused = run_program(script, *words, "--epochs", "3", "--smoke")
    assert refused.exit_code == 2 and "choose another --folder" in refused.err


@pytest.mark.slow
def test_one_network_is_trained_with_each_rate_as_if_it_were_the_first() -> None:
    recording = Recording("toy", None, 1, 0, 0.001, 0.1, 2, 0.5, True)
    both = train(recording, recording.numbers_of(0), 0)
    assert both[1] == train(recording, [1], 0)[0]
    assert both[0] != both[1]
