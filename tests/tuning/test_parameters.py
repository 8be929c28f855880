"""Parameters of configurations: what they draw is what they have."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nas.errors import InputError
from nas.tuning.parameters import OneOfList, Range, key_of

RANGES = (
    Range("x", -1.0, 2.0),
    Range("rate", 1e-3, 1.0, is_log=True),
    Range("count", 1, 4, is_whole=True),
    Range("size", 8, 512, is_log=True, is_whole=True),
)


@pytest.mark.parametrize("parameter", RANGES, ids=lambda p: p.name)
def test_range_draws_and_moves_inside_and_reaches_both_halves(parameter: Range) -> None:
    rng = np.random.default_rng(0)
    drawn = [parameter.draw(rng) for _ in range(200)]
    moved = [parameter.moved(parameter.high, rng) for _ in range(200)]
    assert all(map(parameter.has, [*drawn, *moved, parameter.low, parameter.high]))
    ends = (parameter.low * parameter.high) ** 0.5 if parameter.is_log else None
    middle = (parameter.low + parameter.high) / 2 if ends is None else ends
    below = sum(float(value) < middle for value in drawn if isinstance(value, int | float))
    assert 60 < below < 140  # of 200 fair draws, four standard deviations are 28
    assert not parameter.has(parameter.high + 1) and not parameter.has("1")
    assert not parameter.has(True)


def test_whole_numbers_of_equal_ratios_have_their_share_at_the_ends_too() -> None:
    parameter, rng = Range("size", 1, 4, is_log=True, is_whole=True), np.random.default_rng(1)
    drawn = [parameter.draw(rng) for _ in range(4000)]
    for value in (1, 2, 3, 4):
        # What is rounded to it, from 0.5 to 4.5 in all.
        share = math.log((value + 0.5) / (value - 0.5)) / math.log(4.5 / 0.5)
        spread = (share * (1 - share) / len(drawn)) ** 0.5
        assert drawn.count(value) / len(drawn) == pytest.approx(share, abs=4 * spread)


def test_list_tells_true_from_one() -> None:
    parameter = OneOfList("flag", (False, True))
    assert parameter.has(True) and not parameter.has(1)
    assert {parameter.draw(np.random.default_rng(seed)) for seed in range(20)} == {False, True}
    assert key_of({"b": 1, "a": True}) == '{"a": true, "b": 1}'


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda: OneOfList("n", (1,)), "1"),
        (lambda: OneOfList("n", (1, 2, 1)), "1, 2, 1"),
        (lambda: Range("n", 2.0, 1.0), r"\[2,1\]"),
        (lambda: Range("n", 0.0, 1.0, is_log=True), r"\[0,1\]"),
        (lambda: Range("n", 0.5, 2, is_whole=True), r"\[0.5,2\]"),
        (lambda: Range("n", 0.0, float("inf")), r"\[0,inf\]"),
    ],
)
def test_parameters_that_leave_no_choice_are_refused(make: Any, received: str) -> None:
    with pytest.raises(InputError, match=f"(?s)for n.*Received: .*{received}"):
        make()
