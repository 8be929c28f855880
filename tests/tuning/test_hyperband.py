"""Hyperband's brackets by their formula, and what is worked on while a rung is waited for."""

from __future__ import annotations

import random
from functools import partial

import pytest

from nas.errors import InputError
from nas.tuning.hyperband import Bracket, Hyperband, brackets, plan, trials_of_round
from nas.tuning.ladder import Ladder
from nas.tuning.scores import Job, Pause, RungValue, Running
from nas.tuning.table import RungTable
from tests.support.tuning import objectives, random_curve, slow_order, work

PUBLISHED = Ladder(81, reduction=3, rungs=5)
SMALL = Ladder(9, reduction=3, rungs=3)


def test_brackets_are_those_of_the_publication() -> None:
    """Table 1 of JMLR 18(185), for R = 81 and eta = 3."""
    found = brackets(PUBLISHED)
    assert [b.trials for b in found] == [81, 34, 15, 8, 5]
    assert [b.sizes(PUBLISHED) for b in found] == [
        (81, 27, 9, 3, 1),
        (34, 11, 3, 1),
        (15, 5, 1),
        (8, 2),
        (5,),
    ]
    assert [PUBLISHED.epochs[b.first_rung] for b in found] == [1, 3, 9, 27, 81]
    assert trials_of_round(PUBLISHED) == 143


def test_more_trials_begin_another_round_and_the_last_bracket_has_the_rest() -> None:
    found = plan(PUBLISHED, 143 + 81 + 10)
    assert [b.trials for b in found] == [81, 34, 15, 8, 5, 81, 10]
    # 10 trials are halved twice, from 9 epochs on, so that one of them is trained whole.
    assert found[-1] == Bracket(6, 2, 10)
    assert plan(PUBLISHED, 1) == (Bracket(0, 4, 1),)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("workers", [1, 3])
def test_every_rung_has_the_best_of_the_complete_rung_before_it(count: int, workers: int) -> None:
    hyperband = Hyperband(SMALL, trials_of_round(SMALL))
    done = work(hyperband, count, random_curve(count, 5), workers=workers)
    for bracket in hyperband.brackets:
        sizes = bracket.sizes(SMALL)
        for rung, size in enumerate(sizes, bracket.first_rung):
            assert done.table.count(rung, bracket.number) == size
        for rung in range(bracket.first_rung, SMALL.last):
            ended = list(done.table.values(rung, bracket.number).values())
            best = slow_order(objectives(count), ended)[: len(ended) // 3]
            assert set(done.table.values(rung + 1, bracket.number)) == set(best)


def test_nothing_goes_on_before_its_rung_is_complete() -> None:
    hyperband = Hyperband(SMALL, trials_of_round(SMALL))
    done = work(hyperband, 1, random_curve(1, 5), workers=4)
    for stored, _, decision in done.decisions:
        if isinstance(decision, Job) and decision.trial is not None:
            bracket = hyperband.brackets[decision.bracket]
            size = bracket.sizes(SMALL)[decision.rung - 1 - bracket.first_rung]
            key = decision.bracket, decision.rung - 1
            here = [v for v in stored if (v.bracket, v.rung) == key]
            assert len(here) == size


def test_workers_begin_the_next_bracket_while_a_rung_is_waited_for() -> None:
    hyperband = Hyperband(SMALL, trials_of_round(SMALL))
    done = work(hyperband, 1, random_curve(1, 5), workers=4)
    paused = [d for d in done.decisions if d[2] is Pause.WAIT]
    # Only when all brackets have begun is there anything to wait for.
    for stored, running, _ in paused:
        trials = {v.trial for v in stored} | {job.trial for job in running}
        assert len(trials) == hyperband.max_trials
    assert any(len({job.bracket for job in running}) > 1 for _, running, _ in done.decisions)


def test_a_table_made_anew_of_shuffled_values_decides_the_same() -> None:
    hyperband = Hyperband(SMALL, 30)
    done = work(hyperband, 2, random_curve(2, 6, nan=0.2, infeasible=0.2), workers=3)
    rng = random.Random(0)
    for stored, running, decision in done.decisions:
        values = list(stored)
        rng.shuffle(values)
        assert hyperband.next_job(RungTable(objectives(2), values), running) == decision


def test_what_diverged_takes_its_place_and_goes_nowhere() -> None:
    hyperband = Hyperband(SMALL, 9)
    done = work(hyperband, 1, lambda t, r: ((float("nan") if t < 8 else 1.0,), 0.0))
    assert done.table.count(1) == 1
    assert set(done.table.values(1)) == {8}
    # One of nine at a rung whose next has place for a third of one.
    assert done.table.count(2) == 0


def test_no_trials_are_refused() -> None:
    with pytest.raises(InputError, match="max_trials to be a whole number, 1 or more"):
        Hyperband(SMALL, 0)


def test_a_trial_is_promoted_within_its_bracket() -> None:
    values = [RungValue(t, 0, (0.1 * t,), bracket=0) for t in range(9)]
    hyperband = Hyperband(SMALL, trials_of_round(SMALL))
    assert hyperband.next_job(RungTable(objectives(1), values), ()) == Job(8, 1, 3.0, 0)


def test_without_more_configurations_brackets_end_with_the_trials_that_they_have() -> None:
    hyperband = Hyperband(SMALL, trials_of_round(SMALL))
    values = [RungValue(trial, 0, (0.1 * trial,)) for trial in range(6)]
    table = RungTable(objectives(1), values)
    assert hyperband.next_job(table, ()) == Job(None, 0, 1.0)
    decide = partial(hyperband.next_job, table, can_begin=False)
    assert decide(()) == Job(5, 1, 3.0)
    assert decide([Running(5, 1)]) == Job(4, 1, 3.0)
    assert decide([Running(5, 1), Running(4, 1)]) is Pause.WAIT
    table.add(RungValue(5, 1, (0.5,)))
    table.add(RungValue(4, 1, (0.4,)))
    assert decide(()) is Pause.FINISHED


def test_a_search_that_goes_on_with_other_brackets_is_refused() -> None:
    """Forty trials of a round of 81 begin at 3 epochs, where those of a whole round begin at 1."""
    forty = work(Hyperband(PUBLISHED, 40), 1, random_curve(1, 0)).table
    with pytest.raises(InputError, match="(?s)81 trials that begin at rung 0.*another one.*max_tr"):
        Hyperband(PUBLISHED, 143).next_job(forty, ())
    # With one place more, another trial of the second bracket would have gone on.
    values = [RungValue(trial, 0, (0.1,)) for trial in range(9)]
    values += [RungValue(trial, 1, (0.1 * trial,)) for trial in (0, 1, 2)]
    values += [RungValue(2, 2, (0.1,))]
    values += [RungValue(9 + trial, 1, (0.1 * trial,), bracket=1) for trial in range(4)]
    values += [RungValue(12, 2, (0.1,), bracket=1)]
    table = RungTable(objectives(1), values)
    assert Hyperband(SMALL, 13).next_job(table, ()) is Pause.FINISHED
    assert Hyperband(SMALL, 14).next_job(table, ()) == Job(None, 1, 3.0, 1)
    table.add(RungValue(13, 1, (0.9,), bracket=1))
    with pytest.raises(InputError, match="5 trials that begin at rung 1"):
        Hyperband(SMALL, 14).next_job(table, ())
    round_of = work(Hyperband(PUBLISHED, 81), 1, random_curve(1, 0)).table
    with pytest.raises(InputError, match="40 trials that begin at rung 1"):
        Hyperband(PUBLISHED, 40).next_job(round_of, ())
