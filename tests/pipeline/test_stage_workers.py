"""Parts of a run that workers do: the run is what it would be without them, and nobody else's."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latency.errors import LatencyError
from nas.architecture import text as arch_text
from nas.data import Dataset
from nas.errors import InputError
from nas.executors.needs import ExecutorConfig
from nas.hardware.tables import table_job
from nas.pipeline import device_table, retrain, stage_work, stage_workers
from nas.pipeline.device_table import JOB_FOLDER, DeviceMeasuring
from nas.pipeline.race import RaceRun
from nas.pipeline.retrain import RetrainRun
from nas.pipeline.retrain_jobs import train_ahead
from nas.pipeline.stage_jobs import SCRATCH, check_travels, files_of, paths_of
from nas.pipeline.stage_workers import StageWorkers
from nas.recipes.scales import SMOKE
from nas.runs.config import RaceConfig, TrainingConfig
from nas.runs.data import DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.runs.records import ComparedNetwork, TrainedRecord
from nas.selection.goals import Goal, Target
from nas.selection.successive_halving import Candidate, RaceResult, run_race
from nas.system.interrupt import Interrupter
from nas.training import trainer
from nas.training.lost import LostWeightsError
from tests.support.in_process import InProcessExecutor
from tests.support.made_up_trainings import MadeUpTrainings
from tests.support.run_config import run_config
from tests.support.toy import toy_space
from tests.support.toy_stages import toy_costs, toy_dataset

SPACE = toy_space()
FOUND, OTHER = SPACE.smallest(), SPACE.largest()
RANDOM = ComparedNetwork("random", "random 1", arch_text.to_text(OTHER))
# Each option of the first two choices.
FIELD = [
    Candidate(f"search {i}", "search", n, arch_text.to_text(SPACE.decode(n)), None, None)
    for i, n in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)], start=1)
]


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> MadeUpTrainings:
    """Trainings that take no time, in this process whoever does them."""
    found = MadeUpTrainings()

    def train(*a: Any, **k: Any) -> trainer.TrainResult:
        return found.train(*a, **k)

    def executor(asked: Any, task: str, folder: Path, workers: int, shared: Any) -> Any:
        return InProcessExecutor(task, folder, workers)

    for module in (retrain, trainer):
        monkeypatch.setattr(module, "train_network", train)
    for module in (stage_workers, device_table):
        monkeypatch.setattr(module, "executor_of", executor)
    monkeypatch.setattr(RetrainRun, "_export", lambda *a: found.export(*a))
    monkeypatch.setattr("nas.system.backend.start", lambda *_: None)
    monkeypatch.setattr("nas.system.backend.forget_models", lambda: None)
    monkeypatch.setattr(stage_work, "load_data", lambda *_: toy_dataset())
    monkeypatch.setattr(stage_work, "_images", stage_work._Images())
    return found


def workers_of(folder: RunFolder) -> StageWorkers:
    return StageWorkers(folder, DataSource(), ExecutorConfig(), 2, (), Interrupter())


def retraining(path: Path, seeds: int = 2, dataset: Dataset | None = None) -> RetrainRun:
    config = run_config(Goal(target=0.7))
    folder = RunFolder.create(path, config, "retrain")
    dataset = dataset or toy_dataset()
    recipe = replace(SMOKE.recipe, epochs=1.0, batch_size=20)
    folder.write(DataRecord.of(dataset))
    folder.write(TrainingConfig(recipe=recipe, seed=0, compute=config.compute, seeds=seeds))
    return RetrainRun(
        folder, FOUND, dataset, recipe, 0, (RANDOM,), Target(0.7), None, SMOKE, Interrupter(),
        seeds=seeds,
    )  # fmt: skip


def files(folder: RunFolder) -> dict[str, bytes]:
    """Everything that a training leaves."""
    kept = [p for p in folder.path.rglob("*") if p.is_file() and p.parts[-2] != "workers"]
    return {p.relative_to(folder.path).as_posix(): p.read_bytes() for p in sorted(kept)}


def test_trainings_by_workers_leave_what_those_of_this_program_do(
    made_up: MadeUpTrainings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = retraining(tmp_path / "here"), retraining(tmp_path / "there")
    there.workers = workers_of(there.folder)
    trained = here._trained(here.entries)
    begun, said = list(made_up.begun), capsys.readouterr().out
    made_up.begun.clear()
    train_ahead([there], there.workers)
    assert made_up.begun == begun, "all networks with one seed, then the next one"
    assert there._trained(there.entries) == trained and made_up.begun == begun
    found = files(there.folder)
    assert found["model.onnx"] and len([n for n in found if n.startswith("retrained/")]) == 4
    expected = files(here.folder)
    assert set(found) == set(expected)
    # The rest says at which moment it was written.
    timed = ("config.json", "tensorboard")
    differing = [n for n, data in expected.items() if found[n] != data and n.startswith(timed)]
    assert [n for n in expected if found[n] != expected[n]] == differing
    # What a user reads is the same, too, whoever has trained.
    assert capsys.readouterr().out == said


def test_first_weights_go_to_the_workers_and_are_removed(
    made_up: MadeUpTrainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[Any] = []

    def train(*a: Any, initial_weights: Any, **k: Any) -> trainer.TrainResult:
        got.append(initial_weights)
        return made_up.train(*a, **k)

    monkeypatch.setattr(retrain, "train_network", train)
    run = retraining(tmp_path / "run", seeds=1)
    weights = {"searched": {"conv/kernel": np.arange(6.0, dtype=np.float32).reshape(2, 3)}}
    run = replace(run, initial_weights=weights)
    train_ahead([run], workers_of(run.folder))
    (first, second) = got
    np.testing.assert_array_equal(first["conv/kernel"], weights["searched"]["conv/kernel"])
    assert first["conv/kernel"].dtype == np.float32 and second is None
    assert not any((run.folder.path / "checkpoints").iterdir())


def test_a_training_that_fails_is_told_and_the_others_are_kept(
    made_up: MadeUpTrainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = True

    def train(network: Any, *a: Any, seed: int, **k: Any) -> trainer.TrainResult:
        if broken and (arch_text.to_text(network), seed) == (arch_text.to_text(FOUND), 0):
            raise LostWeightsError("a finite loss", "nan at step 3", "a lower rate")
        return made_up.train(network, *a, seed=seed, **k)

    monkeypatch.setattr(retrain, "train_network", train)
    run = retraining(tmp_path / "run")
    with pytest.raises(InputError) as caught:
        train_ahead([run], workers_of(run.folder))
    assert "searched" in caught.value.received and "nan at step 3" in caught.value.received
    assert len(made_up.begun) == 3 and not (run.folder.path / SCRATCH).exists()
    broken = False
    train_ahead([run], workers_of(run.folder))
    assert len(made_up.begun) == 4 and run.is_trained
    # As one run of many it is over, and the others go on.
    broken = True
    run = replace(retraining(tmp_path / "one of many", seeds=1), others_go_on=True)
    train_ahead([run], workers_of(run.folder))
    assert run.loss is not None and "nan at step 3" in run.loss.reason


def test_a_training_that_loses_its_weights_is_over_and_stops_no_other(
    made_up: MadeUpTrainings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def train(network: Any, *a: Any, seed: int, **k: Any) -> trainer.TrainResult:
        result = made_up.train(network, *a, seed=seed, **k)
        if (arch_text.to_text(network), seed) == (RANDOM.text, 0):
            raise LostWeightsError("a finite loss", "nan at step 3", "a lower rate")
        return result

    monkeypatch.setattr(retrain, "train_network", train)
    run = retraining(tmp_path / "run")
    train_ahead([run], workers_of(run.folder))
    assert "nan at step 3" in capsys.readouterr().out
    assert len(made_up.begun) == 4 and run.is_trained
    assert [(one.name, one.seed) for one in run.lost] == [("random 1", 0)]
    trained = run._trained(run.entries)
    assert [[one.seed for one in records] for records in trained] == [[0, 1], [1]]
    assert len(made_up.begun) == 4, "nobody trains it again"


def test_a_race_by_workers_ends_as_one_of_this_program(
    made_up: MadeUpTrainings, tmp_path: Path
) -> None:
    found = []
    for name in ("here", "there"):
        config = replace(run_config(Goal(target=0.7)), race=RaceConfig(4, 2.0), seed=3)
        folder = RunFolder.create(tmp_path / name / "goal", config, "race")
        folder.write(DataRecord.of(toy_dataset()))
        # The folder that workers share may be that of a sweep.
        root = RunFolder(tmp_path / name)
        workers = workers_of(root) if name == "there" else None
        run = RaceRun(
            folder, SPACE, toy_costs(SPACE), toy_dataset(), config, None, Interrupter(), workers
        )
        with nullcontext() if workers is None else workers.kept():
            result = run_race(FIELD, 2.0, run._train, run._ahead)
        found.append((result, list(made_up.begun)))
        made_up.begun.clear()
        assert not (root.path / SCRATCH).exists()
    assert found[0] == found[1] and len(found[0][1]) == 6
    assert isinstance(found[0][0], RaceResult)


def test_what_leads_out_of_the_run_is_refused(tmp_path: Path, made_up: MadeUpTrainings) -> None:
    run = retraining(tmp_path / "run", seeds=1)
    workers = workers_of(run.folder)
    job = workers.job(
        run.folder, "training", {}, checkpoint="a", record=TrainedRecord.FILE.format(name="a")
    )
    job.archive.parent.mkdir()
    for name in ("../outside", "/outside", "a/../../outside"):
        with zipfile.ZipFile(job.archive, "w") as archive:
            archive.writestr(name, b"x")
        with pytest.raises(InputError, match="files of a run"):
            workers._take_over(job, {"lines": [], "keeps_checkpoint": True})
    assert not (tmp_path / "outside").exists()


def test_a_job_says_which_files_travel_and_where_images_are(tmp_path: Path) -> None:
    run = retraining(tmp_path / "sweep" / "goal", seeds=1)
    workers = workers_of(RunFolder(tmp_path / "sweep"))
    job = workers.job(
        run.folder, "supernet", {}, checkpoint="search", record="r", inputs=("no.json",)
    )
    assert files_of(vars(job)) == (
        "goal/config.json",
        "goal/data.json",
        "goal/checkpoints/search.npz",
        "scratch/goal-search.zip",
    )
    config = replace(run_config(Goal(target=0.7)), space="/spaces/own.py", blocks=("/b.py",))
    recipe = config.recipe.changed(schedule="/s.py:course")
    paths = paths_of(DataSource("files", "/images"), config, recipe)
    assert paths == ("/images", "/b.py", "/spaces/own.py", "/s.py")


@pytest.mark.parametrize("given", [None, toy_dataset()])
def test_images_of_this_programs_memory_do_not_travel(given: Dataset | None) -> None:
    with pytest.raises(InputError, match="which workers read by themselves"):
        check_travels(DataSource("memory"), given)
    check_travels(DataSource("files", "/images"), None)


@pytest.mark.slow
def test_a_device_measures_the_table_of_its_job_and_leaves_no_job(
    made_up: MadeUpTrainings, tmp_path: Path
) -> None:
    job = table_job(SPACE, 0, SMOKE.measuring)
    measuring = DeviceMeasuring(ExecutorConfig("ray", "local"), Interrupter())
    table = measuring.table(job, "pi", tmp_path / "table.json")
    assert table.job_id == job.workload.job_id and table.space_hash == SPACE.fingerprint()
    assert table.host.cpu_model and table.host.onnxruntime
    assert not (tmp_path / JOB_FOLDER).exists()


def test_a_device_that_is_nowhere_leaves_no_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(asked: ExecutorConfig, *_: Any) -> Sequence[Any]:
        raise InputError(f"a node with the device {asked.needs.device}", "no device", "start it")

    monkeypatch.setattr(device_table, "executor_of", nowhere)
    measuring = DeviceMeasuring(ExecutorConfig("ray", "local"), Interrupter())
    with pytest.raises(LatencyError, match="the device pi"):
        measuring.table(table_job(SPACE, 0, SMOKE.measuring), "pi", tmp_path / "table.json")
    assert not any(tmp_path.iterdir())
