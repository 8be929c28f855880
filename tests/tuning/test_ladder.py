"""Lengths of rungs, in epochs and in steps."""

from __future__ import annotations

import pytest

from nas.errors import InputError
from nas.tuning.ladder import EvenLadder, Ladder, rungs_for, rungs_from


def test_lengths_are_those_of_the_documents() -> None:
    assert Ladder(32, 4, 5).epochs == (0.125, 0.5, 2, 8, 32)
    assert Ladder(100, 4, 5).epochs == (0.390625, 1.5625, 6.25, 25, 100)
    assert Ladder(81, 3, 5).epochs == (1, 3, 9, 27, 81)
    assert EvenLadder(10, 4).epochs == (2.5, 5, 7.5, 10)
    assert Ladder(32, 4, 5).last == 4


def test_steps_are_rounded_to_the_nearest_and_halves_up() -> None:
    # 16,000 / 256 = 62.5
    assert Ladder(32, 4, 5).steps(16_000) == (63, 250, 1000, 4000, 16_000)
    assert Ladder(32, 4, 3).steps(100) == (6, 25, 100)
    assert EvenLadder(1, 4).steps(10) == (3, 5, 8, 10)


def test_the_first_rung_has_a_step_at_least() -> None:
    # 4 / 27 of a step is nearer to none.
    assert Ladder(27, 27, 2).steps(4) == (1, 4)
    assert EvenLadder(9, 3).steps(3) == (1, 2, 3)


@pytest.mark.parametrize("ladder", [Ladder(5, 4, 5), EvenLadder(5, 5)])
def test_rungs_that_would_end_at_one_step_are_refused(ladder: Ladder | EvenLadder) -> None:
    with pytest.raises(InputError, match="(?s)rungs that end at different steps.*of 4 steps.*Fix"):
        ladder.steps(4)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ((32, 1, 5), "reduction to be a whole number, 2 or more.*1"),
        ((32, 2.5, 5), "reduction to be a whole number, 2 or more.*2.5"),
        ((4, 4, 5), "at most as many rungs as epochs.*5 rungs, 4 epochs.*Fix: set rungs to 4"),
        ((32, 4, 0), "rungs to be a whole number, 1 or more"),
        ((0, 4, 1), "max_epochs to be a number above 0"),
        ((float("nan"), 4, 1), "max_epochs to be a number above 0"),
    ],
)
def test_ladders_that_are_none_are_refused(arguments: tuple[float, int, int], parts: str) -> None:
    with pytest.raises(InputError, match=f"(?s)Expected .*{parts}"):
        Ladder(*arguments)


def test_a_part_of_an_epoch_has_one_rung() -> None:
    assert Ladder(0.5, 4, 1).epochs == (0.5,)


@pytest.mark.parametrize(
    ("longest", "shortest", "reduction", "rungs"),
    [
        (81, 1, 3, 5),
        (80, 1, 3, 4),
        (243, 1, 3, 6),
        (32, 0.125, 4, 5),
        (10, 10, 2, 1),
        (1000, 1, 10, 4),
    ],
)
def test_rungs_from_the_shortest_training(
    longest: float, shortest: float, reduction: int, rungs: int
) -> None:
    """Powers give their whole logarithm plus one, where rounded logarithms lose one."""
    assert rungs_from(longest, shortest, reduction) == rungs
    with pytest.raises(InputError, match="min_epochs to be a number above 0 and up to"):
        rungs_from(longest, longest + 1, reduction)


def test_as_many_rungs_as_trials_and_epochs_allow() -> None:
    assert rungs_for(500, 32, 4) == 5
    assert rungs_for(40, 32, 4) == 3
    assert rungs_for(64, 32, 4) == 4
    assert rungs_for(500, 3, 4) == 3
    assert rungs_for(1, 32, 4) == 1
    assert rungs_for(10**6, 10**6, 2, most=7) == 7
