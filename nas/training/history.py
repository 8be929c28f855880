"""What a training leaves of its way: rows of retrain_history.csv."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from nas.data.augment import Augmentation


@dataclass(frozen=True)
class TrainingRow:
    """One row of retrain_history.csv; means are over the steps since the row before.

    Args:
        step: Steps done.
        epoch: Passes over the training images done.
        loss: Mean loss, with label smoothing.
        accuracy: Mean top-1 on augmented images, a share from 0 to 1; None where images are mixed.
        dominant_accuracy: Share of mixed images whose best class is the one that has the greatest
            part in them, from 0 to 1; None where no images are mixed.
        learning_rate: Of the last step.
        examples_per_s: Images in a second.
        input_wait_share: Part of the time in which the training waited for images, from 0 to 1.
        val_top1: Share of the held-out training images, 0 to 1, with the weights of this step;
            None where the recipe evaluates nothing along the way, or not here.
        val_top1_average: Likewise with the average of the weights.
    """

    FILE: ClassVar[str] = "retrain_history.csv"

    step: int
    epoch: float | None = None
    loss: float | None = None
    accuracy: float | None = None
    dominant_accuracy: float | None = None
    learning_rate: float | None = None
    examples_per_s: float | None = None
    input_wait_share: float | None = None
    val_top1: float | None = None
    val_top1_average: float | None = None


def accuracy_cells(
    logs: Mapping[str, float], augmentation: Augmentation
) -> dict[str, float | None]:
    """The cells `accuracy` and `dominant_accuracy` of a row, of which one is known.

    A mixed image has no one right class, so that what is right by its greatest part must not look
    like an accuracy.

    Args:
        logs: Means of `WeightSteps`.
        augmentation: Of the images.
    """
    found = logs.get("accuracy")
    is_mixed = augmentation.mixing.is_on
    return {
        "accuracy": None if is_mixed else found,
        "dominant_accuracy": found if is_mixed else None,
    }
