"""The loss over rising learning rates, and which rate it suggests; importing it starts nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from nas.ranges import check_count, check_number

# Weight of the mean so far against the loss of a step; a hundred steps have ten such lengths.
SMOOTHING = 0.9
# Steps on either side of a slope, about as many as an average is made of.
REACH_STEPS = 10
# Losses that no longer tell anything: the ramp ends there.
LOST_FACTOR = 4.0
# A peak a whole decade below the rate at which the loss rises again.
SAFETY = 10.0
# Part of the lowest loss by which it must have fallen, for the curve to suggest anything.
LEAST_FALL = 0.02


@dataclass(frozen=True)
class RatePlan:
    """Which learning rates are tried.

    Args:
        steps: Of the ramp, 10 or more.
        lowest: First rate, as a share of the recipe's peak, above 0.
        highest: Last rate, as a multiple of the recipe's peak, above `lowest`.

    Raises:
        InputError: A value is out of its range.
    """

    steps: int = 120
    lowest: float = 1e-3
    highest: float = 300.0

    def __post_init__(self) -> None:
        check_count("steps", self.steps, least=10)
        check_number("lowest", self.lowest, above=0)
        check_number("highest", self.highest, above=self.lowest)

    def rate(self, step: int, peak: float) -> float:
        """Learning rate of a step: the same factor from each step to the next.

        Args:
            step: From 0 to `steps` - 1.
            peak: Of the recipe, above 0.
        """
        share = step / (self.steps - 1)
        return float(peak * self.lowest * (self.highest / self.lowest) ** share)


@dataclass(frozen=True, kw_only=True)
class RateCurve:
    """learning_rates.json: the loss of one short training whose learning rate rises at each step.

    Args:
        optimizer: That it belongs to.
        batch_size: Images a step.
        recipe_rate: Peak that the recipe has for this optimizer and batch.
        rates: Of the steps, rising by one factor.
        losses: Of the steps.
        smoothed: Moving averages of the losses.
        lowest_rate: Rate at the lowest smoothed loss; None where the loss never fell.
        steepest_rate: Rate around which the smoothed loss falls fastest over the logarithm of the
            rate, by a line through ten steps on either side; None likewise.
        suggested_rate: A tenth of `lowest_rate`; None likewise.
    """

    FILE: ClassVar[str] = "learning_rates.json"
    SCHEMA_VERSION: ClassVar[int] = 1

    optimizer: str
    batch_size: int
    recipe_rate: float
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    lowest_rate: float | None
    steepest_rate: float | None
    suggested_rate: float | None

    @classmethod
    def of(
        cls,
        rates: Sequence[float],
        losses: Sequence[float],
        *,
        optimizer: str,
        batch_size: int,
        recipe_rate: float,
    ) -> Self:
        """The curve of what was tried.

        Source: Smith 2017, arXiv 1506.01186, section 3.3 (the range test); the ramp is exponential
        and the rates are read off as Gugger describes it (2018, How Do You Find A Good Learning
        Rate).

        Args:
            rates: Of the steps, two or more.
            losses: Of the steps, finite.
            optimizer: That it belongs to.
            batch_size: Images a step.
            recipe_rate: Peak that the recipe has.
        """
        smoothed = smooth(losses)
        lowest = int(np.argmin(smoothed))
        # The first steps of an average are made of very few losses.
        start = max(1, len(rates) // 10)
        fall = smoothed[: lowest + 1].max() - smoothed[lowest]
        has_fallen = lowest > start and fall > LEAST_FALL * abs(smoothed[lowest])
        steepest = None
        if has_fallen:
            slopes = _slopes(smoothed[start:], np.log(rates[start:]))
            steepest = float(rates[start + int(np.argmin(slopes[: lowest + 1 - start]))])
        return cls(
            optimizer=optimizer,
            batch_size=batch_size,
            recipe_rate=recipe_rate,
            rates=tuple(rates),
            losses=tuple(losses),
            smoothed=tuple(float(value) for value in smoothed),
            lowest_rate=float(rates[lowest]) if has_fallen else None,
            steepest_rate=steepest,
            suggested_rate=float(rates[lowest]) / SAFETY if has_fallen else None,
        )


def _slopes(values: np.ndarray, places: np.ndarray) -> list[float]:
    """Slope at each place of a line through it and its neighbours: single steps are noise."""
    windows = [
        slice(max(0, number - REACH_STEPS), number + REACH_STEPS + 1)
        for number in range(len(values))
    ]
    return [float(np.polyfit(places[window], values[window], 1)[0]) for window in windows]


def smooth(losses: Sequence[float]) -> np.ndarray:
    """Moving averages of losses, each by the weight that it has had so far.

    Args:
        losses: Of the steps.
    """
    mean, found = 0.0, []
    for count, loss in enumerate(losses, start=1):
        mean = SMOOTHING * mean + (1.0 - SMOOTHING) * loss
        found.append(mean / (1.0 - SMOOTHING**count))
    return np.array(found)


def is_lost(losses: Sequence[float]) -> bool:
    """Whether the loss has grown so far that higher rates tell nothing.

    Args:
        losses: Of the steps so far, one or more.
    """
    smoothed = smooth(losses)
    return bool(smoothed[-1] > LOST_FACTOR * smoothed.min())
