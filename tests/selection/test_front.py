"""Where further networks of a front are looked for, and where trained ones stand."""

from __future__ import annotations

import math
from itertools import islice

import pytest

from nas.selection.gaps import NEAR_MIDDLE, SAME, windows
from nas.selection.seed_spread import SeedSpread
from nas.selection.standing import Candidate, Place, places


def test_the_widest_gap_comes_first_by_its_ratio() -> None:
    first, second, other, _ = islice(windows([1.0, 2.0, 5.0], 0.5, 8.0), 4)
    # From 2 to 5 is wider than from 1 to 2, and its middle is their geometric mean.
    assert first.aim == second.aim == pytest.approx(math.sqrt(10))
    assert first.high / first.aim == pytest.approx(math.exp(NEAR_MIDDLE))
    assert second.low == pytest.approx(2.0 * math.exp(SAME))
    assert second.high == pytest.approx(5.0 * math.exp(-SAME))
    assert other.aim == pytest.approx(math.sqrt(2))


def test_at_last_everything_is_looked_at() -> None:
    *_, between, outside = windows([1.0, 2.0], 0.5, 8.0)
    assert (between.low, between.high) == (1.0, 2.0)
    assert (outside.low, outside.high) == (0.5, 8.0)


def test_one_time_has_a_gap_on_either_side_and_a_narrow_gap_is_none() -> None:
    aims = [window.aim for window in windows([2.0, 2.0], 1.0, 8.0)]
    assert aims[0] == pytest.approx(4.0) and aims[2] == pytest.approx(math.sqrt(2))
    narrow = list(windows([1.0, 1.009], 1.0, 1.009))
    assert [(w.low, w.high) for w in narrow] == 2 * [(1.0, 1.009)]


def candidate(name: str, ms: float, *top1: float, interval: float | None = 0.01) -> Candidate:
    seeds = SeedSpread.of(dict(enumerate(top1)))
    if interval is None:
        return Candidate(name, ms, None, None, seeds)
    return Candidate(name, ms, ms - interval, ms + interval, seeds)


def standings(*candidates: Candidate) -> dict[str, str]:
    return {name: place.standing for name, place in places(candidates).items()}


def test_a_network_is_dominated_where_both_figures_are_told_apart() -> None:
    fast = candidate("fast", 1.0, 0.60, 0.62, 0.61)
    slow = candidate("slow", 2.0, 0.50, 0.52, 0.515)
    assert standings(slow, fast) == {"fast": "front", "slow": "dominated"}
    assert places([slow, fast])["slow"] == Place("dominated", ("fast",))


@pytest.mark.parametrize(
    "slow",
    [
        candidate("slow", 2.0, 0.50),  # one training each
        candidate("slow", 2.0, 0.40, 0.62, 0.70),  # worse on average, but not with every seed
        candidate("slow", 1.005, 0.50, 0.52, 0.515),  # the times overlap
        candidate("slow", 2.0, 0.50, 0.52, 0.515, interval=None),  # the time is predicted
    ],
)
def test_what_cannot_be_told_apart_is_not_called_dominated(slow: Candidate) -> None:
    fast = candidate("fast", 1.0, 0.60, 0.62, 0.61)
    assert standings(fast, slow) == {"fast": "front", "slow": "cannot tell"}


def test_neighbours_of_the_front_are_compared_over_seeds() -> None:
    found = places(
        [
            candidate("a", 1.0, 0.5, 0.52, 0.51),
            candidate("c", 3.0, 0.7, 0.60, 0.65),
            candidate("b", 2.0, 0.5, 0.51, 0.50),
        ]
    )
    assert list(found) == ["a", "b", "c"]
    assert (found["a"].faster, found["c"].faster) == (None, "a"), "the next one on the front"
    gain = found["c"].gain
    assert gain is not None and gain.top1 == pytest.approx(0.14)
    assert found["b"].gain is None


def test_equal_networks_are_both_on_the_front() -> None:
    assert standings(candidate("a", 1.0, 0.5), candidate("b", 1.0, 0.5)) == {
        "a": "front",
        "b": "front",
    }
