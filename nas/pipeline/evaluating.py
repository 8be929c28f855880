"""What is said of evaluations along a training and at its end, and of what they cost."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from nas.system.devices import whole_batch
from nas.training.last_or_average import divided
from nas.training.recipe import Recipe
from nas.training.trainer import TrainResult
from nas.training.waiting import waiting_text


def evaluation_steps(recipe: Recipe, images: int, log_every: int) -> list[int]:
    """Steps of a training after which it is judged: at its end, and at rows where that is due.

    Args:
        recipe: Of the training, with `evaluate_every`.
        images: To learn from, 1 or more.
        log_every: Steps between rows of the history, 1 or more.
    """
    batch_size = whole_batch(recipe.batch_size, images)
    total = replace(recipe, batch_size=batch_size).steps(images)
    every = (recipe.evaluate_every or recipe.epochs) * (images / batch_size)
    found, done = [], 0
    for step in (*range(log_every, total, log_every), total):
        due = math.floor(step / every)
        if due > done or step == total:
            found.append(step)
        done = due
    return found


def held_out_lines(recipe: Recipe, labels: np.ndarray, log_every: int) -> list[str]:
    """What `--evaluate_every` holds out and does, told before anything trains; else nothing.

    Args:
        recipe: Of the training.
        labels: (n,) class indices of the training split.
        log_every: Steps between rows of the history, 1 or more.

    Raises:
        DataError: A class has too few images to hold some out.
    """
    learned, held_out = divided(recipe, labels)
    if recipe.evaluate_every is None or held_out is None:
        return []
    count = len(evaluation_steps(recipe, len(learned), log_every))
    kinds = "" if recipe.average_share is None else ", each with the last weights and the average"
    return [
        f"{len(held_out):,} of {len(labels):,} training images are held out to judge; networks "
        f"learn from the other {len(learned):,}. {_times(count)} of a training{kinds}. Their time "
        "is told at the end of each."
    ]


def training_lines(result: TrainResult) -> list[str]:
    """What stands below the accuracy of a finished training.

    Args:
        result: Of the training.
    """
    lines = [] if result.weights is None else [f"{result.weights.text}."]
    if waiting := waiting_text(result.history):
        lines.append(waiting)
    if result.held_out:
        share = result.judging_seconds / max(result.seconds, 1e-9)
        lines.append(
            f"{_times(len(result.held_out))} on held-out images and those at the end took "
            f"{result.judging_seconds:.1f} s, {share:.0%} of the time."
        )
    if result.teacher_share:
        lines.append(f"Steps waited for their teacher {result.teacher_share:.1%} of the time.")
    return lines


def _times(count: int) -> str:
    return "1 evaluation" if count == 1 else f"{count:,} evaluations"
