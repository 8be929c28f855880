"""Last weights and their average: both are judged, and the evaluation images never choose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.architecture import text as arch_text
from nas.builders.keras_model import build_model, weights_by_name
from nas.data import Dataset
from nas.data.augment import Augmentation
from nas.data.augmentation.mixing import Mixing
from nas.errors import InputError
from nas.metrics import AskedMetrics, Metric, metric_value
from nas.pipeline.evaluating import evaluation_steps
from nas.training import judge, loop
from nas.training.evaluation import accuracy
from nas.training.guides import Guides
from nas.training.last_or_average import (
    HeldOutScore,
    LastAndAverage,
    MetricChoice,
    better,
    divided,
)
from nas.training.recipe import Pace, Recipe
from nas.training.steps import WeightSteps
from nas.training.teachers.reading import with_file
from nas.training.teachers.settings import Distillation
from nas.training.trainer import TrainResult, train_network
from tests.support.shaded_images import shaded_dataset
from tests.support.teachers import ToyTeacher, expected_scores

NETWORK = arch_text.loads("in_s8 cn_r1_k3_s2_c8 gap fc_c4")
PLAIN = Recipe(
    2.0, 16, average_share=0.5, augmentation=Augmentation(1, flip=False), learning_rate=0.02
)
JUDGED = replace(PLAIN, evaluate_every=0.5, held_out_share=0.25)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return shaded_dataset()


@pytest.mark.parametrize(
    ("held_out", "has_average", "kept"),
    [
        (None, True, "average"),
        (None, False, "last"),
        (HeldOutScore(1.0, 0.6, 0.5), True, "last"),
        (HeldOutScore(1.0, 0.5, 0.6), True, "average"),
        (HeldOutScore(1.0, 0.5, 0.5), True, "average"),
        (HeldOutScore(1.0, 0.5), False, "last"),
    ],
)
def test_held_out_images_choose_and_else_the_recipe(
    held_out: HeldOutScore | None, has_average: bool, kept: str
) -> None:
    assert better(held_out, has_average) == kept


@pytest.fixture(scope="module")
def plain(dataset: Dataset) -> TrainResult:
    """A training that holds nothing out and has no teacher."""
    return train_network(NETWORK, dataset, PLAIN, loop.Control())


def test_both_are_judged_and_the_average_is_what_is_kept(
    plain: TrainResult, dataset: Dataset
) -> None:
    none = train_network(NETWORK, dataset, replace(PLAIN, average_share=None), loop.Control())
    assert plain.weights is not None
    assert (plain.weights.exported, plain.weights.chosen_by) == ("average", "recipe")
    assert plain.weights.average_top1 == plain.evaluation.top1
    # The same training without an average ends in the same last weights.
    assert none.weights == LastAndAverage("last", "recipe", plain.weights.last_top1)
    again = accuracy(plain.model.predict_on_batch, dataset.evaluation)
    assert again == plain.evaluation, "the model has the weights that were judged"


@pytest.mark.parametrize(
    ("choice", "kept"),
    [
        (MetricChoice("auc", 0.9, 0.8), "last"),
        (MetricChoice("auc", 0.8, 0.8), "average"),
        (MetricChoice("cross_entropy", 0.9, 0.8), "average"),
        (MetricChoice("cross_entropy", 0.7, 0.8), "last"),
    ],
)
def test_a_metric_chooses_in_its_own_direction(choice: MetricChoice, kept: str) -> None:
    assert choice.better == kept


def test_another_metric_chooses_on_held_out_images_and_is_told(dataset: Dataset) -> None:
    guides = Guides(selection=AskedMetrics.of("auc", "b"))
    found = train_network(NETWORK, dataset, JUDGED, loop.Control(), guides=guides)
    _, held_out = divided(JUDGED, dataset.train.labels)
    assert held_out is not None and found.weights is not None
    choice = found.weights.choice
    assert choice is not None and choice.metric == "auc"
    assert found.weights.exported == choice.better
    # The model has the weights that were chosen, and says the same of the held-out images again.
    scores = found.model.predict_on_batch(dataset.train.images[held_out].astype(np.float32))
    again = metric_value(Metric("auc"), np.asarray(scores), dataset.train.labels[held_out], 1)
    # A share of 48 pairs, which one image's rounding moves by no more than one pair.
    assert again == pytest.approx(getattr(choice, choice.better), abs=1 / 48)
    assert "by auc on 16 held-out training images" in found.weights.text


@pytest.mark.slow
def test_the_model_has_the_weights_that_held_out_images_chose(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "better", lambda *arguments: "last")
    found = train_network(NETWORK, dataset, JUDGED, loop.Control())
    assert found.weights is not None and found.weights.exported == "last"
    assert accuracy(found.model.predict_on_batch, dataset.evaluation) == found.evaluation
    assert found.evaluation.top1 == found.weights.last_top1


def test_evaluations_change_nothing_of_the_training_and_come_when_they_are_due(
    dataset: Dataset,
) -> None:
    learned, held_out = divided(JUDGED, dataset.train.labels)
    assert held_out is not None and len(held_out) == 16
    assert not set(learned) & set(held_out)
    found = train_network(NETWORK, dataset, JUDGED, loop.Control(pace=Pace(1)))
    # The same images without an evaluation.
    plain = train_network(
        NETWORK, dataset, PLAIN, loop.Control(pace=Pace(1)), division=(learned, held_out)
    )
    assert [row["loss"] for row in found.history] == [row["loss"] for row in plain.history]
    assert all(row["val_top1"] is None for row in plain.history)
    # 48 images in batches of 16 are three steps an epoch: half an epoch is over after 2, 3, 5, 6.
    due = [row["step"] for row in found.history if row["val_top1"] is not None]
    assert due == [2, 3, 5, 6]
    assert evaluation_steps(JUDGED, len(learned), log_every=1) == due
    assert [score.epoch for score in found.held_out] == [step / 3 for step in due]
    last = found.held_out[-1]
    assert found.weights is not None and found.weights.held_out_images == 16
    assert last.top1 == found.weights.held_out_last_top1
    assert last.top1_average == found.weights.held_out_average_top1


class StoppedError(Exception):
    """Ends a training as SIGKILL would."""


@pytest.mark.slow
def test_a_judged_and_taught_training_that_was_stopped_ends_like_one_that_was_not(
    dataset: Dataset, tmp_path: Path
) -> None:
    path = ToyTeacher(classes=4, size=8).write(tmp_path / "teacher.onnx")
    mixed = replace(JUDGED.augmentation, mixing=Mixing(mixup_alpha=0.4))
    recipe = replace(
        JUDGED,
        distillation=with_file(Distillation(str(path))),
        augmentation=mixed,
        image_sizes=(6, 8),
    )
    control = loop.Control(tmp_path / "state.npz", Pace(2, 0.0))
    whole = train_network(NETWORK, dataset, recipe, loop.Control(pace=Pace(2)))

    def stop(state: loop.LoopState, total: int) -> None:
        if state.step == 4:
            raise StoppedError

    with pytest.raises(StoppedError):
        train_network(NETWORK, dataset, recipe, replace(control, on_progress=stop))
    again = train_network(NETWORK, dataset, recipe, control)
    assert (again.evaluation, again.weights) == (whole.evaluation, whole.weights)
    assert again.held_out == whole.held_out
    assert [row["loss"] for row in again.history] == [row["loss"] for row in whole.history]


def test_a_teacher_is_shown_the_very_crops_that_the_network_learns_from(
    plain: TrainResult, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ToyTeacher(classes=4, size=8).write(tmp_path / "teacher.onnx")
    recipe = replace(PLAIN, distillation=with_file(Distillation(str(path))))
    shown: list[tuple[np.ndarray, np.ndarray]] = []
    train = WeightSteps.train

    def watched(steps: WeightSteps, number: int, *batch: np.ndarray) -> None:
        shown.append((batch[0], batch[2]))
        train(steps, number, *batch)

    monkeypatch.setattr(WeightSteps, "train", watched)
    taught = train_network(NETWORK, dataset, recipe, loop.Control())
    assert len(shown) == 8
    for images, scores in shown:
        # Sums of float32 of about 5.
        np.testing.assert_allclose(scores, expected_scores(images, 4), atol=1e-4)
    one, other = (weights_by_name(found.model, NETWORK) for found in (taught, plain))
    assert not np.array_equal(one["0.conv.kernel"], other["0.conv.kernel"])


def test_a_checkpoint_of_another_network_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    control, short = loop.Control(tmp_path / "state.npz", Pace(1, 0.0)), replace(PLAIN, epochs=0.25)
    train_network(NETWORK, dataset, short, control)
    # Its weights have the same shapes: only what the checkpoint says can tell.
    other = arch_text.loads("in_s8 cn_r1_k3_s1_c8 gap fc_c4")
    shapes = [tuple(w.shape) for w in build_model(other).weights]
    assert shapes == [tuple(w.shape) for w in build_model(NETWORK).weights]
    with pytest.raises(InputError, match="a checkpoint of in_s8 cn_r1_k3_s1"):
        train_network(other, dataset, short, control)
    wider = arch_text.loads("in_s8 cn_r1_k3_s2_c16 gap fc_c4")
    with pytest.raises(InputError, match="for `network` in the checkpoint"):
        train_network(wider, dataset, short, control)
