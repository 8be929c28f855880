"""The exact choice against brute force; scores and objective in closed form."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from nas.architecture.spec import MBConv, Skip
from nas.methods.gate_probabilities import GateProbabilities
from nas.methods.objective import approached, damped_strength, temperature, updated_multiplier
from nas.search_space.named import get_space
from nas.selection.integer_program import choose
from nas.training.schedules import ramp


def brute_force(
    scores: Sequence[np.ndarray],
    costs: Sequence[np.ndarray],
    low: float,
    high: float,
    forbidden: Sequence[tuple[int, ...]],
) -> Any:
    best, best_score = None, -math.inf
    for indices in itertools.product(*(range(len(row)) for row in scores)):
        cost = sum(row[i] for row, i in zip(costs, indices, strict=True))
        score = sum(row[i] for row, i in zip(scores, indices, strict=True))
        if low <= cost <= high and indices not in forbidden and score > best_score:
            best, best_score = indices, score
    return best, best_score


@pytest.mark.parametrize("seed", range(8))
def test_choice_is_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = [rng.standard_normal(n) for n in (4, 3, 5, 2)]
    costs = [rng.uniform(0, 1, len(row)) for row in scores]
    forbidden: list[tuple[int, ...]] = []
    for _ in range(3):
        low, high = 1.2, 2.2
        expected, score = brute_force(scores, costs, low, high, forbidden)
        got = choose(scores, costs, low, high, forbidden)
        assert got is not None and expected is not None
        assert sum(r[i] for r, i in zip(scores, got, strict=True)) == pytest.approx(score)
        assert got not in forbidden
        forbidden.append(got)


def test_an_empty_window_has_no_network() -> None:
    assert choose([np.zeros(2)], [np.array([1.0, 2.0])], 1.2, 1.8) is None


def test_scores_do_not_favour_a_skip_for_being_alone() -> None:
    space = get_space("sample")
    count = len(space.choices)
    kernel, expansion = np.full((count, 3), 1 / 3), np.full((count, 2), 1 / 2)
    skip = np.tile((6 / 7, 1 / 7), (count, 1))
    p = GateProbabilities({"kernel": kernel, "expansion": expansion, "skip": skip})
    for choice, scores, joint in zip(space.choices, p.scores(space), p.joint(space), strict=True):
        for option, score, probability in zip(choice.options, scores, joint, strict=True):
            if isinstance(option, Skip):
                assert score == pytest.approx(math.log(1 / 7))
            else:
                assert isinstance(option, MBConv)
                assert score == pytest.approx(math.log(6 / 7))
            assert probability == pytest.approx(1 / 7)
        if choice.skippable:
            assert joint.sum() == pytest.approx(1)


def test_underflown_probabilities_keep_scores_finite() -> None:
    space = get_space("sample")
    count = len(space.choices)
    one = np.tile((1.0, 0.0, 0.0), (count, 1))
    p = GateProbabilities({"kernel": one, "expansion": one[:, :2], "skip": one[:, :2]})
    assert all(np.isfinite(row).all() for row in p.scores(space))


def test_ramp_and_temperature() -> None:
    assert [ramp(s, 10, 20) for s in (0, 10, 20, 30, 99)] == [0, 0, 0.5, 1, 1]
    assert ramp(10, 10, 0) == 1
    assert temperature(0, 10, 110, 2.0, 0.5) == 2.0
    assert temperature(60, 10, 110, 2.0, 0.5) == pytest.approx(1.0)
    assert temperature(110, 10, 110, 2.0, 0.5) == pytest.approx(0.5)


def test_multiplier_climbs_above_the_aim_and_never_below_zero() -> None:
    assert updated_multiplier(1.0, math.e, 1.0, 0.1) == pytest.approx(1.1)
    assert updated_multiplier(0.01, 0.5, 1.0, 0.1) == 0
    down = 1.0 - updated_multiplier(1.0, 0.5, 1.0, 0.1)
    assert updated_multiplier(1.0, 2.0, 1.0, 0.1) - 1.0 == pytest.approx(down)


def test_the_present_error_stands_beside_the_multiplier() -> None:
    assert damped_strength(0.5, 1.0, 1.0, 4.0) == 0.5
    assert damped_strength(0.5, 1.1, 1.0, 4.0) == pytest.approx(0.5 + 4 * math.log(1.1))
    assert damped_strength(0.5, 0.5, 1.0, 4.0) == 0


def test_the_aim_goes_from_the_beginning_to_the_target() -> None:
    assert [approached(0.8, 0.2, s) for s in (0, 0.5, 1)] == pytest.approx([0.8, 0.4, 0.2])


def test_a_far_target_is_approached_without_falling_below_it() -> None:
    """Logits moved by Adam towards what is useful and away from what is slow, as gates are."""
    choices, options, steps, target = 9, 7, 600, 0.28
    rng = np.random.default_rng(0)
    cost = np.sort(rng.uniform(0.01, 0.12, (choices, options)), axis=1)
    cost[:, 0] = 0.0  # a skip
    use = 0.08 * np.sqrt(cost / 0.12) * rng.uniform(0.3, 1.7, (choices, 1))
    logits, first, second = (np.zeros((choices, options)) for _ in range(3))
    multiplier, begun, path = 0.0, 0.0, []
    for step in range(1, steps + 1):
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        expected = 0.17 + float((p * cost).sum())
        begun = begun or expected
        path.append(expected / target)
        aim = approached(begun, target, ramp(step, 0, steps // 2))
        multiplier = updated_multiplier(multiplier, expected, aim, 0.02)
        strength = damped_strength(multiplier, expected, aim, 4.0)
        away = strength / target * cost - use
        slope = p * (away - (p * away).sum(1, keepdims=True))
        slope += 0.02 * rng.normal(size=p.shape) * np.sqrt(p * (1 - p))
        first = 0.5 * first + 0.5 * slope
        second = 0.999 * second + 0.001 * slope**2
        scale = np.sqrt(second / (1 - 0.999**step)) + 1e-7
        logits -= 0.03 * first / (1 - 0.5**step) / scale
    assert path[0] > 2
    assert min(path) > 0.93
    assert path[-100:] == pytest.approx([1.0] * 100, abs=0.05)
