"""How supernets score networks, and how well a score repeats on other images."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from nas.supernet.scoring import SharedScorer
from nas.training.evaluation import Accuracy
from tests.support.programs import load_script


@pytest.fixture(scope="module")
def repeatability() -> Callable[[np.ndarray], dict[str, float]]:
    found: Callable[[np.ndarray], dict[str, float]]
    found = load_script("benchmarks/supernet_score.py").repeatability
    return found


def test_the_least_cross_entropy_wins_whatever_top1_says(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {
        (0,): Accuracy(0.08, 0.3, 4.5, 1000),
        (1,): Accuracy(0.07, 0.3, 4.3, 1000),
        (2,): Accuracy(0.09, 0.3, math.nan, 1000),
        (3,): Accuracy(0.09, 0.3, math.inf, 1000),
    }
    monkeypatch.setattr(SharedScorer, "accuracy", lambda self, indices: found[indices])
    scorer = SharedScorer.__new__(SharedScorer)
    scores = {indices: scorer.score(indices) for indices in found}
    assert scores == {(0,): -4.5, (1,): -4.3, (2,): -math.inf, (3,): -math.inf}
    assert max(scores, key=scores.__getitem__) == (1,)


def test_scores_without_noise_repeat(
    repeatability: Callable[[np.ndarray], dict[str, float]],
) -> None:
    networks, parts = np.arange(6.0), np.array([0.0, 3.0, -1.0])
    found = repeatability(networks[:, None] + parts)
    assert found["kendall_tau"] == found["pearson"] == pytest.approx(1)
    assert found["noise_sd"] == pytest.approx(0, abs=1e-12)
    assert found["network_sd"] == pytest.approx(networks.std(ddof=1))


def test_noise_and_differences_are_told_apart(
    repeatability: Callable[[np.ndarray], dict[str, float]],
) -> None:
    rng = np.random.default_rng(0)
    networks, parts = rng.normal(0, 2, (4000, 1)), rng.normal(0, 5, 4)
    found = repeatability(networks + parts + rng.normal(0, 1, (4000, 4)))
    # 4,000 networks: standard deviations to a hundredth or two, correlations likewise.
    assert found["network_sd"] == pytest.approx(2, rel=0.05)
    assert found["noise_sd"] == pytest.approx(1, rel=0.05)
    assert found["pearson"] == pytest.approx(4 / 5, abs=0.03)
    nothing = repeatability(rng.normal(0, 1, (4000, 4)))
    assert abs(nothing["kendall_tau"]) < 0.03
