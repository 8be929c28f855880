"""What a worker asks of a training and answers of it; the training itself is made up.

That real trainings come to the same wherever they are left is tested in test_trial_task.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from latency.device import strict_json
from nas.architecture.spec import Architecture
from nas.architecture.text import to_text
from nas.data import Dataset
from nas.executors.task import Context, TaskError
from nas.interface.trials_config import AskedTrials, trials_config
from nas.metrics import AskedMetrics, evaluated
from nas.pipeline import trial_task
from nas.pipeline.inputs import keep_data, load_data
from nas.pipeline.trial_bench import Bench, bench_of, checkpoint_name
from nas.pipeline.trial_evaluation import EvaluationJob, EvaluationResult
from nas.pipeline.trial_jobs import work
from nas.pipeline.trial_task import LegJob, LegResult, values_of
from nas.recipes.scales import SMOKE
from nas.runs.config import read_config
from nas.runs.data import DataSource
from nas.runs.folder import RunFolder
from nas.runs.trials import TrialsConfig
from nas.system import backend
from nas.system.interrupt import Interrupter
from nas.training.evaluation import Accuracy
from nas.training.last_or_average import LastAndAverage
from nas.training.loop import Control, LoopState
from nas.training.lost import LostWeightsError
from nas.training.recipe import Recipe
from nas.training.trainer import TrainResult
from tests.support.trained_runs import untrained_run

SOURCE = DataSource(image_size=32)
NETWORK = "in_s32 cn_r1_k3_s2_c8 gap fc_c12"
CLASSES, SEED = 12, 3
OPTIONS = {
    "method": "asha",
    "space": "toy",
    "smoke": True,
    "seed": SEED,
    "image_size": 32,
    "max_trials": 4,
    "max_epochs": 4.0,
    "reduction": 2,
    "rungs": 3,
}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load_data(SOURCE, SMOKE, SEED)


@pytest.fixture(scope="module")
def folder(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run whose trials are compared after 1 and 2 of 4 epochs."""
    return made(tmp_path_factory.mktemp("legs") / "run", dataset)


def made(path: Path, dataset: Dataset, **options: Any) -> RunFolder:
    config = trials_config(AskedTrials(SOURCE, {**OPTIONS, **options}), SMOKE)
    found = RunFolder.create(path, config, "toy")
    keep_data(found, dataset)
    return found


def config_of(folder: RunFolder) -> TrialsConfig:
    config = read_config(folder.path)
    assert isinstance(config, TrialsConfig)
    return config


def scores_of(images: np.ndarray) -> np.ndarray:
    """Scores that differ by image: those of its first pixels."""
    return images.reshape(len(images), -1)[:, :CLASSES].astype(np.float32)


@dataclass
class Training:
    """Stands in for `train_network`.

    Args:
        scores: Images -> scores of what was trained.
        rows: Steps of the history's rows.
        lost: Whether the weights are lost.
        asked: What it was called with.
        forgotten: How often what trainings leave behind was let go of.
    """

    scores: Any = scores_of
    rows: tuple[int, ...] = (3, 6, 9, 12, 24)
    lost: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    forgotten: int = 0

    def forget(self) -> None:
        self.forgotten += 1

    def __call__(
        self,
        network: Architecture,
        dataset: Dataset,
        recipe: Recipe,
        control: Control,
        **named: Any,
    ) -> TrainResult:
        self.asked.append({"network": network, "recipe": recipe, "control": control, **named})
        for step in self.rows:
            control.on_progress(LoopState(step), 99)
        if self.lost:
            raise LostWeightsError("a finite loss", "nan", "a lower rate")
        history = [{"step": step, "loss": 1 / step, "val": math.nan} for step in self.rows]
        reached = Accuracy(0.5, 0.75, 1.25, 48)
        learned = Accuracy(0.625, 0.9, math.nan, 48)
        model = SimpleNamespace(predict_on_batch=self.scores)
        both = LastAndAverage("average", "recipe", 0.25, 0.5)
        return TrainResult(model, reached, learned, 0.6, 480, 1.5, history, both)


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Training:
    found = Training()
    monkeypatch.setattr("nas.training.trainer.train_network", found)
    # Looking for garbage takes most of a second, and there is none.
    monkeypatch.setattr(backend, "forget_models", found.forget)
    return found


