"""How often trainings reach a goal: counts, the interval, and the epochs until then."""

from __future__ import annotations

import math

import pytest

from nas.errors import InputError
from nas.selection.success_rate import SuccessRate, check_goal


def wilson(reached: int, trainings: int) -> tuple[float, float]:
    """The interval by its formula, with the 97.5 % quantile of a normal distribution."""
    z = 1.959963984540054
    share, scale = reached / trainings, z * z / trainings
    middle = (share + scale / 2) / (1 + scale)
    half = z / (1 + scale) * math.sqrt(share * (1 - share) / trainings + scale / 4 / trainings)
    return middle - half, middle + half


@pytest.mark.parametrize("reached", [0, 3, 5])
def test_the_interval_is_wilsons(reached: int) -> None:
    found = SuccessRate.of(0.94, [0.95] * reached + [0.93] * (5 - reached))
    assert (found.reached, found.trainings, found.rate) == (reached, 5, reached / 5)
    # Double precision, apart from the order of the operations.
    assert (found.low, found.high) == pytest.approx(wilson(reached, 5), abs=1e-12)
    assert found.epochs == ()


def test_a_share_that_equals_the_goal_reaches_it() -> None:
    assert SuccessRate.of(0.94, [9400 / 10_000, 9399 / 10_000]).reached == 1


def test_epochs_are_those_of_the_first_evaluation_that_reached_the_goal() -> None:
    curves = [[(1.0, 0.5), (2.0, 0.9), (3.0, 0.8)], [(1.0, 0.5)], []]
    assert SuccessRate.of(0.9, [0.9, 0.8, 0.9], curves).epochs == (2.0, None, None)


@pytest.mark.parametrize("goal", [0, -0.1, 94, float("nan")])
def test_a_goal_is_a_share(goal: float) -> None:
    with pytest.raises(InputError, match=r"such as 0\.94"):
        check_goal(goal)
