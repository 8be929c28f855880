"""Steps that train weights by a recipe: of one network, or of the networks of a supernet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from nas.data.loader import one_hot
from nas.system.devices import over_all_hosts, own_rows
from nas.system.graphs import jit_compile
from nas.training.loop import MeanLogs
from nas.training.losses import training_accuracy, training_loss, with_scores
from nas.training.lost import check_loss
from nas.training.optimizers import decays, weights_optimizer
from nas.training.recipe import Recipe
from nas.training.schedule_files import share_at


def ema_momentum(share: float | None, total_steps: int) -> float | None:
    """Momentum of a moving average over a share of the steps.

    Args:
        share: Length of the average as a share of all steps; None for no average.
        total_steps: Steps in all.

    Returns:
        The momentum, below 1; None for no average, or for one over less than two steps.
    """
    if share is None or share * total_steps < 2:
        return None
    return 1.0 - 1.0 / (share * total_steps)


def _penalise(variables: Iterable[Any], l2: float) -> None:
    """Lets Keras add the squares of kernels to the loss; biases and normalisations have no part."""
    if not l2:
        return
    for variable in filter(decays, variables):
        # Keras' factor is of the squares, the usual one of half of them.
        variable.regularizer = keras.regularizers.L2(l2 / 2)


class WeightSteps:
    """A compiled model and what its steps reported.

    Args:
        model: Pixels (batch, height, width, 3) -> logits (batch, classes); it is compiled here.
        recipe: Optimizer, schedule, decay, smoothing and average.
        total_steps: Steps in all, 1 or more.
        num_classes: Of the one-hot targets.
    """

    def __init__(
        self, model: keras.Model, recipe: Recipe, total_steps: int, num_classes: int
    ) -> None:
        self.model, self.recipe = model, recipe
        self.total_steps, self.num_classes = total_steps, num_classes
        self.rate = 0.0
        course = recipe.course(total_steps)
        share, is_growing = recipe.average_share, recipe.growing_average
        # Who looks for a rate has a course of its own.
        self.rate_of: Callable[[int], float] = lambda step: (
            recipe.peak_rate * share_at(recipe.schedule, step, course)
        )
        self._logs = MeanLogs()
        _penalise(model.trainable_variables, recipe.l2)
        model.compile(
            optimizer=weights_optimizer(
                recipe.optimizer,
                model.trainable_variables,
                learning_rate=recipe.peak_rate,
                weight_decay=recipe.decay,
                ema_momentum=None if is_growing else ema_momentum(share, total_steps),
                momentum=recipe.momentum,
                clip_norm=recipe.clip_norm,
                growing_share=share if is_growing else None,
            ),
            loss=training_loss(recipe),
            metrics=[training_accuracy(recipe)],
            jit_compile=jit_compile(),
        )

    def train(
        self,
        step: int,
        images: np.ndarray,
        labels: np.ndarray,
        scores: np.ndarray | None = None,
    ) -> None:
        """One step.

        Args:
            step: Its number, from 0.
            images: Pixels (batch, height, width, 3) float32.
            labels: (batch,) class indices, or (batch, classes) targets of mixed images. The
                accuracy of mixed images is that on the class with the greatest share.
            scores: (batch, classes) of the recipe's teacher; None where it has none.

        Raises:
            LostWeightsError: The loss became NaN or infinite.
        """
        recipe = self.recipe
        self.rate = self.rate_of(step)
        self.model.optimizer.learning_rate.assign(np.float32(self.rate))
        targets = one_hot(labels, self.num_classes) if labels.ndim == 1 else labels
        if scores is not None:
            targets = with_scores(targets, scores)
        with over_all_hosts():
            logs = self.model.train_on_batch(own_rows(images), own_rows(targets), return_dict=True)
        self._logs.add(logs)
        check_loss(float(logs["loss"]), step, recipe.peak_rate)

    def take_logs(self) -> dict[str, float]:
        """Mean loss and accuracy of the steps since the last call; empty if there were none."""
        return self._logs.take()
