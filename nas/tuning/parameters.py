"""What a configuration consists of: named values, each out of a list or a range."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from nas.errors import InputError

# What JSON and a study's file keep as it is.
Value: TypeAlias = str | int | float | bool | None
Configuration: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True)
class OneOfList:
    """A value out of a list.

    Args:
        name: Of the parameter.
        options: Two or more different values.

    Raises:
        InputError: Fewer than two values, or one of them twice.
    """

    name: str
    options: tuple[Value, ...]

    def __post_init__(self) -> None:
        words = [json.dumps(option) for option in self.options]
        if len(set(words)) < len(words) or len(words) < 2:
            raise InputError(
                f"two different values or more for {self.name}",
                ", ".join(words) or "none",
                f"write {self.name} as a list such as {{1,2}}, or leave it out",
            )

    def draw(self, rng: np.random.Generator) -> Value:
        """A value, each equally likely.

        Args:
            rng: Generator of this draw; one number is taken.
        """
        return self.options[int(rng.integers(len(self.options)))]

    def has(self, value: Value) -> bool:
        """Whether a value is one of the list.

        Args:
            value: Any.
        """
        # True is 1 for Python, and another value here.
        return any(value == option and type(value) is type(option) for option in self.options)


@dataclass(frozen=True)
class Range:
    """A number out of a range, both ends included.

    Args:
        name: Of the parameter.
        low: Least number.
        high: Greatest number, above `low`.
        is_log: Whether equal ratios are equally likely, and not equal differences.
        is_whole: Whether the numbers are whole ones.

    Raises:
        InputError: The ends are in the wrong order, not finite, not whole where numbers are, or not
            above 0 where ratios count.
    """

    name: str
    low: float
    high: float
    is_log: bool = False
    is_whole: bool = False

    def __post_init__(self) -> None:
        ends = (self.low, self.high)
        finite = all(math.isfinite(end) for end in ends) and self.low < self.high
        whole = not self.is_whole or all(float(end).is_integer() for end in ends)
        if not finite or not whole or (self.is_log and self.low <= 0):
            kind = "whole numbers" if self.is_whole else "numbers"
            above = " above 0" if self.is_log else ""
            log = "log" if self.is_log else ""
            raise InputError(
                f"a range of two {kind}{above} for {self.name}, the lower one first",
                f"{self.name}={log}[{self.low:g},{self.high:g}]",
                f"write {self.name}={log}[low,high]",
            )

    @property
    def text(self) -> str:
        """As `--tune` writes it."""
        return f"{self.name}={'log' if self.is_log else ''}[{self.low:g},{self.high:g}]"

    def draw(self, rng: np.random.Generator) -> Value:
        """A number of the range.

        Args:
            rng: Generator of this draw; one number is taken.
        """
        if self.is_whole and not self.is_log:
            return int(rng.integers(int(self.low), int(self.high) + 1))
        # Each whole number stands for what is rounded to it, those at the ends too.
        margin = 0.5 if self.is_whole else 0.0
        low, high = self._scale(self.low - margin), self._scale(self.high + margin)
        found = float(rng.uniform(low, high))
        return self._number(math.exp(found) if self.is_log else found)

    def moved(self, value: float, rng: np.random.Generator, share: float = 0.2) -> Value:
        """A number near to another one.

        Args:
            value: The other one.
            rng: Generator of this draw; one number is taken.
            share: Standard deviation as a part of the range.
        """
        low, high = self._scale(self.low), self._scale(self.high)
        found = self._scale(value) + float(rng.normal()) * share * (high - low)
        return self._number(math.exp(found) if self.is_log else found)

    def has(self, value: Value) -> bool:
        """Whether a value is a number of the range.

        Args:
            value: Any.
        """
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and (not self.is_whole or float(value).is_integer())

    def _scale(self, value: float) -> float:
        return math.log(value) if self.is_log else float(value)

    def _number(self, value: float) -> Value:
        # A logarithm and back may leave the range by a rounding.
        inside = min(max(value, self.low), self.high)
        return round(inside) if self.is_whole else inside


Parameter: TypeAlias = OneOfList | Range


def key_of(configuration: Configuration) -> str:
    """A text that is the same for equal configurations alone.

    Args:
        configuration: Parameter -> value.
    """
    return json.dumps(dict(configuration), sort_keys=True)


def check_names(parameters: Sequence[Parameter]) -> None:
    """Refuses two parameters of one name.

    Args:
        parameters: Of one search.

    Raises:
        InputError: A name stands twice.
    """
    names = [parameter.name for parameter in parameters]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            "parameters of different names", f"{', '.join(twice)} twice", "name each of them once"
        )
