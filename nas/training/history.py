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
    """

    FILE: ClassVar[str] = "retrain_history.csv"

    step: int
    epoch: float | None = None
    loss: float | None = None
    accuracy: float | None = None
    learning_rate: float | None = None
    examples_per_s: float | None = None
