"""Stored values: what fits together, and trials of full length."""

from __future__ import annotations

import math
import random

import pytest

from nas.errors import InputError
from nas.tuning.full_length import FullLength
from nas.tuning.objectives import Objective
from nas.tuning.scores import Job, Pause, RungValue, Running
from nas.tuning.table import RungTable
from tests.support.tuning import objectives, random_curve, work


def test_a_value_that_is_stored_twice_counts_once() -> None:
    for value in (RungValue(3, 0, (0.5,)), RungValue(4, 0, (math.nan,), math.nan)):
        table = RungTable(objectives(1), [value, RungValue(*vars(value).values())])
        assert table.count(0) == 1
        assert len(table.order(0)) == 1


@pytest.mark.parametrize(
    ("other", "parts"),
    [
        (RungValue(3, 0, (0.6,)), "one value of trial 3 at rung 0.*0.5.*0.6.*out of the storage"),
        (RungValue(3, 0, (0.5,), 1.0), "one value of trial 3 at rung 0"),
        (RungValue(3, 1, (0.5,), bracket=1), "trial 3 in bracket 0.*bracket 1.*came with the job"),
        (RungValue(4, 0, (0.5, 0.5)), "1 values of a trial.*2 of trial 4.*Fix"),
    ],
)
def test_values_that_contradict_each_other_are_refused(other: RungValue, parts: str) -> None:
    table = RungTable(objectives(1), [RungValue(3, 0, (0.5,))])
    with pytest.raises(InputError, match=f"(?s)Expected .*{parts}"):
        table.add(other)
    assert table.brackets == {3: 0}
    assert table.count(0) == 1 and table.count(1) == 0


def test_a_table_needs_objectives_that_differ() -> None:
    with pytest.raises(InputError, match="(?s)one or more objectives.*none"):
        RungTable(())
    with pytest.raises(InputError, match="name top1 once"):
        RungTable([Objective("top1"), Objective("top1")])


def test_rungs_of_different_brackets_are_kept_apart() -> None:
    table = RungTable(objectives(1), [RungValue(0, 1, (0.5,)), RungValue(1, 1, (0.6,), bracket=1)])
    assert table.order(1).best_first() == (0,)
    assert table.order(1, 1).best_first() == (1,)
    assert table.order(0).best_first() == () == table.order(1, 2).best_first()


def test_a_job_whose_value_is_stored_does_not_run_any_more() -> None:
    table = RungTable(objectives(1), [RungValue(0, 0, (0.5,))])
    running = [Running(0, 0), Running(0, 1), Running(1, 0)]
    assert table.pending(running) == (Running(0, 1), Running(1, 0))


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ((-1, 0, (0.5,)), "trial to be a whole number, 0 or more.*-1"),
        ((0, 1.0, (0.5,)), "rung to be a whole number, 0 or more.*1.0"),
        ((0, 0, ()), "a value for each objective.*none"),
        ((0, 0, (0.5,), -0.1), "a violation of 0 or more.*-0.1"),
        ((0, 0, (0.5,), 0.0, -1), "bracket to be a whole number, 0 or more.*-1"),
    ],
)
def test_values_that_are_none_are_refused(
    arguments: tuple[int, int, tuple[float]], parts: str
) -> None:
    with pytest.raises(InputError, match=f"(?s)Expected .*{parts}.*Fix"):
        RungValue(*arguments)


@pytest.mark.parametrize("workers", [1, 3])
def test_trials_of_full_length_have_one_rung_and_end(workers: int) -> None:
    full = FullLength(8.0, 6)
    done = work(full, 2, random_curve(2, 0, nan=0.3), workers=workers)
    assert done.jobs == [(None, 0)] * 6
    assert done.table.count(0) == 6
    assert full.ladder.epochs == (8.0,)
    assert full.next_job(RungTable(objectives(1)), ()) == Job(None, 0, 8.0)
    assert full.next_job(RungTable(objectives(1)), (), can_begin=False) is Pause.FINISHED
    assert any(decision is Pause.WAIT for *_, decision in done.decisions) == (workers > 1)
    values = list(done.stored)
    random.Random(0).shuffle(values)
    assert full.next_job(RungTable(objectives(2), values), ()) is Pause.FINISHED


@pytest.mark.parametrize(("epochs", "trials"), [(0.0, 3), (8.0, 0), (math.inf, 3)])
def test_full_lengths_that_are_none_are_refused(epochs: float, trials: int) -> None:
    with pytest.raises(InputError, match="(?s)Expected max_.*Received.*Fix"):
        FullLength(epochs, trials)
