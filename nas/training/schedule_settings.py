"""The parameters of a schedule as data: each is used by the schedule of a recipe, or refused."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from nas.errors import FieldError
from nas.ranges import check_number
from nas.training.schedule_files import schedule_of
from nas.training.schedules import SCHEDULES, Points


@dataclass(frozen=True)
class ScheduleSettings:
    """What shapes the learning rate over the steps; None is the schedule's own number.

    Args:
        last_share: Share of the peak that the rate falls to, from 0 to 1.
        base_share: Share of the peak at the foot of cycles, above 0 and up to 1.
        step_size_epochs: Epochs of half a cycle, above 0 and up to those of the training.
        gamma: Factor, above 0 and up to 1: of the height of `exp_range` in an epoch, of the rate
            at each stair of `staircase`.
        stair_epochs: Epochs of a stair of `staircase`, above 0 and up to those of the training.
        points: Of `piecewise_linear`, as EPOCH:SHARE,EPOCH:SHARE: two or more, with epochs that
            rise from 0 or later up to those of the training, and shares from 0 to 1.

    Raises:
        InputError: A value is out of its range.
    """

    last_share: float | None = None
    base_share: float | None = None
    step_size_epochs: float | None = None
    gamma: float | None = None
    stair_epochs: float | None = None
    points: Points | None = None

    def __post_init__(self) -> None:
        check_number("last_share", self.last_share, least=0, most=1, optional=True)
        check_number("base_share", self.base_share, above=0, most=1, optional=True)
        check_number("step_size_epochs", self.step_size_epochs, above=0, optional=True)
        check_number("gamma", self.gamma, above=0, most=1, optional=True)
        check_number("stair_epochs", self.stair_epochs, above=0, optional=True)
        if self.points is not None:
            _check_points(self.points)

    def check(self, schedule: str, epochs: float, more: Mapping[str, Any]) -> None:
        """Refuses parameters that the schedule does not look at, or that no training can keep.

        Args:
            schedule: Name of the schedule.
            epochs: Of the training.
            more: Parameters that stand elsewhere, which are None where nobody named them.

        Raises:
            InputError: One is found.
        """
        known = schedule_of(schedule).parameters
        for name, value in {**vars(self), **more}.items():
            if value is not None and name not in known:
                raise _unused(name, schedule)
        check_number("step_size_epochs", self.step_size_epochs, most=epochs, optional=True)
        check_number("stair_epochs", self.stair_epochs, most=epochs, optional=True)
        for epoch, _ in self.points or ():
            check_number("an epoch of points", epoch, most=epochs)

    def stretched(self, schedule: str, factor: float) -> Self:
        """The same course of a training that is longer or shorter.

        Args:
            schedule: Name of the schedule.
            factor: Its epochs over those of before, above 0.
        """
        known, gamma = schedule_of(schedule), self.gamma
        if known.gamma_of_epoch:
            gamma = known.own("gamma", factor) if gamma is None else gamma
            gamma = max(sys.float_info.min, gamma ** (1.0 / factor))  # none of it may vanish
        points = self.points and tuple((epoch * factor, share) for epoch, share in self.points)
        return replace(
            self,
            step_size_epochs=self.step_size_epochs and self.step_size_epochs * factor,
            gamma=gamma,
            stair_epochs=self.stair_epochs and self.stair_epochs * factor,
            points=points,
        )


# Names of all parameters of schedules; the first stands in the recipe itself.
PARAMETERS = ("warmup_share", *(field.name for field in fields(ScheduleSettings)))


def _check_points(points: Points) -> None:
    epochs = [epoch for epoch, _ in points]
    for epoch, share in points:
        check_number("an epoch of points", epoch, least=0)
        check_number("a share of points", share, least=0, most=1)
    rising = all(low < high for low, high in zip(epochs, epochs[1:], strict=False))
    if len(points) < 2 or not rising:
        raise FieldError(
            "points to be two or more, with rising epochs",
            ", ".join(f"{epoch:g}:{share:g}" for epoch, share in points) or "none",
            "write points such as 0:0,4:1,20:0, in the order of their epochs",
            "points",
        )
    if not any(share for _, share in points):
        raise FieldError(
            "points with a share above 0", "0 at all of them", "write one such as 4:1", "points"
        )


def _unused(name: str, schedule: str) -> FieldError:
    having = [key for key in SCHEDULES if name in SCHEDULES[key].parameters]
    return FieldError(
        f"{name} with a schedule that has one: {', '.join(having)}",
        f"the schedule {schedule}",
        f"leave {name} out, or write schedule {having[0]}",
        name,
        "schedule",
    )
