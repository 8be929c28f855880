"""Successive halving: its cost, its winner, and what it does with noise."""

from __future__ import annotations

import numpy as np
import pytest

from latency.device import strict_json
from nas.errors import InputError
from nas.selection.successive_halving import (
    Candidate,
    CandidateScore,
    RaceResult,
    Rung,
    run_race,
    rungs,
    shares,
)


def candidates(count: int) -> list[Candidate]:
    return [Candidate(f"c{i}", "search", (i,), "", 1.0, 1.0) for i in range(count)]


def record(top1: float, cross_entropy: float = 1.0) -> CandidateScore:
    return CandidateScore(top1, cross_entropy, images_seen=10, seconds=1.0)


def test_rungs_double_the_epochs_for_half_the_candidates() -> None:
    assert rungs(8, 4.0) == [Rung(8, 1.0), Rung(4, 2.0), Rung(2, 4.0)]
    assert rungs(5, 4.0) == [Rung(5, 1.0), Rung(3, 2.0), Rung(2, 4.0)]
    assert rungs(2, 3.0) == [Rung(2, 3.0)]


@pytest.mark.parametrize(("count", "epochs"), [(1, 1.0), (0, 1.0), (4, 0.0), (4, float("nan"))])
def test_no_race(count: int, epochs: float) -> None:
    with pytest.raises(InputError, match="(?s)Expected.*Received.*Fix"):
        rungs(count, epochs)


def test_the_best_wins_without_noise_wherever_it_stands() -> None:
    for best in range(6):

        def train(
            candidate: Candidate, rung: int, epochs: float, best: int = best
        ) -> CandidateScore:
            return record(float(candidate.indices == (best,)))

        found = run_race(candidates(6), 4.0, train)
        assert found.winner == f"c{best}"


def test_cost_is_the_sum_of_all_trainings() -> None:
    calls: list[tuple[str, int, float]] = []

    def train(candidate: Candidate, rung: int, epochs: float) -> CandidateScore:
        calls.append((candidate.name, rung, epochs))
        return record(candidate.indices[0])

    found = run_race(candidates(4), 2.0, train)
    assert calls == [(f"c{i}", 0, 1.0) for i in range(4)] + [("c3", 1, 2.0), ("c2", 1, 2.0)]
    assert found.images_seen == 60
    assert found.seconds == 6.0
    assert found.rungs[0].order == ("c3", "c2", "c1", "c0")


def test_ties_go_to_the_earlier_candidate() -> None:
    assert run_race(candidates(4), 2.0, lambda *_: record(0.5)).winner == "c0"


def test_one_image_of_5000_decides_whatever_the_cross_entropies_are() -> None:
    """They differ by 0.7, as a network that is often sure and wrong does from one that is not."""
    scores = {"c0": record(2500 / 5000, 1.2), "c1": record(2501 / 5000, 1.9)}
    assert run_race(candidates(2), 2.0, lambda c, *_: scores[c.name]).winner == "c1"


def test_equal_accuracies_are_told_apart_by_the_cross_entropy() -> None:
    scores = {"c0": record(0.5, 1.9), "c1": record(0.5, 1.2)}
    assert run_race(candidates(2), 2.0, lambda c, *_: scores[c.name]).winner == "c1"


def test_a_race_reads_back_as_it_was_written() -> None:
    found = run_race(candidates(3), 2.0, lambda c, *_: record(0.1 * c.indices[0]))
    assert strict_json.decode(RaceResult, strict_json.encode(found), "a race") == found
    assert found.winning.name == found.winner == "c2"


def test_later_rungs_may_turn_the_order_round() -> None:
    scores = {("c0", 0): 0.6, ("c1", 0): 0.5, ("c2", 0): 0.1, ("c0", 1): 0.6, ("c1", 1): 0.7}
    found = run_race(candidates(3), 2.0, lambda c, rung, e: record(scores[(c.name, rung)]))
    assert found.winner == "c1"


def test_beats_its_random_members_when_the_rest_is_no_better() -> None:
    """With noise, the winner is above the mean of the field nearly always."""
    rng = np.random.default_rng(0)
    above = 0
    for _ in range(200):
        true = rng.normal(size=8)

        def train(
            candidate: Candidate, rung: int, epochs: float, true: np.ndarray = true
        ) -> CandidateScore:
            return record(true[candidate.indices[0]] + 0.5 * rng.normal())

        found = run_race(candidates(8), 4.0, train)
        above += true[int(found.winner[1:])] > true.mean()
    assert above >= 190


@pytest.mark.parametrize("count", range(2, 17))
def test_shares_add_up_and_contain_chance(count: int) -> None:
    for has_evolution in (False, True):
        found = shares(count, has_evolution)
        assert sum(found.values()) == count
        assert found["random"] >= 1
        assert found["search"] >= 1
        assert found["evolution"] == 0 or has_evolution
