"""What a training step minimises: labels alone, or labels and a teacher's scores."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from nas.training.recipe import Recipe
from nas.training.teachers.settings import Distillation


def with_scores(targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Targets and a teacher's scores as the one array that Keras hands to a loss.

    Args:
        targets: (batch, classes) shares of the classes.
        scores: (batch, classes) of the teacher, before a softmax.

    Returns:
        (batch, 2 classes) float32, the targets first.
    """
    return np.concatenate([targets, scores], axis=1).astype(np.float32)


def training_loss(recipe: Recipe) -> keras.losses.Loss:
    """The loss of a recipe; with a teacher, its targets come from `with_scores`.

    Args:
        recipe: With loss, smoothing and teacher.
    """
    if recipe.loss == "squared_hinge":
        return SquaredHinge()
    if recipe.distillation.teacher is None:
        return keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=recipe.label_smoothing
        )
    return DistillationLoss(recipe.distillation, recipe.label_smoothing)


def training_accuracy(recipe: Recipe) -> keras.metrics.Metric:
    """The share of images whose best class is the label's; a teacher's scores do not count.

    Args:
        recipe: Of the training.
    """
    if recipe.distillation.teacher is None:
        return keras.metrics.CategoricalAccuracy(name="accuracy")
    return keras.metrics.MeanMetricWrapper(_accuracy_by_labels, name="accuracy")


def _accuracy_by_labels(expected: Any, scores: Any) -> Any:
    return keras.metrics.categorical_accuracy(_halves(expected, scores)[0], scores)


def _halves(expected: Any, scores: Any) -> tuple[Any, Any]:
    """Targets and a teacher's scores, each (batch, classes)."""
    classes = scores.shape[-1]
    return expected[:, :classes], expected[:, classes:]


class SquaredHinge(keras.losses.Loss):
    """Mean over classes of max(0, 1 - t s)^2, with score s and t = 1 for the class, -1 for others.

    Shares of mixed images become numbers between -1 and 1; Keras' own takes 0 and 1 alone.

    Source: Rosasco et al. 2004, Neural Computation 16; as the loss of networks of few bits in
    Hubara et al. 2016, arXiv 1602.02830, section 2.1.
    """

    def __init__(self) -> None:
        super().__init__(name="squared_hinge")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of each image.

        Args:
            y_true: (batch, classes) shares of the classes.
            y_pred: (batch, classes) scores.
        """
        signs = 2.0 * ops.cast(y_true, y_pred.dtype) - 1.0
        return ops.mean(ops.square(ops.relu(1.0 - signs * y_pred)), axis=-1)


class DistillationLoss(keras.losses.Loss):
    """(1 - w) cross-entropy with the labels + w T^2 KL(teacher || network), at temperature T.

    The factor T^2 keeps the gradients of both parts in proportion whatever the temperature is.

    Source: Hinton, Vinyals and Dean 2015, arXiv 1503.02531, section 2.

    Args:
        settings: Weight w and temperature T.
        label_smoothing: Of the labels, from 0 to below 1.
    """

    def __init__(self, settings: Distillation, label_smoothing: float) -> None:
        super().__init__(name="distillation")
        self._weight = settings.teacher_weight
        self._temperature = settings.teacher_temperature
        self._label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of each image.

        Args:
            y_true: From `with_scores`.
            y_pred: (batch, classes) scores of the network, before a softmax.
        """
        labels, teacher = _halves(y_true, y_pred)
        by_labels = keras.losses.categorical_crossentropy(
            labels, y_pred, from_logits=True, label_smoothing=self._label_smoothing
        )
        wanted = ops.log_softmax(teacher / self._temperature, axis=-1)
        reached = ops.log_softmax(y_pred / self._temperature, axis=-1)
        divergence = ops.sum(ops.exp(wanted) * (wanted - reached), axis=-1)
        by_teacher = self._temperature**2 * divergence
        return (1 - self._weight) * by_labels + self._weight * by_teacher
