"""How often trainings of one network reach a goal, and how long they take until they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas.ranges import check_number
from nas.selection.seed_spread import CONFIDENCE, EQUAL


def check_goal(goal_top1: float) -> None:
    """Refuses what is no share of images.

    Args:
        goal_top1: That was asked for.

    Raises:
        InputError: It is not above 0 and up to 1.
    """
    check_number("--goal_top1 (a share of the images, such as 0.94)", goal_top1, above=0, most=1)


@dataclass(frozen=True)
class SuccessRate:
    """Trainings of one network, each with another seed, that reached a goal.

    Source of the interval: Wilson 1927, Probable inference, the law of succession, and statistical
    inference; it holds for few trainings, and where all or none of them succeed.

    Args:
        goal_top1: Share of the evaluation images to reach, above 0 and up to 1.
        reached: Trainings that reached it.
        trainings: How many there are, 1 or more; those whose weights were lost did not reach it.
        low: Lower end of the 95 % interval of the rate, 0 to 1.
        high: Upper end.
        epochs: Of each training, in the order of their seeds: the epochs after which an evaluation
            on held-out training images first reached the goal; None where none did. Empty where no
            images were held out.
    """

    goal_top1: float
    reached: int
    trainings: int
    low: float
    high: float
    epochs: tuple[float | None, ...] = ()

    @property
    def rate(self) -> float:
        """Share of the trainings that reached the goal."""
        return self.reached / self.trainings

    @classmethod
    def of(
        cls,
        goal_top1: float,
        top1: Sequence[float],
        curves: Sequence[Sequence[tuple[float, float]]] = (),
    ) -> SuccessRate:
        """From what was reached.

        Args:
            goal_top1: Share of the evaluation images to reach, above 0 and up to 1.
            top1: Share after each training, one or more.
            curves: For each training, pairs of epochs and top-1 on held-out images along the way;
                empty where no images were held out.
        """
        from scipy.stats import binomtest  # takes a moment to load

        reached = sum(share >= goal_top1 - EQUAL for share in top1)
        interval = binomtest(reached, len(top1)).proportion_ci(CONFIDENCE, method="wilson")
        epochs = tuple(_first(curve, goal_top1) for curve in curves) if any(curves) else ()
        return cls(goal_top1, reached, len(top1), float(interval.low), float(interval.high), epochs)


def _first(curve: Sequence[tuple[float, float]], goal_top1: float) -> float | None:
    return next((epoch for epoch, top1 in curve if top1 >= goal_top1 - EQUAL), None)
