"""A sweep: every goal a run of its own, as if it had been started alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from latency.cli.exit_codes import EXIT_CANNOT_TELL, EXIT_DONE, EXIT_NOT_MET
from nas.data import Dataset, Split
from nas.errors import InputError
from nas.executors.needs import ExecutorConfig
from nas.interface import retraining, searching
from nas.pipeline import sweep as stage
from nas.pipeline.inputs import keep_data
from nas.pipeline.search import SearchRun
from nas.pipeline.stage_jobs import StageJob
from nas.pipeline.stage_workers import StageWorkers
from nas.pipeline.sweep import SweepRun
from nas.runs.config import RunConfig, read_search_config
from nas.runs.data import DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.runs.front import AddedNetwork, FrontPlan
from nas.runs.outcome import Outcome
from nas.runs.sweep import Pareto
from nas.selection.goals import Goal
from nas.system.interrupt import Interrupter
from tests.support.programs import run_program
from tests.support.report_front import made_up_front
from tests.support.run_config import run_config
from tests.support.toy import IMAGE_SIZE, SAMPLE_CLASSES, toy_space

GOALS = (Goal(percent=25.0), Goal(percent=75.0))


@pytest.fixture
def dataset() -> Dataset:
    labels = np.arange(2 * SAMPLE_CLASSES, dtype=np.int32) % SAMPLE_CLASSES
    split = Split(np.zeros((len(labels), IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8), labels)
    names = tuple(f"class {i}" for i in range(SAMPLE_CLASSES))
    return Dataset("toy", split, split, names, IMAGE_SIZE, "0" * 16, True)


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[RunConfig]:
    """Configurations of the searches that a sweep begins; none of them searches."""
    found: list[RunConfig] = []

    def written(path: Path, labels: Sequence[str]) -> Path:
        RunFolder(path).write(Pareto("supernet_top1", (), ()))
        return path / "pareto.png"

    class Search:
        def __init__(self, folder: RunFolder, *rest: Any) -> None:
            found.append(read_search_config(folder.path))

        def run(self) -> SimpleNamespace:
            return SimpleNamespace(outcome=Outcome.MET if len(found) == 1 else Outcome.NOT_MET)

    monkeypatch.setattr(stage, "SearchRun", Search)
    monkeypatch.setattr(stage, "write_pareto", written)
    monkeypatch.setattr(stage, "print_pareto", lambda pareto, more: None)
    return found


def sweep_of(config: RunConfig, dataset: Dataset, tmp_path: Path) -> SweepRun:
    folder = RunFolder.create(tmp_path / "sweep", config, "test")
    return SweepRun(folder, toy_space(), dataset, config, Interrupter())


@pytest.mark.parametrize(
    ("outcomes", "exit_code"),
    [
        ((Outcome.MET, Outcome.MET), EXIT_DONE),
        pytest.param((Outcome.NOT_ASKED, Outcome.MET), EXIT_DONE, marks=pytest.mark.slow),
        pytest.param((Outcome.MET, Outcome.CANNOT_TELL), EXIT_CANNOT_TELL, marks=pytest.mark.slow),
        ((Outcome.NOT_MET, Outcome.CANNOT_TELL), EXIT_NOT_MET),
        pytest.param((Outcome.NOT_MET, Outcome.MET), EXIT_NOT_MET, marks=pytest.mark.slow),
    ],
)
def test_a_search_of_several_goals_ends_with_the_worst_of_them(
    outcomes: tuple[Outcome, Outcome],
    exit_code: int,
    dataset: Dataset,
    tmp_path: Path,
    searched: list[RunConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Search:
        def __init__(self, folder: RunFolder, *rest: Any) -> None:
            searched.append(read_search_config(folder.path))

        def run(self) -> SimpleNamespace:
            return SimpleNamespace(outcome=outcomes[len(searched) - 1])

    monkeypatch.setattr(stage, "SearchRun", Search)
    monkeypatch.setattr(stage, "begun_costs", lambda *arguments: None)
    monkeypatch.setattr(SweepRun, "_check_goals", lambda *arguments: None)
    monkeypatch.setattr(searching, "load_data", lambda *arguments: dataset)
    words = ["--target_ms", "1,2", "--method", "random", "--smoke"]
    done = run_program("nas.py", *words, "--run_dir", str(tmp_path / "run"))
    assert done.exit_code == exit_code, done.err
    assert [config.goals for config in searched] == [(Goal(target=1.0),), (Goal(target=2.0),)]


@pytest.mark.parametrize(
    ("outcome", "exit_code"),
    [
        (Outcome.NOT_ASKED, EXIT_DONE),
        (Outcome.MET, EXIT_DONE),
        (Outcome.CANNOT_TELL, EXIT_CANNOT_TELL),
        (Outcome.NOT_MET, EXIT_NOT_MET),
    ],
)
def test_a_retraining_of_several_goals_ends_with_what_its_front_came_to(
    outcome: Outcome, exit_code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder.create(tmp_path / "sweep", run_config(*GOALS), "test")
    monkeypatch.setattr(retraining, "retrain_front", lambda *arguments: outcome)
    assert run_program("main.py", "--run", str(folder.path)).exit_code == exit_code


def test_each_goal_has_the_configuration_of_a_run_alone(
    toy_table: Path, dataset: Dataset, tmp_path: Path, searched: list[RunConfig]
) -> None:
    config = run_config(*GOALS, method="random", table=str(toy_table))
    sweep = sweep_of(config, dataset, tmp_path)
    assert sweep.run() is Outcome.NOT_MET, "one of two is not met"
    table = str(tmp_path / "sweep" / "table.json")
    assert searched == [replace(config, goals=(goal,), table=table) for goal in GOALS]
    for goal in GOALS:
        folder = RunFolder.open(tmp_path / "sweep" / goal.label)
        assert folder.read(DataRecord).fingerprint == dataset.fingerprint


def test_a_sweep_that_goes_on_lists_the_further_networks_of_its_front(
    toy_table: Path,
    dataset: Dataset,
    tmp_path: Path,
    searched: list[RunConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed: list[list[str]] = []

    def written(path: Path, labels: Sequence[str]) -> Path:
        listed.append(list(labels))
        RunFolder(path).write(Pareto("supernet_top1", (), ()))
        return path

    monkeypatch.setattr(stage, "write_pareto", written)
    config = run_config(*GOALS, method="random", table=str(toy_table))
    sweep = sweep_of(config, dataset, tmp_path)
    sweep.run()
    front = made_up_front(count=2)
    added = AddedNetwork(front.networks[1].name, "", 1.0, 1.0, 1.0, 1.0)
    sweep.folder.write(FrontPlan(3, (added,)))
    sweep.folder.write(front)
    sweep.run()
    labels = [goal.label for goal in GOALS]
    assert listed == [labels, [*labels, "added-1"]]


def test_a_sweep_that_goes_on_reads_what_each_goal_was_asked_for(
    toy_table: Path, dataset: Dataset, tmp_path: Path, searched: list[RunConfig]
) -> None:
    config = run_config(*GOALS, method="random", table=str(toy_table))
    sweep = sweep_of(config, dataset, tmp_path)
    sweep.run()
    paths = sorted((tmp_path / "sweep").rglob("config.json"))
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in paths]
    sweep.run()
    assert searched[:2] == searched[2:]
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in paths] == before


def test_a_goal_out_of_reach_is_refused_before_any_search(
    toy_table: Path, dataset: Dataset, tmp_path: Path, searched: list[RunConfig]
) -> None:
    goals = (GOALS[0], Goal(target=900.0))
    config = run_config(*goals, method="random", table=str(toy_table))
    with pytest.raises(InputError, match="the range of space `toy`"):
        sweep_of(config, dataset, tmp_path).run()
    assert not searched


def test_a_wrong_lender_is_refused_before_any_table_is_measured(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(*arguments: Any) -> None:
        raise AssertionError("a table was measured")

    monkeypatch.setattr(stage, "begun_costs", measure)
    config = run_config(*GOALS, method="evolution", supernet=str(tmp_path / "gone"))
    with pytest.raises(InputError, match=r"a run folder with config\.json"):
        sweep_of(config, dataset, tmp_path).run()


@pytest.mark.slow
def test_a_sweep_may_move_between_its_goals(
    toy_table: Path,
    dataset: Dataset,
    tmp_path: Path,
    searched: list[RunConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = run_config(*GOALS, method="random", table=str(toy_table))
    sweep = sweep_of(config, dataset, tmp_path)
    sweep.run()
    moved = sweep.folder.path.rename(tmp_path / "moved")
    for goal in GOALS:
        own = moved / goal.label / "table.json"
        assert own.read_bytes() == (moved / "table.json").read_bytes()
    went_on: list[RunConfig] = []

    class Search:
        def __init__(self, folder: RunFolder, space: Any, images: Any, own: RunConfig, *_: Any):
            went_on.append(own)

        def run(self) -> SimpleNamespace:
            return SimpleNamespace(outcome=Outcome.MET)

    monkeypatch.setattr(stage, "SearchRun", Search)
    # A file that is gone was named again: each goal has to know.
    now = replace(config, blocks=("/now/blocks.py",))
    SweepRun(RunFolder.open(moved), toy_space(), dataset, now, Interrupter()).run()
    assert [own.blocks for own in went_on] == [("/now/blocks.py",)] * 2
    assert [own.goals for own in went_on] == [(goal,) for goal in GOALS]


def test_workers_train_the_warm_up_and_then_the_supernets_of_all_goals(
    toy_table: Path, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[list[StageJob]] = []

    class Told(StageWorkers):
        def do(self, jobs: Sequence[StageJob], label: str) -> None:
            told.append(list(jobs))
            for job in jobs:
                assert all((job.run.path / name).is_file() for name in job.inputs)
                was = job.run.checkpoint("search")
                # Each goal goes on from the warm-up.
                before = was.read_text("utf-8") if was.exists() else ""
                assert before == ("" if job.folder == "" else "warm")
                was.write_text("warm", "utf-8")
                job.run.write_json(job.record, {"steps": 3})

    def no_run(search: SearchRun) -> SimpleNamespace:
        return SimpleNamespace(outcome=Outcome.MET)

    monkeypatch.setattr(SearchRun, "run", no_run)
    monkeypatch.setattr(stage, "write_pareto", lambda path, labels: path)
    monkeypatch.setattr(stage, "print_pareto", lambda pareto, more: None)
    config = run_config(*GOALS, table=str(toy_table))
    sweep = sweep_of(config, dataset, tmp_path)
    keep_data(sweep.folder, dataset)
    sweep.folder.write(Pareto("supernet_top1", (), ()))
    made = (sweep.folder, DataSource(), ExecutorConfig(), 2, (), sweep.interrupter)
    sweep.workers = Told(*made)
    assert sweep.run() is Outcome.MET
    (warm_up,), goals = told
    assert (warm_up.folder, warm_up.details) == ("", {"only_warm_up": True})
    assert [(job.folder, job.details) for job in goals] == [
        (goal.label, {"only_warm_up": False}) for goal in GOALS
    ]
    assert {"config.json", "data.json", "table.json", "target.json"} == set(goals[0].inputs)
    # What is trained is asked of nobody again.
    told.clear()
    sweep.run()
    assert told == [[]]