@pytest.fixture
def said() -> list[Mapping[str, Any]]:
    return []


def leg(
    folder: RunFolder, rung: int, before: int | None, said: list[Mapping[str, Any]]
) -> LegResult:
    recipe = config_of(folder).recipe
    job = LegJob(str(folder.path), SOURCE, 7, rung, before, NETWORK, recipe)
    found = work(strict_json.encode(job), Context("1", Interrupter(), said.append))
    return strict_json.decode(LegResult, found, "a worker")


def test_a_leg_is_a_part_of_the_whole_training_up_to_its_rung(
    folder: RunFolder, training: Training, said: list[Mapping[str, Any]]
) -> None:
    leg(folder, 1, 0, said)
    config, (asked,) = config_of(folder), training.asked
    control, division = asked["control"], asked["division"]
    images = len(division[0])
    steps = config.scheduler.ladder.steps(config.recipe.steps(images))
    assert len(steps) == 3 and steps[0] < steps[1] < steps[2]
    assert (control.stop_step, control.row_steps) == (steps[1], frozenset(steps))
    assert control.checkpoint_path == folder.checkpoint("trial_000007")
    assert control.pace == SMOKE.pace
    assert to_text(asked["network"]) == NETWORK and asked["seed"] == SEED
    assert asked["recipe"] == config.recipe, "the whole recipe, whatever the rung"
    assert training.forgotten == 1


def test_a_leg_answers_what_it_came_to_and_the_rows_that_are_new(
    folder: RunFolder, training: Training, said: list[Mapping[str, Any]]
) -> None:
    first, rest = leg(folder, 0, None, said), leg(folder, 1, 0, said)
    end = Bench(folder, config_of(folder), load_data(SOURCE, SMOKE, SEED)).steps_of(
        config_of(folder).recipe
    )[0]
    assert [row["step"] for row in first.curve] == list(training.rows)
    new = [step for step in training.rows if step > end]
    assert [row["step"] for row in rest.curve] == new and 0 < len(new) < len(training.rows)
    assert all(row["loss"] == 1 / (row["step"] or 1) for row in rest.curve)
    # What is no number cannot stand in JSON.
    assert all(row["val"] is None for row in first.curve)
    assert first.values == {"top1": 0.5, "top5": 0.75, "cross_entropy": 1.25}
    assert first.facts == {
        **{"seconds": 1.5, "images_seen": 480.0, "train_top1": 0.625},
        **{"last_top1": 0.25, "average_top1": 0.5},
    }


