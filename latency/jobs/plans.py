"""What a job must measure: rows of a table and whole networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from latency.device.statistics import Quantity
from latency.errors import LatencyError

ROLES = ("calibration", "held_out")


class RowError(LatencyError):
    """A row that says something impossible, or plans that name what does not exist."""


@dataclass(frozen=True)
class RowPlan:
    """How a row is measured: row_ms = (T(long) - T(short)) / divisor.

    Args:
        key: The row's key.
        long_key: Model that holds the block more often.
        short_key: Model that holds it less often; None subtracts one run's overhead.
        divisor: How many more times the long model holds it, above 0.
    """

    key: str
    long_key: str
    short_key: str | None
    divisor: float

    def __post_init__(self) -> None:
        if not 0 < self.divisor < math.inf:
            raise RowError(
                f"a divisor above 0 for row {self.key!r}",
                str(self.divisor),
                "pass how many more blocks the long model has",
            )


@dataclass(frozen=True)
class WholePlan:
    """A whole network, measured to calibrate the rows or to judge them.

    Args:
        key: Its model's key.
        row_keys: Rows it consists of; may repeat.
        role: 'calibration' or 'held_out'.
    """

    key: str
    row_keys: tuple[str, ...]
    role: str

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise RowError(
                f"a role among {', '.join(ROLES)} for {self.key!r}",
                repr(self.role),
                "use one of them",
            )


def check_plans(
    model_keys: Sequence[str], rows: Sequence[RowPlan], wholes: Sequence[WholePlan]
) -> None:
    """Refuses plans with repeated keys or with names of nothing, before anything is timed.

    Raises:
        RowError: As said.
    """
    row_keys = {row.key for row in rows}
    needed = {row.long_key for row in rows} | {row.short_key for row in rows if row.short_key}
    needed |= {whole.key for whole in wholes}
    _refuse_missing("a model for every plan", needed - set(model_keys))
    used = {key for whole in wholes for key in whole.row_keys}
    _refuse_missing("a row plan for every row of a whole network", used - row_keys)
    names = ([row.key for row in rows], [w.key for w in wholes], model_keys)
    twice = {key for keys in names for key in keys if keys.count(key) > 1}
    if twice or not rows:
        raise RowError(
            "one or more row plans, all keys unique",
            f"{len(rows)} rows, repeated: {', '.join(sorted(twice)) or 'none'}",
            "give every row and network a key of its own",
        )
    _refuse_same_graphs(rows)


def _refuse_same_graphs(rows: Sequence[RowPlan]) -> None:
    """A table refuses samples that stand under two keys, as a copied row has them."""
    first: dict[tuple[str, str | None], str] = {}
    for row in rows:
        other = first.setdefault((row.long_key, row.short_key), row.key)
        if other != row.key:
            raise RowError(
                "a row of its own for each pair of graphs",
                f"{other!r} and {row.key!r}, both of {row.long_key!r} and {row.short_key!r}",
                "keep one of them; a network may name a row several times",
            )


def _refuse_missing(expected: str, missing: set[str]) -> None:
    if missing:
        first = ", ".join(sorted(missing)[:3])
        raise RowError(
            expected,
            f"none for {first} ({len(missing)} missing)",
            "add them, or drop the plans that name them",
        )


def row_quantity(plan: RowPlan, overhead_key: str) -> Quantity:
    """Returns the weighted difference that a row is."""
    keys = (plan.long_key, plan.short_key or overhead_key)
    return Quantity(keys, (1 / plan.divisor, -1 / plan.divisor))
