"""What a training leaves of its way: rows of retrain_history.csv."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class TrainingRow:
    """One row of retrain_history.csv; means are over the steps since the row before.

    Args:
        step: Steps done.
        epoch: Passes over the training images done.
        loss: Mean loss, with label smoothing.
        accuracy: Mean top-1 on augmented images, a share from 0 to 1.
        learning_rate: Of the last step.
        examples_per_s: Images in a second.
        val_top1: Share of the held-out training images, 0 to 1, with the weights of this step;
            None where the recipe evaluates nothing along the way, or not here.
        val_top1_average: Likewise with the average of the weights.
    """

    FILE: ClassVar[str] = "retrain_history.csv"

    step: int
    epoch: float | None = None
    loss: float | None = None
    accuracy: float | None = None
    learning_rate: float | None = None
    examples_per_s: float | None = None
    val_top1: float | None = None
    val_top1_average: float | None = None
