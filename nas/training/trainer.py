"""Training of one fixed network by a recipe; resumable; the same recipe for every network."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from nas.architecture.spec import Architecture
from nas.builders.keras_model import build_model, float32_policy, set_weights_by_name
from nas.data import Dataset, Split
from nas.data.loader import BatchLoader
from nas.system.devices import whole_batch
from nas.training import loop
from nas.training.checkpoint import Parts
from nas.training.evaluation import Accuracy, accuracy, reestimate_statistics
from nas.training.history import accuracy_cells
from nas.training.image_sizes import OneGraphASize, check_takes_sizes, size_at
from nas.training.optimizers import unscaled
from nas.training.recipe import Recipe
from nas.training.steps import WeightSteps
from nas.training.waiting import WaitClock

# Images of the training split that are evaluated as a check of labels and overfitting.
TRAIN_CHECK_IMAGES = 10_000
STATISTICS_BATCHES = 20


@dataclass(frozen=True)
class TrainResult:
    """A trained network and what it reached.

    Args:
        model: With averaged weights and statistics made for them.
        evaluation: On the whole evaluation split, or on the part that a division names.
        train: On images of the training split, without augmentation.
        running_accuracy: Of the last training steps, augmented, as the training metric says; None
            where their images were mixed.
        images_seen: Images trained on.
        seconds: Of training and evaluation in this process.
        history: Rows for retrain_history.csv.
    """

    model: keras.Model
    evaluation: Accuracy
    train: Accuracy
    running_accuracy: float | None
    images_seen: int
    seconds: float
    history: list[dict[str, Any]]


def train_network(
    architecture: Architecture,
    dataset: Dataset,
    recipe: Recipe,
    control: loop.Control,
    *,
    seed: int = 0,
    division: tuple[np.ndarray, np.ndarray] | None = None,
    initial_weights: Mapping[str, np.ndarray] | None = None,
) -> TrainResult:
    """Trains a network, averages its weights, re-estimates statistics and evaluates it.

    Args:
        architecture: Its classes must be the data's.
        dataset: Training and evaluation images.
        recipe: What it trains with.
        control: Where the state is kept, how often the training speaks and what stops it.
        seed: Of weights, dropout and data order, 0 or more.
        division: Indices of the training split to learn from and to evaluate on, so that a choice
            between networks never sees the evaluation split; None for the two splits themselves.
        initial_weights: What the network starts with, named as in `nas.architecture.weights`; None
            for random weights. A training that goes on from its checkpoint does not look at them.

    Raises:
        Interrupted: A signal came; the state is saved.
        InputError: The loss became NaN, or an initial weight is missing or has another shape.
    """
    begun = time.monotonic()
    learned = np.arange(len(dataset.train.labels)) if division is None else division[0]
    trainer = _Trainer(architecture, dataset.train, learned, recipe, seed)
    if initial_weights is not None:
        set_weights_by_name(trainer.model, architecture, initial_weights)
    state = loop.restore(control.checkpoint_path, trainer.variables())
    loop.run(trainer, state, trainer.total_steps, control)
    model = trainer.finished_model()
    rng = np.random.default_rng(seed)
    part = np.sort(rng.permutation(learned)[:TRAIN_CHECK_IMAGES])
    judged = (dataset.evaluation, None) if division is None else (dataset.train, division[1])
    return TrainResult(
        model,
        accuracy(model.predict_on_batch, judged[0], indices=judged[1]),
        accuracy(model.predict_on_batch, dataset.train, indices=part),
        state.history[-1]["accuracy"],
        trainer.total_steps * trainer.loader.batch_size,
        time.monotonic() - begun,
        state.history,
    )


def in_float32(model: keras.Model, architecture: Architecture) -> keras.Model:
    """The same network without mixed precision, as it is evaluated and exported.

    Args:
        model: From `build_model`.
        architecture: That it was built from.
    """
    if keras.config.dtype_policy().compute_dtype == "float32":
        return model
    with float32_policy():
        plain = build_model(architecture)
    plain.compile(jit_compile=False)
    plain.set_weights(model.get_weights())
    return plain


class _Trainer:
    """The parts of one training, for `loop.run`."""

    def __init__(
        self,
        architecture: Architecture,
        split: Split,
        learned: np.ndarray,
        recipe: Recipe,
        seed: int,
    ) -> None:
        keras.utils.set_random_seed(seed)
        # No batch is larger than the images, and the rate follows the batch that there is.
        recipe = replace(recipe, batch_size=whole_batch(min(recipe.batch_size, len(learned))))
        check_takes_sizes(architecture, recipe.image_sizes or ())
        self.model = build_model(
            architecture,
            dropout=recipe.dropout,
            stochastic_depth=recipe.stochastic_depth,
            any_size=bool(recipe.image_sizes),
        )
        self.architecture, self.recipe = architecture, recipe
        self.loader = BatchLoader(
            split,
            batch_size=recipe.batch_size,
            seed=seed,
            indices=learned,
            augment=recipe.augmentation,
            num_classes=architecture.num_classes,
            size_at=self._size_at if recipe.image_sizes else None,
        )
        self.waiting = WaitClock(self.loader)
        self.total_steps = max(2, self.loader.steps(recipe.epochs))
        self.steps = WeightSteps(self.model, recipe, self.total_steps, architecture.num_classes)
        self.graphs = OneGraphASize(self.model)

    def _size_at(self, step: int) -> int:
        return size_at(self.recipe.image_sizes or (), step, self.total_steps)

    def variables(self) -> Parts:
        return {"network": self.model.variables, "optimizer": self.model.optimizer.variables}

    def batches(self, start: int) -> Iterator[Any]:
        self.waiting.start(start)
        return self.loader.iterate(start, self.total_steps)

    def step(self, step: int, batch: Any) -> None:
        self.graphs.look_at(batch[0].shape[1])
        self.steps.train(step, *batch)

    def row(self, step: int, steps_per_second: float) -> dict[str, Any]:
        means = self.steps.take_logs()
        return {
            "epoch": step / self.loader.steps_per_epoch,
            "loss": means["loss"],
            **accuracy_cells(means, self.recipe.augmentation),
            "learning_rate": self.steps.rate,
            "examples_per_s": steps_per_second * self.loader.batch_size,
            "input_wait_share": self.waiting.take(step, steps_per_second),
        }

    def finished_model(self) -> keras.Model:
        """The model with averaged weights and statistics that belong to them."""
        optimizer = unscaled(self.model.optimizer)
        if optimizer.use_ema:
            optimizer.finalize_variable_values(self.model.trainable_variables)
        self.model = in_float32(self.model, self.architecture)
        steps = range(min(STATISTICS_BATCHES, self.total_steps))
        reestimate_statistics(self.model, map(self.loader.plain_images, steps))
        return self.model
