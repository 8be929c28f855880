"""Schedules over steps: pure functions, the ones of learning rates by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nas.registry import Registry

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Course:
    """What a schedule knows of a training: its length, and the parameters with their numbers.

    Args:
        total: Steps in all, 1 or more.
        epochs: Passes over the images in all, above 0.
        warmup_share: Part of the steps in which the rate grows, from 0 to 1.
        last_share: Share of the peak that the rate falls to.
        base_share: Share of the peak at the foot of cycles.
        step_size_epochs: Epochs of half a cycle.
        gamma: Factor, of an epoch or of a stair.
        stair_epochs: Epochs of a stair.
        points: (epoch, share of the peak), lines between them.
    """

    total: int
    epochs: float
    warmup_share: float = 0.1
    last_share: float = 0.002
    base_share: float = 0.01
    step_size_epochs: float = 1.0
    gamma: float = 0.97
    stair_epochs: float = 2.4
    points: Points = ()

    def epoch(self, step: int) -> float:
        """Passes over the images until the middle of a step.

        Args:
            step: The present one, from 0.
        """
        return (step + 0.5) * self.epochs / self.total


# (step from 0, course of the training) -> share of the peak rate.
Share = Callable[[int, Course], float]


@dataclass(frozen=True)
class Schedule:
    """What a name stands for: a function, and the parameters that it looks at.

    Args:
        share: From the step and the course of the training to a share of the peak rate.
        parameters: Name of a parameter that it looks at -> its value where nobody names one, or a
            function from the epochs of the training to it. Others are refused beside it.
        source: Who described it.
        gamma_of_epoch: Whether its `gamma` is the factor of an epoch, which is another one in a
            training of other epochs that keeps its shape.
    """

    share: Share
    parameters: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    gamma_of_epoch: bool = False

    def own(self, name: str, epochs: float) -> Any:
        """Value of a parameter where nobody names one.

        Args:
            name: Of a parameter that it looks at.
            epochs: Of the training.
        """
        value = self.parameters[name]
        return value(epochs) if callable(value) else value


SCHEDULES: Registry[Schedule] = Registry("schedule")


def ramp(step: int, start: int, length: int) -> float:
    """Linear from 0 at `start` to 1 at `start + length`; a jump in the loss unsettles gates.

    Args:
        step: The present one, from 0.
        start: Last step at which the ramp is 0.
        length: Steps of the ramp; with 0 it is a jump.
    """
    if step < start:
        return 0.0
    if length <= 0:
        return 1.0
    return min(1.0, (step - start) / length)


def one_cycle(step: int, course: Course) -> float:
    """Linear up, then a half cosine down.

    Source: Loshchilov and Hutter 2017, arXiv 1608.03983, with linear warm-up.

    Args:
        step: The present one, from 0.
        course: Of the training.
    """
    return _after_warmup(step, course, lambda share: _half_cosine(share, course.last_share), 1.0)


def cosine(step: int, course: Course) -> float:
    """A half cosine down from the first step on, or behind a linear warm-up.

    Source: Loshchilov and Hutter 2017, arXiv 1608.03983, equation 5, without restarts.

    Args:
        step: The present one, from 0.
        course: Of the training.
    """
    return _after_warmup(step, course, lambda share: _half_cosine(share, course.last_share))


def constant(step: int, course: Course) -> float:
    """Linear up, then the peak to the end.

    Source: Goyal et al. 2017, arXiv 1706.02677, section 2.2 (gradual warm-up).

    Args:
        step: The present one, from 0.
        course: Of the training.
    """
    return _after_warmup(step, course, lambda _: 1.0, 1.0)


def linear(step: int, course: Course) -> float:
    """Linear up, then linear down.

    Source: Li, Yumer and Ramanan 2020, arXiv 1905.04753 (budgeted training), with warm-up.

    Args:
        step: The present one, from 0.
        course: Of the training.
    """
    return _after_warmup(step, course, lambda share: 1.0 - (1.0 - course.last_share) * share, 1.0)


def staircase(step: int, course: Course) -> float:
    """Linear up, then a factor less at each stair.

    Source: Tan et al. 2019, arXiv 1807.11626, section 5 (0.97 every 2.4 epochs).

    Args:
        step: The present one, from 0.
        course: Of the training.
    """
    since = course.epoch(step) - course.warmup_share * course.epochs
    stairs = math.floor(max(0.0, since) / course.stair_epochs)
    return _after_warmup(step, course, lambda _: course.gamma**stairs)


def triangular(step: int, course: Course) -> float:
    """Linear up and down between the base and the peak, again and again.

    Source: Smith 2017, arXiv 1506.01186, section 3.2.

    Args:
        step: The present one, from 0.
        course: Of the training.
    """
    return _above_base(course, _cycle(step, course)[1])


def triangular2(step: int, course: Course) -> float:
    """Triangles, each half as high above the base as the one before.

    Source: Smith 2017, arXiv 1506.01186, section 3.2.

    Args:
        step: The present one, from 0.
        course: Of the training.
    """
    number, height = _cycle(step, course)
    return _above_base(course, height / 2.0 ** (number - 1))


def exp_range(step: int, course: Course) -> float:
    """Triangles whose height above the base falls by a factor each epoch.

    Source: Smith 2017, arXiv 1506.01186, section 3.2, whose factor is of a step.

    Args:
        step: The present one, from 0.
        course: Of the training.
    """
    _, height = _cycle(step, course)
    return _above_base(course, height * course.gamma ** course.epoch(step))


def triangular_sine(step: int, course: Course) -> float:
    """Triangles whose height above the base is 0.5 * (1 + sin(number * pi / 2.5)).

    The number of a triangle is 1 for the first one. The heights are 0.98, 0.79, 0.21, 0.02, 0.50,
    and then the same again.

    Args:
        step: The present one, from 0.
        course: Of the training.
    """
    number, height = _cycle(step, course)
    return _above_base(course, height * 0.5 * (1.0 + math.sin(number * math.pi / 2.5)))


def piecewise_linear(step: int, course: Course) -> float:
    """Lines between points; before the first and behind the last the rate stays.

    Args:
        step: The present one, from 0.
        course: Of the training.
    """
    now, points = course.epoch(step), course.points
    if now <= points[0][0]:
        return points[0][1]
    for (start, low), (end, high) in zip(points, points[1:], strict=False):
        if now <= end:
            return low + (high - low) * (now - start) / (end - start)
    return points[-1][1]


def _after_warmup(
    step: int, course: Course, after: Callable[[float], float], least_steps: float = 0.0
) -> float:
    """Linear up to the peak, then what is given of how far the rest has come, from 0 to 1.

    Args:
        step: The present one, from 0.
        course: Of the training.
        after: Share of the peak behind the warm-up.
        least_steps: Of the warm-up; with 0 a schedule may begin at its peak.
    """
    warmup = max(least_steps, course.warmup_share * course.total)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return after(min(1.0, (step - warmup) / max(1.0, course.total - warmup)))


def _half_cosine(share: float, last_share: float) -> float:
    return last_share + (1.0 - last_share) * 0.5 * (1.0 + math.cos(math.pi * share))


def _cycle(step: int, course: Course) -> tuple[int, float]:
    """Number of the cycle, from 1, and the height of its triangle, from 0 to 1."""
    halves = course.epoch(step) / course.step_size_epochs
    number = math.floor(1.0 + halves / 2.0)
    return number, max(0.0, 1.0 - abs(halves - 2.0 * number + 1.0))


def _above_base(course: Course, height: float) -> float:
    return course.base_share + (1.0 - course.base_share) * height


def _up_and_down(epochs: float) -> Points:
    """Up to the peak in a fifth of the epochs, then down to nothing."""
    return (0.0, 0.0), (0.2 * epochs, 1.0), (epochs, 0.0)


WARMUP = {"warmup_share": 0.1}
# Half a cycle is a fifth of the training: five triangles' sides, two and a half cycles.
CYCLES: Mapping[str, Any] = {"base_share": 0.01, "step_size_epochs": lambda epochs: epochs / 5}
SGDR, CYCLICAL = "Loshchilov and Hutter 2017, arXiv 1608.03983", "Smith 2017, arXiv 1506.01186"
for _name, _share, _parameters, _source in (
    ("one_cycle", one_cycle, {**WARMUP, "last_share": 0.002}, f"{SGDR}, with warm-up"),
    ("constant", constant, WARMUP, "Goyal et al. 2017, arXiv 1706.02677"),
    ("linear", linear, {**WARMUP, "last_share": 0.002}, "Li et al. 2020, arXiv 1905.04753"),
    ("cosine", cosine, {"warmup_share": 0.0, "last_share": 0.0}, SGDR),
    ("triangular", triangular, CYCLES, CYCLICAL),
    ("triangular2", triangular2, CYCLES, CYCLICAL),
    ("exp_range", exp_range, {**CYCLES, "gamma": 0.97}, CYCLICAL),
    ("triangular_sine", triangular_sine, CYCLES, f"{CYCLICAL}, with a sine for the heights"),
    (
        "piecewise_linear",
        piecewise_linear,
        {"points": _up_and_down},
        "Page 2018, How to Train Your ResNet",
    ),
    (
        "staircase",
        staircase,
        {
            "warmup_share": 0.0,
            "gamma": 0.97,
            "stair_epochs": lambda epochs: min(2.4, epochs),
        },
        "Tan et al. 2019, arXiv 1807.11626",
    ),
):
    SCHEDULES.register(_name, Schedule(_share, _parameters, _source, _share is exp_range))
