"""Searches that an error ends: what a stage has left is kept, and how to go on is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from latency.errors import LatencyError
from latency.measurement.measure import MeasureError
from nas.interface import searching
from tests.support.programs import is_refusal, run_program
from tests.support.toy import TOY

TARGET = ("--target_ms", "66.7%")


def test_a_killed_certificate_loses_no_stage_of_a_search_without_checkpoints(
    toy_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "a run"
    files = ("--table", str(toy_table), "--run_dir", str(run))
    flags = ("--method", "random", *TARGET, *TOY, *files)

    def killed(*arguments: object, **options: object) -> None:
        raise MeasureError("a new process to measure 5 models", "exit code -9", "measure again")

    with monkeypatch.context() as patch:
        patch.setattr("nas.pipeline.search.SearchRun._certify", killed)
        done = run_program("nas.py", *flags)
    assert done.exit_code == 2 and is_refusal(done.err[done.err.index("error: ") :])
    assert f"Kept: {run}. Go on with: python nas.py --run_dir '{run}' --resume" in done.err
    assert {"config.json", "table.json", "target.json"} <= {path.name for path in run.iterdir()}
    assert (run / "architecture.json").is_file()
    done = run_program("nas.py", "--resume", "--run_dir", str(run))
    assert done.exit_code in (0, 4), done.err
    assert (run / "certificate.json").is_file()


@pytest.mark.parametrize("left", ["table.json", "table.journal"])
def test_a_table_that_lies_nowhere_else_is_kept(
    left: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"

    def stages(folder: object, *others: object) -> None:
        (run / left).write_text("minutes of measuring")
        raise LatencyError("a target", "none", "name one")

    monkeypatch.setattr(searching, "_stages", stages)
    done = run_program("nas.py", "--smoke", "--lambda", "0.1", "--run_dir", str(run))
    assert done.exit_code == 2 and (run / left).read_text() == "minutes of measuring"


def test_a_search_that_never_began_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"

    def stages(*arguments: object) -> None:
        assert (run / "data.json").is_file()
        raise LatencyError("a target", "none", "name one")

    monkeypatch.setattr(searching, "_stages", stages)
    done = run_program("nas.py", "--smoke", "--lambda", "0.1", "--run_dir", str(run))
    assert done.exit_code == 2 and "Kept" not in done.err and not run.exists()
