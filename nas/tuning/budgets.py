"""Budgets: what a configuration may have at most, or must have at least."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nas.errors import InputError
from nas.ranges import check_number
from nas.tuning.objectives import Objective, parse_objective


@dataclass(frozen=True)
class Budget:
    """A limit of one quantity; the side that is kept follows from its direction.

    Args:
        objective: The quantity. One of which less is better is kept at or below the limit, one of
            which more is better at or above it.
        limit: Above 0; of a share 1 at most.

    Raises:
        InputError: The limit is out of range.
    """

    objective: Objective
    limit: float

    def __post_init__(self) -> None:
        check_number(f"the budget of {self.objective.text}", self.limit, above=0)
        most = self.objective.quantity.most
        if self.limit > most:
            raise InputError(
                f"a budget of {self.objective.text} that something keeps, {most:g} at most",
                f"{self.limit:g}",
                f"write it as a share, such as {self.objective.text}{self.sign}0.9",
            )

    @property
    def sign(self) -> str:
        """`<=` or `>=`."""
        return "<=" if self.objective.direction == "minimise" else ">="

    @property
    def text(self) -> str:
        """How a flag writes it, such as `ms<=0.5`."""
        short = f"{self.limit:g}"
        limit = short if float(short) == self.limit else repr(self.limit)
        return f"{self.objective.text}{self.sign}{limit}"

    def excess(self, value: float) -> float:
        """By which share of its limit a value misses the budget; 0 for one that keeps it.

        Args:
            value: As it was measured.
        """
        missed = self.objective.cost(value) - self.objective.cost(self.limit)
        # Not `max`, which would take NaN for a budget that is kept.
        return 0.0 if missed <= 0 else missed / self.limit


def parse_budget(text: str) -> Budget:
    """A budget as a flag writes it.

    Args:
        text: Such as `ms<=0.5` or `top1>=0.9`.

    Raises:
        InputError: It is no budget, or limits the side that is better.
    """
    found = re.fullmatch(r"([^<>]+)([<>]=)([^<>]+)", text.strip())
    if found is None:
        raise InputError(
            "a budget as NAME<=LIMIT or NAME>=LIMIT", repr(text), "write it as ms<=0.5"
        )
    objective = parse_objective(found[1].strip())
    try:
        budget = Budget(objective, float(found[3]))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"a number behind {found[2]}", repr(found[3]), "write the limit as a number"
        ) from None
    if budget.sign != found[2]:
        raise InputError(
            f"a limit of {objective.name} that holds back the worse ones, {budget.sign}",
            repr(text),
            f"write {budget.text}, or leave the budget out",
        )
    return budget


def check_budgets(budgets: Sequence[Budget]) -> None:
    """Refuses two budgets of one quantity.

    Args:
        budgets: Any number.

    Raises:
        InputError: One quantity has two.
    """
    names = [budget.objective.text for budget in budgets]
    twice = [budget.text for budget in budgets if names.count(budget.objective.text) > 1]
    if twice:
        raise InputError(
            "one budget of each quantity",
            ", ".join(twice),
            "keep one of them; --max_params and its like are budgets, too",
        )


def violation(budgets: Sequence[Budget], measured: Mapping[str, float]) -> float:
    """By how much budgets are missed: the sum of the shares, over all budgets.

    Shares have no unit, so that milliseconds and bytes add up. NaN where a value is NaN.

    Args:
        budgets: Any number.
        measured: Text of the quantity -> its value.

    Raises:
        InputError: The quantity of a budget is missing.
    """
    for budget in budgets:
        if budget.objective.text not in measured:
            raise InputError(
                f"a value of {budget.objective.text}, which has a budget",
                ", ".join(measured) or "none",
                f"measure {budget.objective.text}, or leave its budget out",
            )
    return sum((budget.excess(measured[budget.objective.text]) for budget in budgets), 0.0)


def known_before_training(budgets: Sequence[Budget]) -> tuple[Budget, ...]:
    """The budgets that keep a configuration from being trained at all.

    Args:
        budgets: Any number.
    """
    return tuple(budget for budget in budgets if budget.objective.quantity.before_training)
