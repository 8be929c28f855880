"""Who may take part in a race, and how often its winner then keeps the budget."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from nas.selection.race_field import READINGS, admitted, half_width, reading_spread

MARGIN = 0.02
Readings = dict[int, list[float]]


def test_a_spread_is_pooled_over_networks() -> None:
    # Two of 1 % around their mean, whatever that is; a single reading says nothing.
    found = reading_spread([[0.99, 1.01], [1.98, 2.02], [5.0]])
    assert found == pytest.approx(math.sqrt(4 * 0.01**2 / 2))
    assert reading_spread([[5.0]]) == math.inf
    assert half_width(0.01, 4) == pytest.approx(1.96 * math.sqrt(math.pi / 2) * 0.01 / 2)


def test_who_takes_part_is_within_the_margin_with_the_uncertainty() -> None:
    def around(ms: float) -> list[float]:
        return [0.996 * ms, ms, 1.004 * ms]

    width = half_width(reading_spread([around(1.0)]), 3)
    edge = MARGIN - width
    names = {"in": 0.5, "low": 0.5 * (1 - edge), "high": 0.5 * (1 + edge)}
    names |= {"too low": 0.5 * (0.999 - edge), "too high": 0.5 * (1.001 + edge)}
    readings = {name: around(ms) for name, ms in names.items()}
    # The edges themselves are a matter of the last digit.
    assert admitted(readings, 0.5, MARGIN + 1e-9) == ["in", "low", "high"]


def test_where_readings_disagree_by_more_than_the_margin_nobody_is_sure() -> None:
    readings = {"a": [0.97, 1.0, 1.03], "b": [1.03, 1.0, 0.97]}
    assert admitted(readings, 1.0, MARGIN) == []


Rule = Callable[[Readings], list[int]]


def by_their_own_readings(readings: Readings) -> list[int]:
    return [0, *(name for name in admitted(readings, 1.0, MARGIN) if name)]


def by_the_choice(readings: Readings) -> list[int]:
    """As it was: one process, and whoever is equal to the choice in it."""
    return [name for name, ms in readings.items() if abs(ms[0] / readings[0][0] - 1) <= MARGIN]


def missed(rule: Rule, trials: int) -> float:
    """Share of races whose winner is certified off the target of 1 ms.

    Networks are off the table's prediction by 2 % and processes differ by 1 %, as on a machine
    that is neither idle nor gated; the winner is any of the field, since accuracy decides.
    """
    count = 0
    for trial in range(trials):
        rng = np.random.default_rng((9, trial))
        # The choice was accepted: within 0.8 % by its readings then, so truly about as near.
        true = np.concatenate([rng.normal(1.0, 0.006, 1), rng.normal(1.0, 0.02, 15)])
        processes = rng.normal(1.0, 0.01, (16, READINGS)) * true[:, None]
        field = rule(dict(enumerate(processes.tolist())))
        winner = field[int(rng.integers(len(field)))]
        certified = np.median(true[winner] * rng.normal(1.0, 0.01, 3))
        count += abs(certified - 1) > MARGIN
    return count / trials


def test_a_winner_keeps_the_budget_as_often_as_the_choice_does() -> None:
    # Here 2.5 % for the choice alone, 3.0 % for the winner, and 16.9 % as it was.
    alone = missed(lambda readings: [0], 1000)
    found = missed(by_their_own_readings, 1000)
    before = missed(by_the_choice, 1000)
    assert before > 0.15
    # Two standard errors of a difference of two such rates of 1,000.
    assert found <= alone + 0.015
