"""Evolution: feasible networks only, exact repair, the same result again."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from nas.errors import InputError
from nas.methods.evolution import EvolutionConfig, evolve
from nas.methods.method import Scored
from nas.selection.integer_program import choose

CHOICES, OPTIONS = 8, 4
RNG = np.random.default_rng(0)
OPTION_MS = [np.sort(RNG.uniform(0.1, 1.0, OPTIONS)) for _ in range(CHOICES)]
VALUE = [np.sort(RNG.uniform(0.0, 1.0, OPTIONS)) for _ in range(CHOICES)]
LOW_MS, HIGH_MS = 3.9, 4.1


def repair(preferences: Sequence[np.ndarray]) -> tuple[int, ...] | None:
    return choose(preferences, OPTION_MS, LOW_MS, HIGH_MS)


def score(indices: tuple[int, ...]) -> float:
    # Interactions between neighbours, so that no additive choice would find the best.
    own = sum(float(row[i]) for row, i in zip(VALUE, indices, strict=True))
    return own + 0.3 * sum(a == b for a, b in zip(indices, indices[1:], strict=False))


def run(seed: int = 0, **settings: Any) -> list[Scored]:
    config = EvolutionConfig(**{"population": 16, "generations": 6, "parents": 6, **settings})
    return evolve([OPTIONS] * CHOICES, repair, score, config, seed)


@functools.cache
def found_with(seed: int) -> list[Scored]:
    """What an evolution finds; several tests look at the same ones, and none changes them."""
    return run(seed)


def test_every_network_is_feasible_and_scored_once() -> None:
    found = found_with(0)
    assert len(found) > 60
    assert len({s.indices for s in found}) == len(found)
    for scored in found:
        total = sum(row[i] for row, i in zip(OPTION_MS, scored.indices, strict=True))
        assert LOW_MS <= total <= HIGH_MS
        assert scored.score == score(scored.indices)
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)


@pytest.mark.slow
def test_beats_as_many_random_networks() -> None:
    better = 0
    for seed in range(3):
        evolved = found_with(seed)
        rng = np.random.default_rng((99, seed))
        drawn: list[float] = []
        while len(drawn) < len(evolved):
            indices = tuple(int(i) for i in rng.integers(0, OPTIONS, CHOICES))
            total = sum(row[i] for row, i in zip(OPTION_MS, indices, strict=True))
            if LOW_MS <= total <= HIGH_MS:
                drawn.append(score(indices))
        better += evolved[0].score > max(drawn)
    assert better >= 2


def test_same_seed_same_networks_other_seed_others() -> None:
    assert run(0) == found_with(0)
    assert [s.indices for s in found_with(0)] != [s.indices for s in found_with(1)]


def test_nothing_feasible_gives_nothing() -> None:
    config = EvolutionConfig(population=4, generations=2, parents=2)
    assert evolve([2, 2], lambda wanted: None, lambda indices: 0.0, config, 0) == []


def test_a_space_smaller_than_the_population_ends() -> None:
    config = EvolutionConfig(population=32, generations=2, parents=4)
    found = evolve(
        [2, 2],
        lambda wanted: tuple(int(row.argmax()) for row in wanted),
        lambda indices: float(sum(indices)),
        config,
        0,
    )
    assert len(found) == 4
    assert found[0] == Scored((1, 1), 2.0)


def test_progress_reports_the_best_so_far() -> None:
    seen = []
    config = EvolutionConfig(population=6, generations=2, parents=3)
    found = evolve(
        [OPTIONS] * CHOICES,
        repair,
        score,
        config,
        1,
        lambda done, total, best: seen.append((done, total, best.score)),
    )
    assert [done for done, _, _ in seen] == list(range(1, len(found) + 1))
    assert seen[-1] == (len(found), 18, found[0].score)


@pytest.mark.parametrize("bad", [{"population": 0}, {"mutation": 0.0}, {"generations": -1}])
def test_bad_settings(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="(?s)Expected.*Received.*Fix"):
        EvolutionConfig(**bad)
