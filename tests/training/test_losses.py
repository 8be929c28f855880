"""The loss with a teacher, against its formula in numpy."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from nas.errors import InputError
from nas.training.losses import training_accuracy, training_loss, with_scores
from nas.training.recipe import Recipe
from nas.training.teachers.settings import Distillation

CLASSES = 5
# Sums of float32 of about 1.
CLOSE = 1e-5


@pytest.fixture(scope="module")
def scores() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels with two classes in an image, scores of a teacher, and scores of a network."""
    rng = np.random.default_rng(0)
    labels = rng.dirichlet(np.ones(CLASSES), 6).astype(np.float32)
    return labels, *rng.normal(0, 3, (2, 6, CLASSES)).astype(np.float32)


def recipe_of(weight: float, temperature: float, smoothing: float = 0.0) -> Recipe:
    taught = Distillation("teacher.onnx", weight, temperature)
    return Recipe(1.0, label_smoothing=smoothing, distillation=taught)


def log_softmax(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float64)
    return np.asarray(values - np.log(np.exp(values).sum(axis=1, keepdims=True)))


@pytest.mark.parametrize("weight", [0.25, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_published_formula(
    weight: float,
    temperature: float,
    smoothing: float,
    scores: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    labels, teacher, network = scores
    loss = training_loss(recipe_of(weight, temperature, smoothing))
    found = float(loss(with_scores(labels, teacher), network))
    smooth = (1 - smoothing) * labels + smoothing / CLASSES
    by_labels = -(smooth * log_softmax(network)).sum(axis=1)
    wanted, reached = (log_softmax(values / temperature) for values in (teacher, network))
    divergence = (np.exp(wanted) * (wanted - reached)).sum(axis=1)
    expected = (1 - weight) * by_labels + weight * temperature**2 * divergence
    assert found == pytest.approx(expected.mean(), abs=CLOSE)


def test_what_is_added_to_all_scores_of_a_teacher_changes_nothing(
    scores: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    labels, teacher, network = scores
    loss = training_loss(recipe_of(0.9, 4.0))
    one, other = (float(loss(with_scores(labels, t), network)) for t in (teacher, teacher - 7))
    assert one == pytest.approx(other, abs=CLOSE)


def test_a_network_that_agrees_with_its_teacher_has_no_loss(
    scores: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    labels, teacher, _ = scores
    loss = training_loss(recipe_of(1.0, 2.0))
    assert float(loss(with_scores(labels, teacher), teacher)) == pytest.approx(0, abs=CLOSE)


def test_the_accuracy_of_steps_is_that_of_the_labels() -> None:
    labels, teacher = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)[[1, 2, 0]]
    metric = training_accuracy(recipe_of(0.9, 4.0))
    metric.update_state(with_scores(labels, teacher), labels)
    assert float(metric.result()) == 1.0


def test_without_a_teacher_the_loss_is_cross_entropy() -> None:
    assert type(training_loss(Recipe(1.0))) is keras.losses.CategoricalCrossentropy
    assert type(training_accuracy(Recipe(1.0))) is keras.metrics.CategoricalAccuracy


def test_squared_hinge_is_the_published_formula() -> None:
    rng = np.random.default_rng(1)
    labels = np.eye(CLASSES, dtype=np.float32)[[0, 3, 3, 1]]
    mixed = rng.dirichlet(np.ones(CLASSES), 4).astype(np.float32)
    scores = rng.normal(0, 2, (4, CLASSES)).astype(np.float32)
    loss = training_loss(Recipe(1.0, label_smoothing=0.0, loss="squared_hinge"))
    for targets in (labels, mixed):
        margins = np.maximum(0.0, 1.0 - (2.0 * targets - 1.0) * scores)
        found = float(keras.ops.convert_to_numpy(loss(targets, scores)))
        assert found == pytest.approx((margins**2).mean(), rel=CLOSE)
    # Every score beyond its margin of 1 costs nothing.
    assert float(keras.ops.convert_to_numpy(loss(labels, 4.0 * labels - 2.0))) == 0.0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"loss": "squared_hinges"}, "write 'squared_hinge'"),
        ({"loss": "squared_hinge"}, "label_smoothing 0 with the loss squared_hinge"),
        (
            {"loss": "squared_hinge", "label_smoothing": 0.0, "teacher": "teacher.onnx"},
            "no teacher with the loss squared_hinge",
        ),
    ],
)
def test_what_a_hinge_cannot_use_is_refused(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        Recipe(1.0).changed(**changes)
