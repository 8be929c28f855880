"""Asynchronous halving: what it promises, the textbook, and a slow computation of the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from nas.errors import InputError
from nas.tuning.asha import Asha
from nas.tuning.ladder import Ladder
from nas.tuning.scores import Job, Pause, RungValue, Running
from nas.tuning.table import RungTable
from tests.support.tuning import Curve, at_rung, objectives, random_curve, slow_order, work

LADDER = Ladder(27, reduction=3, rungs=4)


def arrivals(kind: str, count: int) -> Curve:
    """Values that only rise, only fall, or come in any order, better with more epochs."""
    sign = {"ascending": 1, "descending": -1}.get(kind, 0)

    def curve(trial: int, rung: int) -> tuple[tuple[float, ...], float]:
        first = 0.01 * sign * trial if sign else random.Random(trial).random()
        rest = (random.Random(f"{trial} {column}").random() for column in range(1, count))
        return (first + rung, *rest), 0.0

    return curve


def slow_asha(
    values: Sequence[RungValue], running: Sequence[Running], count: int, max_trials: int
) -> Job | Pause:
    """The rule, computed from all values with nothing but sets and lists."""
    stored = {(v.trial, v.rung) for v in values}
    pending = {(r.trial, r.rung) for r in running} - stored
    for rung in reversed(range(LADDER.last)):
        here = [v for v in values if v.rung == rung]
        promoted = {t for t, r in stored | pending if r == rung + 1}
        if len(promoted) < len(here) // LADDER.reduction:
            finite = {v.trial for v in here if v.is_finite}
            for trial in slow_order(objectives(count), here):
                if trial not in promoted and trial in finite:
                    return Job(trial, rung + 1, 3.0 ** (rung + 1))
    if len({t for t, _ in stored | pending}) < max_trials:
        return Job(None, 0, 1.0)
    return Pause.WAIT if pending else Pause.FINISHED


def textbook(values: Sequence[RungValue], running: Sequence[Running]) -> tuple[int, int] | None:
    """`get_job` of algorithm 2 for one objective, word by word; None for a new configuration."""
    for k in reversed(range(LADDER.last)):
        rung = {v.trial: v.values[0] for v in values if v.rung == k}
        top_k = sorted(rung, key=lambda t: (-rung[t], t))[: len(rung) // LADDER.reduction]
        promoted = at_rung(k + 1, values, running)
        promotable = [t for t in top_k if t not in promoted]
        if promotable:
            return promotable[0], k + 1
    return None


CURVES: dict[str, Callable[[int], Curve]] = {
    "ascending": lambda count: arrivals("ascending", count),
    "descending": lambda count: arrivals("descending", count),
    "shuffled": lambda count: arrivals("shuffled", count),
    "coarse": lambda count: random_curve(count, 1),
    "nan": lambda count: random_curve(count, 2, nan=0.4),
    "infeasible": lambda count: random_curve(count, 3, nan=0.1, infeasible=0.5),
}


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("kind", list(CURVES))
def test_decisions_are_those_of_the_slow_computation(kind: str, count: int) -> None:
    done = work(Asha(LADDER, 40), count, CURVES[kind](count), workers=3, seed=count)
    for stored, running, decision in done.decisions:
        assert decision == slow_asha(stored, running, count, 40)
    assert len(done.table.brackets) == 40


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("kind", list(CURVES))
def test_no_rung_ever_promotes_more_than_one_in_eta(kind: str, count: int) -> None:
    done = work(Asha(LADDER, 60), count, CURVES[kind](count), workers=4)
    for stored, running, decision in done.decisions:
        jobs = list(running)
        if isinstance(decision, Job) and decision.trial is not None:
            jobs.append(decision.running(decision.trial))
        for rung in range(LADDER.last):
            ended = sum(v.rung == rung for v in stored)
            assert len(at_rung(rung + 1, stored, jobs)) <= ended // 3


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_in_the_end_every_place_was_given_to_a_trial(workers: int) -> None:
    for kind in ("ascending", "descending", "shuffled"):
        done = work(Asha(LADDER, 60), 2, CURVES[kind](2), workers=workers)
        assert [done.table.count(rung) for rung in range(4)] == [60, 20, 6, 2]


@pytest.mark.parametrize("kind", list(CURVES))
def test_a_table_made_anew_of_shuffled_values_decides_the_same(kind: str) -> None:
    asha = Asha(LADDER, 40)
    done = work(asha, 2, CURVES[kind](2), workers=3)
    rng = random.Random(0)
    for stored, running, decision in done.decisions[::5]:
        values, jobs = list(stored), list(running)
        rng.shuffle(values)
        rng.shuffle(jobs)
        assert asha.next_job(RungTable(objectives(2), values), jobs) == decision


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("kind", ["ascending", "descending", "shuffled", "coarse"])
def test_with_one_objective_it_decides_as_the_textbook_unless_that_promotes_too_many(
    kind: str, workers: int
) -> None:
    done = work(Asha(LADDER, 60), 1, CURVES[kind](1), workers=workers)
    same = other = 0
    for stored, running, decision in done.decisions:
        if not isinstance(decision, Job):
            continue
        wanted = textbook(stored, running)
        found = None if decision.trial is None else (decision.trial, decision.rung)
        if wanted is not None:
            rung = wanted[1]
            promoted = at_rung(rung, stored, running)
            ended = sum(v.rung == rung - 1 for v in stored)
            if len(promoted) + 1 > ended // LADDER.reduction:
                # What is done instead comes next in the textbook's order.
                assert decision.rung < rung
                other += 1
                continue
        assert found == wanted
        same += 1
    # Best first, the textbook itself never promotes too many, and every decision is compared.
    assert same > (80 if kind == "descending" else 10)
    assert (other == 0) == (kind == "descending")


def test_the_longest_rung_with_a_place_goes_first() -> None:
    values = [RungValue(trial, 0, (0.1 * trial,)) for trial in range(12)]
    values += [RungValue(trial, 1, (0.1 * trial,)) for trial in (9, 10, 11)]
    table = RungTable(objectives(1), values)
    asha = Asha(LADDER, 60)
    assert asha.next_job(table, ()) == Job(11, 2, 9.0)
    assert asha.next_job(table, [Running(11, 2)]) == Job(8, 1, 3.0)
    assert asha.next_job(table, [Running(11, 2), Running(8, 1)]) == Job(None, 0, 1.0)


def test_values_that_only_rise_do_not_promote_every_trial() -> None:
    done = work(Asha(LADDER, 60), 1, CURVES["ascending"](1))
    assert [trial for trial, rung in done.jobs if rung == 1] == list(range(2, 60, 3))


def test_nothing_without_finite_values_goes_on() -> None:
    done = work(Asha(LADDER, 30), 2, lambda t, r: ((float("nan"), 1.0), 0.0), workers=2)
    assert done.jobs == [(None, 0)] * 30


def test_the_documents_case_trains_the_first_rung_for_an_eighth_of_an_epoch() -> None:
    asha = Asha(Ladder(32, 4, 5), 256)
    assert asha.next_job(RungTable(objectives(1)), ()) == Job(None, 0, 0.125)
    values = [RungValue(trial, 0, (trial / 100,)) for trial in range(4)]
    assert asha.next_job(RungTable(objectives(1), values), ()) == Job(3, 1, 0.5)


def test_when_all_trials_have_begun_it_waits_and_then_ends() -> None:
    asha = Asha(Ladder(2, 2, 2), 2)
    table = RungTable(objectives(1))
    running = [Running(0, 0), Running(1, 0)]
    assert asha.next_job(table, running) is Pause.WAIT
    table.add(RungValue(0, 0, (0.1,)))
    assert asha.next_job(table, running) is Pause.WAIT
    table.add(RungValue(1, 0, (0.2,)))
    # Both jobs are still listed, as after a kill between the value and the end of the lease.
    assert asha.next_job(table, running) == Job(1, 1, 2)
    running.append(Running(1, 1))
    assert asha.next_job(table, running) is Pause.WAIT
    table.add(RungValue(1, 1, (0.2,)))
    assert asha.next_job(table, running) is Pause.FINISHED


def test_without_more_configurations_promotions_go_on_and_then_it_ends() -> None:
    asha = Asha(Ladder(2, 2, 2), 10)
    table = RungTable(objectives(1), [RungValue(trial, 0, (0.1,)) for trial in range(2)])
    assert asha.next_job(table, (), can_begin=False) == Job(0, 1, 2)
    assert asha.next_job(table, [Running(0, 1)], can_begin=False) is Pause.WAIT
    table.add(RungValue(0, 1, (0.1,)))
    assert asha.next_job(table, ()) == Job(None, 0, 1)
    assert asha.next_job(table, (), can_begin=False) is Pause.FINISHED


def test_so_few_trials_that_none_is_trained_whole_are_refused() -> None:
    with pytest.raises(InputError, match="(?s)at least 256 trials.*max_trials 40.*rungs to 3 or"):
        Asha(Ladder(32, 4, 5), 40)
    assert Asha(Ladder(32, 4, 3), 40).max_trials == 40
