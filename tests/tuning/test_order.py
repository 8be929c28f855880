"""The complete order of a rung's trials."""

from __future__ import annotations

import math
import random

import pytest

from nas.errors import InputError
from nas.tuning.order import Order, order_of
from nas.tuning.scores import RungValue
from tests.support.tuning import dominates, objectives, random_curve, slow_order


def values_of(seed: int, count: int, number: int, **shares: float) -> list[RungValue]:
    curve = random_curve(count, seed, **shares)  # type: ignore[arg-type]
    return [RungValue(trial, 0, *curve(trial, 0)) for trial in range(number)]


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("shares", [{}, {"nan": 0.2}, {"nan": 0.1, "infeasible": 0.5}])
def test_equals_the_definition_however_values_arrive(count: int, shares: dict[str, float]) -> None:
    for seed in range(6):
        values = values_of(seed, count, 25, **shares)
        wanted = slow_order(objectives(count), values)
        for _ in range(3):
            assert list(order_of(objectives(count), values).best_first()) == wanted
            random.Random(seed).shuffle(values)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_by_one_and_all_at_once_give_one_order(count: int) -> None:
    """Above 64 new values are sorted anew, below they are added to the fronts that are there."""
    values = values_of(7, count, 150, nan=0.1, infeasible=0.3)
    order = Order(objectives(count))
    for number, value in enumerate(values, 1):
        order.add(value)
        if number % 30 == 0:
            assert order.best_first() == order_of(objectives(count), values[:number]).best_first()
    assert len(order) == 150


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_dominated_trial_never_precedes_its_dominator(count: int) -> None:
    values = values_of(3, count, 60, nan=0.1, infeasible=0.3)
    asked = objectives(count)
    place = {t: i for i, t in enumerate(order_of(asked, values).best_first())}
    costs = {
        v.trial: tuple(o.cost(x) for o, x in zip(asked, v.values, strict=True)) for v in values
    }
    compared = 0
    for a in values:
        for b in values:
            same = a.is_finite and b.is_finite and a.violation == b.violation
            if same and dominates(costs[a.trial], costs[b.trial]):
                assert place[a.trial] < place[b.trial]
                compared += 1
    assert compared > 50


def test_budgets_come_before_objectives_and_numbers_before_nan() -> None:
    asked = objectives(1)
    values = [
        RungValue(0, 0, (math.nan,)),
        RungValue(1, 0, (0.9,), 2.0),
        RungValue(2, 0, (0.8,), 1.0),
        RungValue(3, 0, (0.1,)),
        RungValue(4, 0, (0.2,)),
        RungValue(5, 0, (math.inf,)),
        RungValue(6, 0, (0.95,), math.nan),
        RungValue(7, 0, (0.85,), 1.0),
    ]
    order = order_of(asked, values)
    assert order.best_first() == (4, 3, 7, 2, 1, 0, 5, 6)
    assert order.finite == 5
    assert order.front() == (4,)


def test_equal_trials_are_told_apart_by_their_numbers() -> None:
    values = [RungValue(trial, 0, (0.5, 1.0)) for trial in (4, 1, 3)]
    assert order_of(objectives(2), values).best_first() == (1, 3, 4)


def test_a_zero_is_the_same_with_either_sign() -> None:
    values = [RungValue(1, 0, (0.0, 1.0)), RungValue(0, 0, (-0.0, 1.0))]
    assert order_of(objectives(2), values).front() == (0, 1)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_first_that_is_left_is_the_first_of_the_order(count: int) -> None:
    rng = random.Random(1)
    for seed in range(10):
        values = values_of(seed, count, 20, nan=0.2, infeasible=0.3)
        order = order_of(objectives(count), values)
        best = order.best_first()[: order.finite]
        taken = set(rng.sample(range(30), rng.randrange(20)))
        assert order.first(taken) == next((t for t in best if t not in taken), None)
        assert order.first(range(20)) is None
    assert Order(objectives(count)).first() is None
    assert Order(objectives(count)).best_first() == Order(objectives(count)).front() == ()


def test_the_front_has_what_nothing_dominates_and_keeps_its_budgets() -> None:
    values = [
        RungValue(0, 0, (0.9, 3.0)),
        RungValue(1, 0, (0.8, 2.0)),
        RungValue(2, 0, (0.7, 2.5)),
        RungValue(3, 0, (0.99, 0.1), 0.5),
    ]
    order = order_of(objectives(2), values)
    assert order.front() == (0, 1)
    assert order.ranks() == {0: (0.0, 0), 1: (0.0, 0), 2: (0.0, 1), 3: (0.5, 0)}


def test_a_standing_is_the_share_of_trials_on_fronts_before() -> None:
    values = [
        RungValue(4, 0, (math.nan, 1.0)),
        RungValue(3, 0, (0.99, 0.1), 0.5),
        RungValue(0, 0, (0.9, 3.0)),
        RungValue(1, 0, (0.8, 2.0)),
        RungValue(2, 0, (0.7, 2.5)),
    ]
    trials, standings = order_of(objectives(2), values).standings()
    assert trials.tolist() == [0, 1, 2, 3, 4]
    assert standings.tolist() == [0, 0, 2 / 5, 3 / 5, 4 / 5]
    alone = [RungValue(v.trial, 0, v.values[:1], v.violation) for v in values]
    trials, standings = order_of(objectives(1), alone).standings()
    assert trials.tolist() == [0, 1, 2, 3, 4]
    assert standings.tolist() == [-0.9, -0.8, -0.7, math.inf, math.inf]


def test_values_for_other_objectives_are_refused() -> None:
    with pytest.raises(InputError, match="(?s)2 values of a trial.*1 of trial 3.*Fix"):
        order_of(objectives(2), [RungValue(3, 0, (0.5,))])
