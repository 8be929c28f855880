"""One contract for every schedule of the learning rate; a user's own passes it too."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.errors import InputError
from nas.training.recipe import Recipe
from nas.training.schedule_files import check_shares, fingerprint, share_at
from nas.training.schedule_settings import PARAMETERS
from nas.training.schedules import SCHEDULES, Course, Schedule

STEPS = (1, 2, 10, 1000)
WARMUPS = (0.0, 0.1, 0.5, 1.0)


def own(step: int, course: Course) -> float:
    """What a user would write: the square of what is left, without a warm-up."""
    return (1.0 - step / course.total) ** 2


ALL = [*SCHEDULES.names, "own"]
CYCLES = ("triangular", "triangular2", "exp_range", "triangular_sine")
HILLS = [name for name in ALL if name not in CYCLES]


@pytest.fixture(scope="module", autouse=True)
def own_schedule() -> Iterator[None]:
    SCHEDULES.register("own", Schedule(own))
    yield
    SCHEDULES.remove("own")


def recipe_of(name: str, epochs: float = 20.0, **settings: Any) -> Recipe:
    return Recipe(epochs, schedule=name).changed(**settings)


def shares(name: str, total: int, **settings: Any) -> np.ndarray:
    recipe = recipe_of(name, **settings)
    course = recipe.course(total)
    return np.array([share_at(name, step, course) for step in range(total)])


def cases() -> list[Any]:
    """Every schedule with its own parameters, and with those that stretch it."""
    found: list[Any] = [(name, {}) for name in ALL]
    found += [
        (name, {"warmup_share": share})
        for name in SCHEDULES.names
        if "warmup_share" in SCHEDULES[name].parameters
        for share in WARMUPS
    ]
    found += [(name, {"base_share": 1e-5, "step_size_epochs": 3.7}) for name in CYCLES]
    found += [(name, {"step_size_epochs": 20.0}) for name in CYCLES]
    found += [("exp_range", {"gamma": 0.5}), ("staircase", {"gamma": 0.1, "stair_epochs": 1.0})]
    found += [("piecewise_linear", {"points": ((0.0, 0.1), (2.0, 0.1), (8.0, 1.0), (9.0, 0.0))})]
    return found


@pytest.mark.parametrize("total", STEPS)
@pytest.mark.parametrize(("name", "settings"), cases())
def test_every_step_has_a_share_of_the_peak(
    name: str, settings: dict[str, Any], total: int
) -> None:
    found = shares(name, total, **settings)
    assert np.isfinite(found).all()
    assert (found <= 1).all(), "the recipe's rate is the peak"
    if "points" in settings:
        assert (found >= 0).all(), "these points end at 0 before the training does"
    else:
        assert (found > 0).all(), "a step of rate 0 would be wasted"
    assert np.array_equal(found, shares(name, total, **settings)), "a pure function of the step"


@pytest.mark.parametrize("name", HILLS)
def test_it_rises_to_the_peak_and_never_again(name: str) -> None:
    found = shares(name, 1000)
    peak = int(found.argmax())
    assert found[peak] > 0.99  # reached within a step of a thousand
    assert (np.diff(found[: peak + 1]) > 0).all()
    assert (np.diff(found[peak:]) <= 0).all()


@pytest.mark.parametrize(
    "name", [n for n in SCHEDULES.names if "warmup_share" in SCHEDULES[n].parameters]
)
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_the_warm_up_is_linear(name: str, share: float) -> None:
    found = shares(name, 100, warmup_share=share)
    steps = int(share * 100)
    assert found[0] == pytest.approx(1 / (steps + 1), rel=1e-12)  # one product of float64
    # Differences of numbers near 1 keep about 13 digits.
    np.testing.assert_allclose(np.diff(found[:steps]), 1 / (steps + 1), rtol=1e-10)


@pytest.mark.parametrize("name", ["one_cycle", "linear", "cosine"])
@pytest.mark.parametrize("last", [0.002, 0.3])
def test_it_ends_near_the_last_share(name: str, last: float) -> None:
    found = shares(name, 1000, last_share=last)
    assert last < found[-1] < last + 0.002  # the step after the last one would have it
    course = recipe_of(name, last_share=last).course(1000)
    assert share_at(name, 1000, course) == pytest.approx(last, rel=1e-9)  # cos of pi in float64


def test_a_constant_rate_stays() -> None:
    assert (shares("constant", 1000, warmup_share=0.1)[100:] == 1.0).all()


def test_the_steps_of_one_cycle_are_those_of_every_figure_in_docs_results() -> None:
    expected = [1 / 3, 2 / 3, 1.0, 0.9620, 0.8539, 0.6920, 0.5010, 0.3100, 0.1481, 0.0400]
    np.testing.assert_allclose(shares("one_cycle", 10, warmup_share=0.2), expected, atol=6e-5)


# Four epochs up, four down: peaks in the middle of epochs 4, 12 and 20 of a hundred steps each.
PEAKS = {
    "triangular": (1.0, 1.0),
    "triangular2": (1.0, 0.5),
    "exp_range": (0.97**4, 0.97**12),
    "triangular_sine": (
        0.5 * (1 + math.sin(math.pi / 2.5)),
        0.5 * (1 + math.sin(2 * math.pi / 2.5)),
    ),
}


@pytest.mark.parametrize("name", CYCLES)
def test_cycles_are_those_of_their_source(name: str) -> None:
    found = shares(name, 2000, base_share=0.1, step_size_epochs=4.0)
    for peak, height in zip((400, 1200), PEAKS[name], strict=True):
        # The top lies between two steps, each 1/800 of a side away from it.
        assert found[peak] == pytest.approx(0.1 + 0.9 * height, abs=2e-3)
        assert found[peak] > found[peak - 100] and found[peak] > found[peak + 100]
    assert found[800] == pytest.approx(0.1, abs=2e-3) and found[0] == pytest.approx(0.1, abs=2e-3)


def test_points_are_met_and_joined_by_lines() -> None:
    found = shares("piecewise_linear", 2000, points=((0.0, 0.2), (4.0, 1.0), (20.0, 0.0)))
    epochs = (np.arange(2000) + 0.5) / 100
    np.testing.assert_allclose(found, np.interp(epochs, [0, 4, 20], [0.2, 1, 0]), atol=1e-12)


def test_stairs_fall_by_their_factor_behind_the_warm_up() -> None:
    found = shares("staircase", 2000, gamma=0.5, stair_epochs=5.0, warmup_share=0.25)
    assert (found[500:1000] == 1.0).all() and (found[1000:1500] == 0.5).all()
    assert (found[1500:] == 0.25).all()


# Impossible schedules.


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("one_cycle", {"warmup_share": 1.5}, "warmup_share to be a number from 0 and up to 1"),
        ("one_cycle", {"last_share": 2.0}, "last_share"),
        ("triangular", {"step_size_epochs": 0.0}, "step_size_epochs to be a number above 0"),
        ("triangular", {"step_size_epochs": 21.0}, "step_size_epochs to be a number up to 20"),
        ("triangular", {"base_share": 0.0}, "base_share to be a number above 0"),
        ("exp_range", {"gamma": 1.1}, "gamma"),
        ("staircase", {"stair_epochs": 30.0}, "stair_epochs to be a number up to 20"),
        ("piecewise_linear", {"points": ((0.0, 1.0), (0.0, 0.5))}, "rising epochs"),
        ("piecewise_linear", {"points": ((0.0, 1.0),)}, "two or more"),
        ("piecewise_linear", {"points": ()}, "two or more"),
        ("piecewise_linear", {"points": ((0.0, 0.0), (5.0, 0.0))}, "a share above 0"),
        ("piecewise_linear", {"points": ((0.0, 2.0), (5.0, 0.0))}, "a share of points"),
        ("piecewise_linear", {"points": ((0.0, 1.0), (25.0, 0.0))}, "an epoch of points"),
        ("one_cycle", {"gamma": 0.5}, "gamma with a schedule that has one: exp_range, staircase"),
        ("triangular", {"warmup_share": 0.2}, "warmup_share with a schedule that has one"),
        ("own", {"last_share": 0.1}, "last_share with a schedule that has one"),
    ],
)
def test_what_no_training_can_keep_is_refused(
    name: str, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as refused:
        recipe_of(name, **settings)
    assert said in refused.value.expected
    assert refused.value.received and refused.value.fix


def test_another_schedule_brings_its_own_parameters() -> None:
    begun = recipe_of("triangular", base_share=0.1, step_size_epochs=2.0).resolved()
    assert begun.changed(schedule="one_cycle") == Recipe(20.0).changed(
        learning_rate=begun.peak_rate, rate_batch_size=64, weight_decay=begun.decay
    )
    changed = begun.changed(schedule="exp_range", gamma=0.9)
    assert (changed.schedule_settings.gamma, changed.schedule_settings.base_share) == (0.9, None)


# A stair that nobody names is one of 2.4 epochs, however many there are.
NUMBERS: dict[str, dict[str, Any]] = {"staircase": {"stair_epochs": 4.0, "gamma": 0.5}}


@pytest.mark.parametrize("name", SCHEDULES.names)
def test_a_shorter_training_has_the_same_curve(name: str) -> None:
    recipe = recipe_of(name, **NUMBERS.get(name, {}))
    short = recipe.shortened(0.5, 16)
    for whole in (recipe, recipe.resolved()):
        assert whole.shortened(0.5, 16).course(400) == short.course(400)
    wanted = [share_at(name, step, recipe.course(400)) for step in range(400)]
    found = [share_at(name, step, short.course(400)) for step in range(400)]
    assert found == pytest.approx(wanted, rel=1e-9), "powers of other floats"


def test_a_factor_of_an_epoch_never_vanishes() -> None:
    short = recipe_of("exp_range", gamma=0.1).shortened(0.001, 16)
    assert short.schedule_settings.gamma == sys.float_info.min


def test_a_shorter_training_keeps_the_shape() -> None:
    points = ((0.0, 0.0), (4.0, 1.0), (20.0, 0.0))
    short = recipe_of("piecewise_linear", points=points).shortened(0.5, 16)
    assert short.schedule_settings.points == ((0.0, 0.0), (0.1, 1.0), (0.5, 0.0))
    assert recipe_of("triangular").shortened(0.5, 16).schedule_settings.step_size_epochs is None


@pytest.mark.parametrize("name", ALL)
def test_a_resolved_recipe_has_every_parameter_of_its_schedule(name: str) -> None:
    found = recipe_of(name).resolved()
    values = {"warmup_share": found.warmup_share, **vars(found.schedule_settings)}
    assert {n for n in PARAMETERS if values[n] is not None} == set(SCHEDULES[name].parameters)
    assert found.course(7) == recipe_of(name).course(7) and found.resolved() == found


# A function of a user's own.


def test_a_recipe_takes_a_schedule_of_a_users_own() -> None:
    assert Recipe(1.0, schedule="own").schedule == "own"
    with pytest.raises(InputError, match="one_cycle(?s:.*)own(?s:.*)nothing like it"):
        Recipe(1.0, schedule="nothing like it")


def test_a_function_of_a_file_is_a_schedule(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def square(step, course):\n    return (1 - step / course.total) ** 2\n")
    name = f"{file}:square"
    recipe = Recipe(2.0, schedule=name)
    check_shares(name, recipe.course(1))
    course = recipe.course(10)
    assert [share_at(name, s, course) for s in range(10)] == [own(s, course) for s in range(10)]
    before = fingerprint(name)
    file.write_text("def square(step, course):\n    return 1.0\n")
    assert before and fingerprint(name) != before and fingerprint("one_cycle") is None


def test_reading_a_recipe_runs_no_file() -> None:
    assert Recipe(1.0, schedule="/gone/mine.py:square").resolved().schedule.startswith("/gone")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def mine(step, course):\n    return 2.0\n", "2.0 at step 0"),
        ("def mine(step, course):\n    return float('nan')\n", "nan at step 0"),
        ("def mine(step, course):\n    return 0.0\n", "0, at this step and at all others"),
        ("def mine(step):\n    return 1.0\n", "TypeError"),
        ("def mine(step, course):\n    return 1 / (5 - step)\n", "at step"),
        ("def mine(step, course):\n    return maths.pi\n", "NameError: name 'maths'"),
        ("def mine(step, course):\n    assert step < 5, 'late'\n    return 1\n", "late at step 5"),
        ("def mine(step, course):\n    import nowhere\n", "ModuleNotFoundError"),
        ("def mine(step, course):\n    raise RuntimeError\n", "RuntimeError"),
        ("def other(step, course):\n    return 1.0\n", "'mine'"),
        ("def mein(step, course):\n    return 1.0\n", "write 'mein'"),
        ("1 / 0\n", "ZeroDivisionError"),
    ],
)
def test_a_function_that_is_no_schedule_is_refused_before_any_work(
    text: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(text)
    name = f"{tmp_path / 'mine.py'}:mine"
    with pytest.raises(InputError) as refused:
        check_shares(name, Recipe(1.0, schedule=name).course(1))
    assert said in str(refused.value) and refused.value.fix
    assert str(refused.value).count("Expected") == 1, "one error and no other inside of it"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/x/mine.py", "FILE.py:FUNCTION"),
        ("/x/mine.py:", "FILE.py:FUNCTION"),
        ("/x/mine.py:1", "FILE.py:FUNCTION"),
        ("mine.py:square", "the absolute path"),
        ("one-cycle", "one_cycle"),
    ],
)
def test_names_of_no_schedule_are_refused(name: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        Recipe(1.0, schedule=name)
    assert said in str(refused.value)


def test_a_file_that_is_gone_is_refused_where_it_is_needed() -> None:
    with pytest.raises(InputError, match="which does not exist"):
        share_at("/gone/mine.py:square", 0, Course(10, 1.0))
