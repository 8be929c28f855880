"""What a search is asked for: a penalty, milliseconds, or a share of the space's range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from nas.errors import InputError

# Quantity -> unit, as labels of run folders write it.
UNITS = {"milliseconds": "ms"}


@dataclass(frozen=True)
class Goal:
    """One of the three; the others are None.

    Args:
        penalty: `--lambda`, weight of the quantity's logarithm in the loss, 0 or more.
        target: Value of the quantity to land on, above 0.
        percent: The same as a percentage, 0 to 100, of the way from the least to the greatest
            value among the networks that the bounds allow.
        quantity: What is asked of; milliseconds of one image on the device.

    Raises:
        InputError: None or several of the three, or a value out of its range.
    """

    penalty: float | None = None
    target: float | None = None
    percent: float | None = None
    quantity: Literal["milliseconds"] = "milliseconds"

    def __post_init__(self) -> None:
        given = [v for v in (self.penalty, self.target, self.percent) if v is not None]
        if len(given) != 1:
            raise InputError(
                "one of a penalty, a target and a percentage",
                f"{len(given)} of them",
                "write for example Goal(target=1.2)",
            )
        low_enough = self.percent is None or self.percent <= 100
        above = given[0] > 0 if self.target is not None else given[0] >= 0
        if not (math.isfinite(given[0]) and low_enough and above):
            raise InputError(
                "a penalty of 0 or more, a target above 0, or a percentage from 0 to 100",
                f"{given[0]}",
                f"correct the goal {self.label}",
            )

    @property
    def label(self) -> str:
        """Name of a run folder."""
        if self.penalty is not None:
            return f"lambda{self.penalty:g}"
        if self.target is not None:
            return f"{self.target:g}{UNITS[self.quantity]}"
        return f"{self.percent:g}percent"

    def resolved_ms(self, low_ms: float, high_ms: float) -> float | None:
        """Milliseconds to land on; None with a penalty.

        Args:
            low_ms: Of the fastest network.
            high_ms: Of the slowest network.
        """
        if self.percent is None:
            return self.target
        return low_ms + self.percent / 100.0 * (high_ms - low_ms)


@dataclass(frozen=True)
class ResolvedTarget:
    """A goal in milliseconds, once the latency table is known: target.json.

    Args:
        goal: As asked for.
        low_ms: Predicted milliseconds of the fastest network within the bounds.
        high_ms: Of the slowest one.
        target_ms: Milliseconds to land on; None with a penalty.
    """

    FILE: ClassVar[str] = "target.json"
    SCHEMA_VERSION: ClassVar[int] = 1

    goal: Goal
    low_ms: float
    high_ms: float
    target_ms: float | None

    @classmethod
    def of(cls, goal: Goal, low_ms: float, high_ms: float) -> ResolvedTarget:
        """The milliseconds that a goal means in a range.

        Args:
            goal: As asked for.
            low_ms: Of the fastest network.
            high_ms: Of the slowest network.
        """
        return cls(goal, low_ms, high_ms, goal.resolved_ms(low_ms, high_ms))


def parse_goals(penalties: str | None, targets: str | None) -> tuple[Goal, ...]:
    """Goals as --lambda and --target_ms write them: one value, or several between commas.

    Args:
        penalties: `0.1` or `0,0.02,0.1`; None if the flag was not given.
        targets: `1.2`, `0.8,1.2` or `25%,50%`; None likewise.

    Raises:
        InputError: None or both given, no number, out of range, or one value twice.
    """
    if (penalties is None) == (targets is None):
        both = f"both: --lambda {penalties} and --target_ms {targets}"
        raise InputError(
            "one of --lambda and --target_ms",
            "neither" if penalties is None else both,
            "write for example `--lambda 0.1`",
        )
    if penalties is not None:
        goals = tuple(Goal(penalty=_number("lambda", t, True)) for t in _parts(penalties))
    else:
        goals = tuple(_target(text) for text in _parts(targets or ""))
    check_different(goals)
    return goals


def check_different(goals: tuple[Goal, ...]) -> None:
    """Refuses one value twice: each goal has a folder of its own.

    Args:
        goals: Of a sweep.

    Raises:
        InputError: Two goals have the same label.
    """
    labels = [goal.label for goal in goals]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise InputError(
            "every value of a sweep once", f"{', '.join(twice)} twice", "leave one out"
        )


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _target(text: str) -> Goal:
    if not text.endswith("%"):
        return Goal(target=_number("target_ms", text, False))
    percent = _number("target_ms", text[:-1], True)
    if percent > 100:
        raise InputError(
            "--target_ms from 0% to 100% of the space's range", text, "correct --target_ms"
        )
    return Goal(percent=percent)


def _number(flag: str, text: str, zero_allowed: bool) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero_allowed):
        bound = "at least" if zero_allowed else "above"
        values = "numbers" + (" or percentages" if flag == "target_ms" else "")
        raise InputError(
            f"--{flag} to be a number {bound} 0, or several {values} between commas",
            repr(text),
            f"correct --{flag}",
        )
    return value