def test_signs_of_life_are_given_between_rows_that_are_far_apart(
    folder: RunFolder,
    training: Training,
    said: list[Mapping[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leg(folder, 2, None, said)
    assert said == [], "all rows came within a second"
    monkeypatch.setattr(trial_task, "SILENT_SECONDS", -1.0)
    leg(folder, 2, None, said)
    last = training.asked[-1]["control"].stop_step
    assert said == [{"step": step, "of": last} for step in training.rows]


def test_the_evaluation_images_choose_nothing(folder: RunFolder, dataset: Dataset) -> None:
    learned, judged = Bench(folder, config_of(folder), dataset).division
    labels = dataset.train.labels
    assert not set(learned) & set(judged) and len(learned) + len(judged) == len(labels)
    # A fifth of each class, rounded.
    shares = np.bincount(labels[judged], minlength=CLASSES) / np.bincount(labels)
    assert len(judged) == pytest.approx(0.2 * len(labels), abs=CLASSES)
    assert (shares > 0).all() and (shares < 0.5).all()


def test_a_run_is_read_once_for_all_its_jobs_and_no_other_run_is_taken(
    folder: RunFolder, tmp_path: Path
) -> None:
    assert bench_of(str(folder.path), SOURCE) is bench_of(str(folder.path), SOURCE)
    other = untrained_run(tmp_path / "other").path
    with pytest.raises(TaskError, match="is no search by trials") as caught:
        bench_of(str(other), SOURCE)
    assert caught.value.cause == "error" and str(other) in str(caught.value)


def test_lost_weights_are_a_cause_and_leave_no_model(
    folder: RunFolder, training: Training, said: list[Mapping[str, Any]]
) -> None:
    training.lost = True
    with pytest.raises(TaskError, match="^nan instead of a finite loss$") as caught:
        leg(folder, 0, None, said)
    assert caught.value.cause == "diverged" and training.forgotten == 1


AUC = {"objectives": "top1,auc", "signal_class": "index=3", "metrics": "tpr_at_fpr=0.1"}


def result(scores: Any = scores_of, cross_entropy: float = 1.25) -> TrainResult:
    reached = Accuracy(0.5, 0.75, cross_entropy, 48)
    model = SimpleNamespace(predict_on_batch=scores)
    return TrainResult(model, reached, reached, 0.6, 480, 1.5, [])


def area(scores: np.ndarray, is_signal: np.ndarray) -> float:
    """By the definition: how often an image of the signal is before one of the background."""
    share = np.exp(scores - scores.max(axis=1, keepdims=True))
    share = (share / share.sum(axis=1, keepdims=True))[:, 3]
    signal, background = share[is_signal][:, None], share[~is_signal]
    return float(np.mean((signal > background) + 0.5 * (signal == background)))


def test_objectives_of_one_class_are_judged_on_the_judging_images(
    dataset: Dataset, tmp_path: Path
) -> None:
    folder = made(tmp_path / "run", dataset, **AUC)
    bench = Bench(folder, config_of(folder), dataset)

    def scores(images: np.ndarray) -> np.ndarray:
        return scores_of(images) / 50

    part = dataset.train.part(bench.division[1])
    found = values_of(bench, result(scores))
    assert set(found) == {"top1", "top5", "cross_entropy", "auc"}
    expected = area(scores(np.asarray(part.images)), np.asarray(part.labels) == 3)
    # Shares of float32 scores, in another order of sums.
    assert found["auc"] == pytest.approx(expected, abs=1e-3) and 0 < expected < 1
    assert found["top1"] == 0.5

    # Of scores that are no numbers there is no area; what was found before stays.
    lost = values_of(bench, result(lambda images: np.full((len(images), CLASSES), np.nan)))
    assert lost == {"top1": 0.5, "top5": 0.75, "cross_entropy": 1.25, "auc": None}
    nothing = values_of(bench, result(cross_entropy=math.inf))
    assert nothing == dict.fromkeys(("top1", "top5", "cross_entropy", "auc"))


JUDGED = AskedMetrics(("top1", "auc"), "index=3")


def judged(folder: RunFolder, seed: int = 8) -> EvaluationResult:
    recipe = config_of(folder).recipe
    job = EvaluationJob(str(folder.path), SOURCE, "again", seed, NETWORK, recipe, JUDGED)
    found = work(strict_json.encode(job), Context("1", Interrupter(), list[Any]().append))
    return strict_json.decode(EvaluationResult, found, "a worker")


def test_a_whole_training_is_judged_on_the_evaluation_images(
    folder: RunFolder, training: Training, dataset: Dataset
) -> None:
    found, (asked,) = judged(folder), training.asked
    config, split = config_of(folder), dataset.evaluation
    scores = scores_of(np.asarray(split.images))
    expected = evaluated(JUDGED, scores, split.labels, dataset.class_names)
    assert found.metrics == expected and found.metrics.images == len(split.labels)
    # The run's config.json says no class: it was asked for when the search went on.
    assert config.signal_class is None
    assert found.metrics.signal_class == dataset.class_names[3]
    assert found.seconds >= 0
    control = asked["control"]
    assert control.checkpoint_path == folder.checkpoint("again") and asked["seed"] == 8
    assert control.stop_step == config.recipe.steps(len(asked["division"][0]))


def test_a_whole_training_without_finite_scores_has_diverged(
    folder: RunFolder, training: Training
) -> None:
    def scores(images: np.ndarray) -> np.ndarray:
        found = scores_of(images)
        found[-1, 0] = np.inf
        return found

    training.scores = scores
    with pytest.raises(TaskError, match="scores that are not finite") as caught:
        judged(folder)
    assert caught.value.cause == "diverged"


def test_names_of_checkpoints_sort_as_trials_do() -> None:
    names = [checkpoint_name(trial) for trial in (0, 9, 10, 123_456)]
    assert names == sorted(names) and names[0] == "trial_000000"
