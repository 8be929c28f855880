"""What a search is asked for: a penalty, milliseconds, or a share of the space's range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nas.errors import InputError


@dataclass(frozen=True)
class Goal:
    """One of the three; the others are None.

    Args:
        penalty: `--lambda`, weight of ln(milliseconds).
        target_ms: Milliseconds to land on.
        target_percent: The same as a percentage of the way from the fastest to the slowest network
            that the bounds allow.
    """

    penalty: float | None = None
    target_ms: float | None = None
    target_percent: float | None = None

    @property
    def label(self) -> str:
        """Name of a run folder."""
        if self.penalty is not None:
            return f"lambda{self.penalty:g}"
        if self.target_ms is not None:
            return f"{self.target_ms:g}ms"
        return f"{self.target_percent:g}percent"

    def resolved_ms(self, low_ms: float, high_ms: float) -> float | None:
        """Milliseconds to land on; None with a penalty.

        Args:
            low_ms: Of the fastest network.
            high_ms: Of the slowest network.
        """
        if self.target_percent is None:
            return self.target_ms
        return low_ms + self.target_percent / 100.0 * (high_ms - low_ms)


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
            "write for example `python nas.py --lambda 0.1`",
        )
    if penalties is not None:
        goals = tuple(Goal(penalty=_number("lambda", t, True)) for t in _parts(penalties))
    else:
        goals = tuple(_target(text) for text in _parts(targets or ""))
    twice = sorted({goal.label for goal in goals if goals.count(goal) > 1})
    if twice:
        raise InputError(
            "every value of a sweep once", f"{', '.join(twice)} twice", "leave one out"
        )
    return goals


def sweep_labels(config: Mapping[str, Any]) -> list[str]:
    """Sub-folders of a sweep, in order.

    Args:
        config: Of the sweep's run folder.
    """
    flags = config["flags"]
    return [goal.label for goal in parse_goals(flags.get("lambda"), flags.get("target_ms"))]


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _target(text: str) -> Goal:
    if not text.endswith("%"):
        return Goal(target_ms=_number("target_ms", text, False))
    percent = _number("target_ms", text[:-1], True)
    if percent > 100:
        raise InputError(
            "--target_ms from 0% to 100% of the space's range", text, "correct --target_ms"
        )
    return Goal(target_percent=percent)


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
