"""What is said of evaluations along a training and at its end, and of what they cost."""

from __future__ import annotations

import math

import numpy as np

from nas.training.last_or_average import divided
from nas.training.recipe import Recipe
from nas.training.trainer import TrainResult
from nas.training.waiting import waiting_text


def held_out_lines(recipe: Recipe, labels: np.ndarray) -> list[str]:
    """What `--evaluate_every` holds out and does, told before anything trains; else nothing.

    Args:
        recipe: Of the training.
        labels: (n,) class indices of the training split.

    Raises:
        DataError: A class has too few images to hold some out.
    """
    learned, held_out = divided(recipe, labels)
    if recipe.evaluate_every is None or held_out is None:
        return []
    steps = recipe.steps(len(learned))
    batch_size = min(recipe.batch_size, len(learned))
    due = math.floor(steps * batch_size / (recipe.evaluate_every * len(learned)))
    kinds = "" if recipe.average_share is None else ", each with the last weights and the average"
    return [
        f"{len(held_out):,} of {len(labels):,} training images are held out to judge; networks "
        f"learn from the other {len(learned):,}. About {max(1, due)} evaluations of a "
        f"training{kinds}. Their time is told at the end of each."
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
        count = len(result.held_out)
        times = "1 evaluation" if count == 1 else f"{count} evaluations"
        lines.append(
            f"{times} on held-out images and those at the end took "
            f"{result.judging_seconds:.1f} s, {share:.0%} of the time."
        )
    if result.teacher_share:
        lines.append(f"Steps waited for their teacher {result.teacher_share:.1%} of the time.")
    return lines
