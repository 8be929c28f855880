"""One contract for every schedule of the learning rate; a user's own passes it too."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from nas.errors import InputError
from nas.training.recipe import Recipe
from nas.training.schedules import SCHEDULES

CASES = [(total, share) for total in (1, 2, 10, 1000) for share in (0.0, 0.1, 0.5, 1.0)]


def own(step: int, total: int, warmup_share: float) -> float:
    """What a user would write: the square of what is left, without a warm-up."""
    return (1.0 - step / total) ** 2


ALL = [*SCHEDULES.names, "own"]


@pytest.fixture(scope="module", autouse=True)
def own_schedule() -> Iterator[None]:
    SCHEDULES.register("own", own)
    yield
    SCHEDULES.remove("own")


def shares(name: str, total: int, warmup_share: float) -> np.ndarray:
    return np.array([SCHEDULES[name](step, total, warmup_share) for step in range(total)])


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("total", "share"), CASES)
def test_every_step_has_a_share_of_the_peak_above_0(name: str, total: int, share: float) -> None:
    found = shares(name, total, share)
    assert np.isfinite(found).all()
    assert (found > 0).all(), "a step of rate 0 would be wasted"
    assert (found <= 1).all(), "the recipe's rate is the peak"


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("total", "share"), CASES)
def test_it_is_the_same_each_time_it_is_asked(name: str, total: int, share: float) -> None:
    assert np.array_equal(shares(name, total, share), shares(name, total, share))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_it_rises_to_the_peak_and_never_again(name: str, share: float) -> None:
    found = shares(name, 1000, share)
    peak = int(found.argmax())
    assert found[peak] > 0.99  # reached within a step of a thousand
    assert peak <= max(1, math.ceil(share * 1000))
    assert (np.diff(found[: peak + 1]) > 0).all()
    assert (np.diff(found[peak:]) <= 0).all()


@pytest.mark.parametrize("name", SCHEDULES.names)
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_the_warm_up_is_linear(name: str, share: float) -> None:
    found = shares(name, 100, share)
    steps = int(share * 100)
    assert found[0] == pytest.approx(1 / (steps + 1), rel=1e-12)  # one product of float64
    # Differences of numbers near 1 keep about 13 digits.
    np.testing.assert_allclose(np.diff(found[:steps]), 1 / (steps + 1), rtol=1e-10)


@pytest.mark.parametrize(("name", "last"), [("one_cycle", 0.002), ("linear", 0.002)])
def test_it_ends_near_the_last_share(name: str, last: float) -> None:
    found = shares(name, 1000, 0.1)
    assert last < found[-1] < last + 0.002  # the step after the last one would have it
    assert SCHEDULES[name](1000, 1000, 0.1) == pytest.approx(last, rel=1e-9)  # cos of pi in float64


def test_a_constant_rate_stays() -> None:
    assert (shares("constant", 1000, 0.1)[100:] == 1.0).all()


def test_the_steps_of_one_cycle_are_those_of_every_figure_in_docs_results() -> None:
    expected = [1 / 3, 2 / 3, 1.0, 0.9620, 0.8539, 0.6920, 0.5010, 0.3100, 0.1481, 0.0400]
    np.testing.assert_allclose(shares("one_cycle", 10, 0.2), expected, atol=6e-5)  # 4 digits


def test_a_recipe_takes_a_schedule_of_a_users_own() -> None:
    assert Recipe(1.0, schedule="own").schedule == "own"
    with pytest.raises(InputError, match="one_cycle, constant, linear, own"):
        Recipe(1.0, schedule="nothing like it")
