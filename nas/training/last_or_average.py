"""The last weights of a training and their moving average: what both reach, and which is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from nas.data import split_holdout
from nas.metrics import Metric
from nas.training.recipe import Recipe

Weights = Literal["last", "average"]
# The same images for every network and seed, so that their figures can be compared.
DIVISION_SEED = 0


@dataclass(frozen=True)
class MetricChoice:
    """Another metric than top-1, which chose on held-out training images.

    Args:
        metric: Its text, such as `auc`.
        last: Of the last weights.
        average: Of their average.
    """

    metric: str
    last: float
    average: float

    @property
    def better(self) -> Weights:
        """What is exported: the average where both are equal."""
        is_higher = Metric.parse(self.metric).higher_is_better
        gain = self.last - self.average if is_higher else self.average - self.last
        return "last" if gain > 0 else "average"


@dataclass(frozen=True)
class LastAndAverage:
    """The last weights beside their average, each with statistics made for it.

    Which of them is exported is settled before the evaluation images are looked at. Where training
    images were held out, the better one on those is exported, and the average where both are
    equal. Otherwise it is the average, as its recipe says.

    Args:
        exported: Which of them is the training's result.
        chosen_by: `recipe`, or `held-out images`.
        last_top1: Share of the evaluation images with the last weights, 0 to 1.
        average_top1: Likewise with the average; None where there is none.
        held_out_images: Images that chose; None where none were held out.
        held_out_last_top1: Share of these with the last weights.
        held_out_average_top1: Likewise with the average.
        choice: The metric that chose on these images; None for top-1.
    """

    exported: Weights
    chosen_by: Literal["recipe", "held-out images"]
    last_top1: float
    average_top1: float | None = None
    held_out_images: int | None = None
    held_out_last_top1: float | None = None
    held_out_average_top1: float | None = None
    choice: MetricChoice | None = None

    @property
    def text(self) -> str:
        """Both figures and what is exported, on one line."""
        if self.average_top1 is None:
            return (
                f"last weights: top-1 {_percent(self.last_top1)}; exported, as no average was made"
            )
        words = {"last": "the last weights are", "average": "the average is"}
        why = "as the recipe says"
        if self.choice is not None:
            why = (
                f"by {self.choice.metric} on {self.held_out_images:,} held-out training images "
                f"(average {self.choice.average:.4f}, last {self.choice.last:.4f})"
            )
        elif self.held_out_last_top1 is not None and self.held_out_average_top1 is not None:
            why = (
                f"by {self.held_out_images:,} held-out training images "
                f"(average {_percent(self.held_out_average_top1)}, "
                f"last {_percent(self.held_out_last_top1)})"
            )
        return (
            f"average of the weights: top-1 {_percent(self.average_top1)}, last weights: top-1 "
            f"{_percent(self.last_top1)}; {words[self.exported]} exported, {why}"
        )


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


@dataclass(frozen=True)
class HeldOutScore:
    """Top-1 on held-out training images somewhere along a training.

    Args:
        epoch: Passes over the training images done.
        top1: Share of the held-out images with the last weights, 0 to 1.
        top1_average: Likewise with the average; None where there is none.
    """

    epoch: float
    top1: float
    top1_average: float | None = None

    def of(self, weights: Weights) -> float | None:
        """The share of one of both.

        Args:
            weights: Which.
        """
        return self.top1_average if weights == "average" else self.top1


def better(held_out: HeldOutScore | None, has_average: bool) -> Weights:
    """What is exported, without a look at the evaluation images.

    Args:
        held_out: At the end of the training; None where no images were held out.
        has_average: Whether the recipe made an average.
    """
    if not has_average:
        return "last"
    if held_out is None or held_out.top1_average is None:
        return "average"
    return "last" if held_out.top1 > held_out.top1_average else "average"


def divided(
    recipe: Recipe, labels: np.ndarray, indices: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Images to learn from, and those held out for evaluations along the way.

    Args:
        recipe: Of the training.
        labels: (n,) class indices of the training split.
        indices: Part of the split that there is; None for all of it.

    Returns:
        Indices of both, ascending; None where nothing is held out.

    Raises:
        DataError: A class has too few images for both parts.
    """
    every = np.arange(len(labels)) if indices is None else np.asarray(indices)
    if recipe.evaluate_every is None:
        return every, None
    own = labels[every]
    learned, held_out = split_holdout(len(own), own, recipe.held_out_share, DIVISION_SEED)
    return every[learned], every[held_out]
