"""Training of one fixed network by a recipe; resumable; the same recipe for every network."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nas.architecture.spec import Architecture
from nas.architecture.text import to_text
from nas.builders.keras_model import build_model, set_weights_by_name
from nas.data import Dataset, Split
from nas.data.loader import BatchLoader
from nas.errors import InputError
from nas.system.devices import over_all_hosts, whole_batch
from nas.training import loop
from nas.training.checkpoint import Parts
from nas.training.device_steps import DeviceSteps, device_steps
from nas.training.evaluation import Accuracy, accuracy
from nas.training.first_scales import set_first_scales
from nas.training.guides import NO_GUIDES, Guides
from nas.training.history import accuracy_cells
from nas.training.image_sizes import OneGraphASize, check_takes_sizes, size_at
from nas.training.judge import Judge, better_of_both, chosen_by, settled
from nas.training.last_or_average import HeldOutScore, LastAndAverage, Weights, divided
from nas.training.orders import AskedTraining, order_training
from nas.training.recipe import Recipe
from nas.training.steps import WeightSteps
from nas.training.teachers.beside import Lessons
from nas.training.teachers.reading import read_teacher
from nas.training.teachers.teacher import Teacher
from nas.training.waiting import WaitClock

# Images of the training split that are evaluated as a check of labels and overfitting.
TRAIN_CHECK_IMAGES = 10_000
STATISTICS_BATCHES = 20


@dataclass(frozen=True)
class TrainResult:
    """A trained network and what it reached.

    Args:
        model: With the weights that are exported, and statistics made for them.
        evaluation: On the whole evaluation split, or on the part that a division names.
        train: On images of the training split, without augmentation.
        running_accuracy: Of the last training steps, augmented, as the training metric says; None
            where their images were mixed.
        images_seen: Images trained on.
        seconds: Of training and evaluation in this process.
        history: Rows for retrain_history.csv.
        weights: The last weights beside their average, and which of them the model has.
        held_out: Scores on held-out training images along the way; none where none were held out.
        judging_seconds: Of these evaluations, and of those at the end.
        teacher_share: Part of the time in which steps waited for their teacher, 0 to 1.
    """

    model: keras.Model
    evaluation: Accuracy
    train: Accuracy
    running_accuracy: float | None
    images_seen: int
    seconds: float
    history: list[dict[str, Any]]
    weights: LastAndAverage | None = None
    held_out: tuple[HeldOutScore, ...] = ()
    judging_seconds: float = 0.0
    teacher_share: float = 0.0


def train_network(
    architecture: Architecture,
    dataset: Dataset,
    recipe: Recipe,
    control: loop.Control,
    *,
    seed: int = 0,
    division: tuple[np.ndarray, np.ndarray] | None = None,
    initial_weights: Mapping[str, np.ndarray] | None = None,
    guides: Guides = NO_GUIDES,
) -> TrainResult:
    """Trains a network, averages its weights, re-estimates statistics and evaluates it.

    The evaluation images are looked at when all is settled: see `LastAndAverage`.

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
        guides: The recipe's teacher, where it was read already, and the metric that chooses between
            the last weights and their average.

    Raises:
        Interrupted: A signal came; the state is saved.
        InputError: The loss became NaN, or an initial weight is missing or has another shape.
    """
    begun = time.monotonic()
    teacher = guides.teacher or read_teacher(recipe.distillation, dataset.image_size)
    asked = AskedTraining(architecture, recipe, seed, division, initial_weights)
    order_training(asked, dataset, control)
    trainer, state, learned = trained(asked, dataset, control, teacher)
    held_out_scores = tuple(_scores(state.history))
    judged = (dataset.evaluation, None) if division is None else (dataset.train, division[1])
    images = dataset.train, trainer.held_out
    choice = chosen_by(guides.selection, trainer.judge, *images, dataset.class_names)
    # Images of a division are there to choose by; the evaluation split never is.
    is_whole = recipe.growing_average and state.step == trainer.total_steps
    if is_whole and division is not None:
        evaluation, weights = better_of_both(trainer.judge, recipe.epochs, *judged)
    else:
        # What was held out says which are exported before these images are looked at.
        last = held_out_scores[-1] if held_out_scores else None
        evaluation, weights = settled(trainer.judge, last, trainer.held_out, choice, *judged)
    model = trainer.judge.copy
    rng = np.random.default_rng(seed)
    part = np.sort(rng.permutation(learned)[:TRAIN_CHECK_IMAGES])
    train = accuracy(model.predict_on_batch, dataset.train, indices=part)
    seconds = time.monotonic() - begun
    return TrainResult(
        model,
        evaluation,
        train,
        state.history[-1]["accuracy"],
        state.step * trainer.loader.batch_size,
        seconds,
        state.history,
        weights,
        held_out_scores,
        trainer.judge.seconds,
        trainer.lessons.seconds_waiting / seconds if trainer.lessons else 0.0,
    )


def trained(
    asked: AskedTraining, dataset: Dataset, control: loop.Control, teacher: Teacher | None = None
) -> tuple[Trainer, loop.LoopState, np.ndarray]:
    """Trains a network; its last weights and their average are judged by others.

    Args:
        asked: What is trained, and by what.
        dataset: Training and evaluation images.
        control: Where the state is kept, how often the training speaks and what stops it.
        teacher: Of the recipe; None where it has none.

    Returns:
        The training at its end, its state, and the indices that it learned from.

    Raises:
        Interrupted: A signal came; the state is saved.
        InputError: The loss became NaN, or an initial weight is missing or has another shape.
    """
    labels, architecture = dataset.train.labels, asked.architecture
    part = np.arange(len(labels)) if asked.division is None else asked.division[0]
    learned, held_out = divided(asked.recipe, labels, part)
    trainer = Trainer(
        architecture, dataset.train, (learned, held_out), asked.recipe, asked.seed, teacher
    )
    if asked.initial_weights is not None:
        set_weights_by_name(trainer.model, architecture, asked.initial_weights)
    state = loop.restore(control.checkpoint_path, trainer.variables())
    _check_architecture(control.checkpoint_path, state, to_text(architecture))
    if state.step == 0 and asked.initial_weights is None:
        set_first_scales(trainer.model, trainer.loader.plain_images(0))
    loop.run(trainer, state, trainer.total_steps, control)
    return trainer, state, learned


def _check_architecture(path: Path | None, state: loop.LoopState, text: str) -> None:
    """Refuses the checkpoint of another network, whose weights may have the very same shapes."""
    found = state.extra.setdefault("architecture", text)
    if found != text:
        raise InputError(
            f"a checkpoint of {text}",
            f"one of {found} at {path}",
            "remove the file, or train the network that it is of",
        )


def _scores(history: Sequence[Mapping[str, Any]]) -> Iterator[HeldOutScore]:
    """What stands in the rows of a history that an evaluation was made for."""
    for row in history:
        if row.get("val_top1") is not None:
            yield HeldOutScore(row["epoch"], row["val_top1"], row["val_top1_average"])


class Trainer:
    """The parts of one training, for `loop.run`.

    Args:
        architecture: Its classes must be the data's.
        split: Images.
        division: Indices to learn from, and those that are held out; None for none of these.
        recipe: What it trains with.
        seed: Of weights, dropout and data order, 0 or more.
        teacher: Of the recipe; None where it has none.
    """

    def __init__(
        self,
        architecture: Architecture,
        split: Split,
        division: tuple[np.ndarray, np.ndarray | None],
        recipe: Recipe,
        seed: int,
        teacher: Teacher | None,
    ) -> None:
        self.architecture = architecture
        learned, self.held_out = division
        self.split, self.every = split, recipe.evaluate_every
        keras.utils.set_random_seed(seed)
        with over_all_hosts():
            # No batch is larger than the images, and the rate follows the batch that there is.
            recipe = replace(recipe, batch_size=whole_batch(recipe.batch_size, len(learned)))
            check_takes_sizes(architecture, recipe.image_sizes or ())
            self.model = build_model(
                architecture,
                dropout=recipe.dropout,
                stochastic_depth=recipe.stochastic_depth,
                any_size=bool(recipe.image_sizes),
            )
        self.recipe = recipe
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
        self.total_steps = recipe.steps(len(learned))
        with over_all_hosts():
            self.device_steps = self._device_steps() if teacher is None else None
            self.steps = self.device_steps or WeightSteps(
                self.model, recipe, self.total_steps, architecture.num_classes
            )
        self.graphs = OneGraphASize(self.model)
        self.judge = Judge(self.model, architecture, self._statistics_images)
        self.lessons = None if teacher is None else Lessons(teacher, architecture.num_classes)
        self._evaluated = 0

    def _device_steps(self) -> DeviceSteps | None:
        classes = self.architecture.num_classes
        return device_steps(self.model, self.recipe, self.total_steps, classes, self.split.images)

    def _size_at(self, step: int) -> int:
        return size_at(self.recipe.image_sizes or (), step, self.total_steps)

    def variables(self) -> Parts:
        """All that decides the rest."""
        self._settle()
        return {"network": self.model.variables, "optimizer": self.model.optimizer.variables}

    def _settle(self) -> None:
        """Gives the model what steps on the device have learned, for who reads it or saves it."""
        if self.device_steps is not None:
            self.device_steps.settle()

    def batches(self, start: int) -> Iterator[Any]:
        """Batches, with the teacher's scores where there is one.

        Args:
            start: Number of the first step, from 0.
        """
        self.waiting.start(start)
        self._evaluated = self._evaluations_until(start)
        if self.device_steps is not None:
            self.device_steps.forget()
            return self.loader.plans(start, self.total_steps, self.device_steps.is_resident)
        batches = self.loader.iterate(start, self.total_steps)
        return batches if self.lessons is None else self.lessons.taught(batches)

    def step(self, step: int, batch: Any) -> None:
        """Trains on one batch.

        Args:
            step: Its number, from 0.
            batch: As `batches` gives it.
        """
        if self.device_steps is not None:
            self.device_steps.train_plan(step, batch)
            return
        self.graphs.look_at(batch[0].shape[1])
        self.steps.train(step, *batch)

    def wait(self) -> None:
        """Waits until the device has done the steps so far."""
        if self.device_steps is not None:
            self.device_steps.wait()

    def row(self, step: int, steps_per_second: float) -> dict[str, Any]:
        """A row of the history.

        Args:
            step: Steps done.
            steps_per_second: Since the last row.
        """
        means = self.steps.take_logs()
        row = {
            "epoch": step / self.loader.steps_per_epoch,
            "loss": means["loss"],
            **accuracy_cells(means, self.recipe.augmentation),
            "learning_rate": self.steps.rate,
            "examples_per_s": steps_per_second * self.loader.batch_size,
            "input_wait_share": self.waiting.take(step, steps_per_second),
        }
        return {**row, **self._held_out_cells(step)}

    def _evaluations_until(self, step: int) -> int:
        """Evaluations that are due up to a step, whatever rows there were on the way."""
        if self.every is None:
            return 0
        return math.floor(step / (self.every * self.loader.steps_per_epoch))

    def _held_out_cells(self, step: int) -> dict[str, float | None]:
        """The evaluation of a row, or empty cells where none is due."""
        cells: dict[str, float | None] = {"val_top1": None, "val_top1_average": None}
        due = self._evaluations_until(step)
        is_due = due > self._evaluated or step == self.total_steps
        if self.held_out is not None and is_due:
            self._settle()
            names: dict[Weights, str] = {"last": "val_top1", "average": "val_top1_average"}
            for kind in self.judge.kinds:
                found = self.judge.accuracy(kind, self.split, self.held_out)
                cells[names[kind]] = found.top1
        self._evaluated = due
        return cells

    def _statistics_images(self) -> Iterator[np.ndarray]:
        """Batches that statistics are made from, the same ones whenever they are asked for."""
        steps = range(min(STATISTICS_BATCHES, self.total_steps))
        return map(self.loader.plain_images, steps)
