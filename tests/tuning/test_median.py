"""Median stopping against its definition."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence

import pytest

from nas.errors import InputError
from nas.tuning.ladder import EvenLadder
from nas.tuning.median import MedianStopping
from nas.tuning.scores import Job, Pause, RungValue, Running
from nas.tuning.table import RungTable
from tests.support.tuning import objectives, random_curve, work

LADDER = EvenLadder(4, rungs=4)


def slow_stopped(values: Sequence[RungValue], rung: int, min_others: int) -> set[int]:
    """Golovin et al. 2017, section 3.2.2, for one objective of which more is better."""
    curves = {
        v.trial: [
            next(w.values[0] for w in values if (w.trial, w.rung) == (v.trial, s))
            for s in range(rung + 1)
        ]
        for v in values
        if v.rung == rung
    }
    stopped = set()
    for trial, curve in curves.items():
        averages = [statistics.fmean(curves[t]) for t in curves if t != trial]
        if len(averages) >= min_others and max(curve) < statistics.median(averages):
            stopped.add(trial)
    return stopped


@pytest.mark.parametrize("workers", [1, 4])
def test_what_goes_on_is_not_worse_than_the_median_of_the_others(workers: int) -> None:
    median = MedianStopping(LADDER, 30, min_others=3)
    # Whole numbers below 1000, whose means and halves are exact or equal on both sides.
    done = work(median, 1, random_curve(1, 4, levels=1000), workers=workers)
    compared = 0
    for stored, _, decision in done.decisions:
        if isinstance(decision, Job) and decision.trial is not None:
            assert decision.trial not in slow_stopped(stored, decision.rung - 1, 3)
            compared += 1
    assert compared > 20
    for rung in range(LADDER.last):
        stopped = slow_stopped(done.stored, rung, 3)
        assert set(median.stopped(rung, done.table)) == stopped
        # At the end, all that are not stopped have gone on.
        assert set(done.table.values(rung)) - stopped <= set(done.table.values(rung + 1))
    assert 0 < done.table.count(3) < 30


def test_with_few_others_every_trial_goes_on() -> None:
    values = [RungValue(trial, 0, (0.1 * trial,)) for trial in range(6)]
    median = MedianStopping(LADDER, 6, min_others=5)
    assert median.stopped(0, RungTable(objectives(1), values[:5])) == ()
    # The others' medians are 0.3 for the first three.
    assert median.stopped(0, RungTable(objectives(1), values)) == (0, 1, 2)


def test_no_trial_is_stopped_before_the_first_rung_that_may() -> None:
    done = work(MedianStopping(LADDER, 20, first_rung=2), 1, random_curve(1, 0))
    assert done.table.count(2) == 20 > done.table.count(3)


def test_with_several_objectives_the_fronts_before_a_trial_decide() -> None:
    """Seven trials, each on a front of its own: shares of 0 to 6/7, with 3/7 in their middle."""
    values = [RungValue(trial, 0, (0.1 * trial, 10.0 - trial)) for trial in range(7)]
    median = MedianStopping(LADDER, 7)
    assert median.stopped(0, RungTable(objectives(2), values)) == (0, 1, 2)
    # On one front, all have a share of 0, and nobody is worse than anybody.
    values = [RungValue(trial, 0, (0.1 * trial, 1.0 + trial)) for trial in range(7)]
    assert median.stopped(0, RungTable(objectives(2), values)) == ()


@pytest.mark.parametrize("count", [1, 2])
def test_what_diverged_is_stopped_and_a_missed_budget_is_worse_than_any_value(count: int) -> None:
    rest = (1.0,) * (count - 1)
    values = [RungValue(trial, 0, (0.5, *rest)) for trial in range(6)]
    values += [RungValue(6, 0, (float("nan"), *rest)), RungValue(7, 0, (0.9, *rest), 0.1)]
    assert MedianStopping(LADDER, 8).stopped(0, RungTable(objectives(count), values)) == (6, 7)


@pytest.mark.parametrize("count", [1, 2])
def test_a_table_made_anew_of_shuffled_values_decides_the_same(count: int) -> None:
    median = MedianStopping(LADDER, 25)
    curve = random_curve(count, 8, nan=0.1, infeasible=0.1)
    done = work(median, count, curve, workers=3)
    rng = random.Random(0)
    for stored, running, decision in done.decisions[::4]:
        values = list(stored)
        rng.shuffle(values)
        assert median.next_job(RungTable(objectives(count), values), running) == decision


def test_a_value_that_is_missing_on_the_way_is_refused() -> None:
    values = [RungValue(0, 0, (0.5,)), RungValue(0, 1, (0.5,)), RungValue(1, 1, (0.4,))]
    with pytest.raises(InputError, match="(?s)values of a trial at all rungs.*trial 1"):
        MedianStopping(LADDER, 2).next_job(RungTable(objectives(1), values), ())


def test_without_more_configurations_it_ends() -> None:
    table = RungTable(objectives(1))
    assert MedianStopping(LADDER, 5).next_job(table, (), can_begin=False) is Pause.FINISHED


def test_the_trial_that_has_come_furthest_goes_first() -> None:
    values = [RungValue(0, 0, (0.1,)), RungValue(0, 1, (0.1,)), RungValue(1, 0, (0.9,))]
    table = RungTable(objectives(1), values)
    median = MedianStopping(LADDER, 5)
    assert median.next_job(table, ()) == Job(0, 2, 3.0)
    assert median.next_job(table, [Running(0, 2)]) == Job(1, 1, 2.0)
    assert median.next_job(table, [Running(0, 2), Running(1, 1)]) == Job(None, 0, 1.0)
