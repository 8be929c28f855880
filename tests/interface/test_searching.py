"""Searches that an error ends: what a stage has left is kept, and how to go on is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from latency.errors import LatencyError
from latency.measurement.measure import MeasureError
from nas.errors import InputError
from nas.interface import searching
from nas.interface.searching import still_trains
from nas.pipeline import orders
from nas.runs.folder import RunFolder
from nas.runs.outcome import Outcome
from nas.runs.records import SupernetScore
from nas.selection.goals import Goal
from tests.support.programs import is_refusal, run_program
from tests.support.run_config import run_config
from tests.support.toy import TOY

TARGET = ("--target_ms", "66.7%")


@pytest.mark.slow
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


@pytest.fixture
def nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images that are read and stages that begin fail a test."""

    def begun(*arguments: object, **options: object) -> None:
        raise AssertionError("it began")

    monkeypatch.setattr(searching, "load_data", begun)
    monkeypatch.setattr(searching, "_stages", begun)


def _no_backend(compute: object) -> None:
    raise InputError("the package jax", "no package of that name", "`pip install jax`")


@pytest.mark.parametrize(
    "flags",
    [
        ("--lambda", "0.1"),
        ("--lambda", "0.1,0.3"),
        (*TARGET, "--method", "evolution"),
        (*TARGET, "--method", "random", "--race", "2"),
    ],
)
def test_a_backend_that_is_missing_is_told_before_anything_is_done(
    flags: tuple[str, ...],
    nothing_begins: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(orders, "check_starts", _no_backend)
    run = tmp_path / "run"
    done = run_program("nas.py", *flags, *TOY, "--run_dir", str(run))
    assert done.exit_code == 2 and is_refusal(done.err) and "the package jax" in done.err
    assert not run.exists()


def test_what_trains_nothing_needs_no_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "check_starts", _no_backend)
    monkeypatch.setattr(searching, "_stages", lambda *arguments: Outcome.MET)
    run = tmp_path / "run"
    flags = ("--method", "random", *TARGET, *TOY)
    done = run_program("nas.py", *flags, "--run_dir", str(run))
    assert done.exit_code == 0, done.err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--table", "/nowhere.json"), "a latency table"),
        (("--method", "evolution", "--supernet", "/nowhere"), "to lend its supernet"),
    ],
)
def test_files_that_are_not_there_are_told_before_images_are_read(
    flags: tuple[str, ...], said: str, nothing_begins: None, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = run_program("nas.py", *TARGET, *flags, *TOY, "--run_dir", str(run))
    assert done.exit_code == 2 and is_refusal(done.err) and said in done.err
    assert not run.exists()


def test_a_run_that_goes_on_needs_a_backend_as_long_as_it_trains(tmp_path: Path) -> None:
    config = run_config()
    folder = RunFolder.create(tmp_path / "run", config, "test")
    assert still_trains(folder, config)
    folder.write(SupernetScore(0.1, 0.5))
    assert not still_trains(folder, config)

    race = run_config(Goal(percent=50.0), method="random", race=2)
    folder = RunFolder.create(tmp_path / "race", race, "test")
    assert still_trains(folder, race)
    folder.write_json("architecture.json", {})
    assert not still_trains(folder, race)
    assert not still_trains(folder, replace(race, race=None))

    goals = (Goal(penalty=0.1), Goal(penalty=0.3))
    sweep = run_config(*goals)
    folder = RunFolder.create(tmp_path / "sweep", sweep, "test")
    for goal in goals:
        assert still_trains(folder, sweep)
        below = RunFolder.create(folder.path / goal.label, run_config(goal), goal.label)
        below.write(SupernetScore(0.1, 0.5))
    assert not still_trains(folder, sweep)
