"""What a search is asked for: a penalty, a value to land on, or a share of the space's range.

Each is asked in one quantity: milliseconds on the device, bit operations, or bits of the weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from nas.cost.units import MILLISECONDS, UNITS, QuantityName, Unit
from nas.errors import InputError
from nas.registry import check_known

# The flags of which one says what a search is asked for.
GOAL_FLAGS = ("lambda", *(unit.flag for unit in UNITS.values()))
GOALS_TEXT = f"--lambda, {', '.join(f'--{u.flag}' for u in UNITS.values())}"


@dataclass(frozen=True)
class Goal:
    """One of the three; the others are None.

    Args:
        penalty: `--lambda`, weight of the quantity's logarithm in the loss, 0 or more.
        target: Value of the quantity to land on, above 0; a count is whole, unless a program
            resolved it.
        percent: The same as a percentage, 0 to 100, of the way from the least to the greatest
            value among the networks that the bounds allow.
        quantity: What is asked of: milliseconds of one image on the device, its bit operations, or
            bits of the kernels.

    Raises:
        InputError: None or several of the three, a value out of its range, or an unknown quantity.
    """

    penalty: float | None = None
    target: float | None = None
    percent: float | None = None
    quantity: QuantityName = MILLISECONDS.quantity

    def __post_init__(self) -> None:
        check_known("quantity", self.quantity, UNITS)
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
    def unit(self) -> Unit:
        """Names of the quantity."""
        return UNITS[self.quantity]

    @property
    def label(self) -> str:
        """Name of a run folder; a percentage and a weight name the quantity, unless it is ms."""
        if self.target is not None:
            return self.unit.label(self.target)
        of = "" if self.quantity == MILLISECONDS.quantity else f"_{self.unit.name}"
        if self.penalty is not None:
            return f"lambda{self.penalty:g}{of}"
        return f"{self.percent:g}percent{of}"

    def resolved(self, low: float, high: float) -> float | None:
        """The value to land on; None with a penalty.

        Args:
            low: Least value of a network.
            high: Greatest one.
        """
        if self.percent is None:
            return self.target
        return low + self.percent / 100.0 * (high - low)


@dataclass(frozen=True)
class Target:
    """A value to land on.

    Args:
        value: Above 0.
        quantity: That it is of.
    """

    value: float
    quantity: QuantityName = MILLISECONDS.quantity

    @property
    def unit(self) -> Unit:
        """Names of the quantity."""
        return UNITS[self.quantity]

    @property
    def ms(self) -> float | None:
        """Milliseconds, where it is asked in these."""
        return self.value if self.unit.is_measured else None

    @property
    def count(self) -> Target | None:
        """Itself, where it is asked in a count, which is known exactly."""
        return None if self.unit.is_measured else self


@dataclass(frozen=True)
class ResolvedTarget:
    """A goal as a value of its quantity, once the range is known: target.json.

    Args:
        goal: As asked for, with its quantity.
        low: Least value of a network within the bounds; milliseconds are predicted.
        high: Greatest one.
        target: Value to land on; None with a penalty.
    """

    FILE: ClassVar[str] = "target.json"
    SCHEMA_VERSION: ClassVar[int] = 2
    OLDER_VERSIONS: ClassVar[tuple[int, ...]] = (1,)
    # Version 1 knew milliseconds alone.
    OLDER_KEYS: ClassVar[Mapping[str, str]] = {
        "low_ms": "low",
        "high_ms": "high",
        "target_ms": "target",
    }

    goal: Goal
    low: float
    high: float
    target: float | None

    @classmethod
    def of(cls, goal: Goal, low: float, high: float) -> ResolvedTarget:
        """The value that a goal means in a range.

        Args:
            goal: As asked for.
            low: Least value of a network.
            high: Greatest one.
        """
        return cls(goal, low, high, goal.resolved(low, high))

    @property
    def asked(self) -> Target | None:
        """The value with its quantity; None with a penalty."""
        return None if self.target is None else Target(self.target, self.goal.quantity)


def parse_goals(given: Mapping[str, str | None], quantity: str | None = None) -> tuple[Goal, ...]:
    """Goals as flags write them: one value, or several between commas.

    Args:
        given: Flag of `GOAL_FLAGS` -> `0.1` or `0,0.02,0.1` for `lambda`, `1.2`, `0.8,1.2` or
            `25%,50%` for the others; None if the flag was not given.
        quantity: `--quantity`, name of what `--lambda` is the price of; None for milliseconds.

    Raises:
        InputError: None or several given, no number, out of range, one value twice, a quantity
            that is unknown or beside a target.
    """
    named = {flag: text for flag, text in given.items() if text is not None}
    if len(named) != 1:
        several = " and ".join(f"--{flag} {text}" for flag, text in named.items())
        raise InputError(
            f"one of {GOALS_TEXT}",
            f"{'both' if len(named) == 2 else 'several'}: {several}" if named else "neither",
            "write for example `--lambda 0.1`",
        )
    ((flag, text),) = named.items()
    unit = next((u for u in UNITS.values() if u.flag == flag), None)
    if unit is None:
        priced = priced_quantity(quantity)
        values = [_number(flag, part, True) for part in _parts(text)]
        goals = tuple(Goal(penalty=value, quantity=priced.quantity) for value in values)
    else:
        _check_alone(flag, quantity)
        goals = tuple(_target(unit, part) for part in _parts(text))
    check_different(goals)
    return goals


def priced_quantity(name: str | None) -> Unit:
    """What `--lambda` is the price of.

    Args:
        name: Of `--quantity`; None for milliseconds.

    Raises:
        InputError: It is unknown.
    """
    units = {unit.name: unit for unit in UNITS.values()}
    if name is not None:
        check_known("quantity", name, units)
    return MILLISECONDS if name is None else units[name]


def _check_alone(flag: str, quantity: str | None) -> None:
    """Refuses a quantity beside a flag that names its own."""
    if quantity is not None:
        raise InputError(
            "--quantity with --lambda, whose price it names",
            f"--quantity {quantity} with --{flag}",
            "leave --quantity out: the flag of a target names what it is asked in",
        )


def check_different(goals: tuple[Goal, ...]) -> None:
    """Refuses one value twice, since each goal has a folder of its own, and several quantities.

    Args:
        goals: Of a sweep.

    Raises:
        InputError: Two goals have the same label, or are asked in different quantities.
    """
    units = dict.fromkeys(goal.unit.text for goal in goals)
    if len(units) > 1:
        raise InputError(
            "goals of one quantity", " and ".join(units), "make a sweep for each quantity"
        )
    labels = [goal.label for goal in goals]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise InputError(
            "every value of a sweep once", f"{', '.join(twice)} twice", "leave one out"
        )


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _target(unit: Unit, text: str) -> Goal:
    if not text.endswith("%"):
        value = _number(unit.flag, text, False)
        if not unit.is_measured and not value.is_integer():
            raise InputError(
                f"--{unit.flag} as whole {unit.text}", repr(text), f"correct --{unit.flag}"
            )
        return Goal(target=value, quantity=unit.quantity)
    percent = _number(unit.flag, text[:-1], True)
    if percent > 100:
        raise InputError(
            f"--{unit.flag} from 0% to 100% of the space's range", text, f"correct --{unit.flag}"
        )
    return Goal(percent=percent, quantity=unit.quantity)


def _number(flag: str, text: str, zero_allowed: bool) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero_allowed):
        bound = "at least" if zero_allowed else "above"
        values = "numbers" + ("" if flag == "lambda" else " or percentages")
        raise InputError(
            f"--{flag} to be a number {bound} 0, or several {values} between commas",
            repr(text),
            f"correct --{flag}",
        )
    return value
