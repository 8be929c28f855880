"""Gates propose, the supernet judges: pools within a window, scored once, the same again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from nas.methods.method import several
from nas.methods.proposals import ProposalMethod, ScoreMethod
from nas.selection.integer_program import choose

CHOICES, OPTIONS = 8, 4
RNG = np.random.default_rng(0)
OPTION_MS = [np.sort(RNG.uniform(0.1, 1.0, OPTIONS)) for _ in range(CHOICES)]
GATES = [np.log(RNG.dirichlet([1.0] * OPTIONS)) for _ in range(CHOICES)]
LOW_MS, HIGH_MS = 3.95, 4.05


def total_ms(network: tuple[int, ...]) -> float:
    return sum(float(row[i]) for row, i in zip(OPTION_MS, network, strict=True))


class Networks:
    """All networks whose milliseconds add up to the window."""

    sizes = (OPTIONS,) * CHOICES

    def fits(self, network: tuple[int, ...], low_ms: float, high_ms: float) -> bool:
        return low_ms - 1e-6 <= total_ms(network) <= high_ms + 1e-6

    def choose(
        self,
        scores: Sequence[np.ndarray],
        low_ms: float,
        high_ms: float,
        forbidden: Sequence[tuple[int, ...]] = (),
    ) -> tuple[int, ...] | None:
        return choose(scores, OPTION_MS, low_ms, high_ms, forbidden)


NETWORKS = Networks()


def whole(network: tuple[int, ...]) -> float:
    """What no additive score sees: equal neighbours."""
    return float(sum(a == b for a, b in zip(network, network[1:], strict=False)))


def proposals(
    count: int,
    score: Callable[[tuple[int, ...]], float] = whole,
    seed: int = 0,
    gates: Sequence[np.ndarray] = GATES,
) -> ProposalMethod:
    return ProposalMethod(NETWORKS, score, seed, gates, count)


def test_the_gates_own_choice_is_the_first_proposal() -> None:
    own = ScoreMethod(NETWORKS, GATES).propose(LOW_MS * 0.98, HIGH_MS * 1.02)
    method = proposals(1)
    method.propose(LOW_MS, HIGH_MS)
    assert own in [scored.indices for scored in method.scored]


def test_the_best_by_the_supernet_is_proposed() -> None:
    method = proposals(40)
    found = method.propose(LOW_MS, HIGH_MS)
    assert found is not None
    assert NETWORKS.fits(found, LOW_MS, HIGH_MS)
    inside = [s for s in method.scored if NETWORKS.fits(s.indices, LOW_MS, HIGH_MS)]
    assert len(inside) > 3
    assert whole(found) == max(s.score for s in inside)
    own = ScoreMethod(NETWORKS, GATES).propose(LOW_MS, HIGH_MS)
    assert own is not None
    assert whole(found) > whole(own)


def test_proposals_follow_the_gates() -> None:
    decided = [10 * row for row in GATES]

    def agreement(gates: Sequence[np.ndarray]) -> float:
        method = proposals(30, gates=gates)
        method.propose(LOW_MS, HIGH_MS)
        networks = [s.indices for s in method.scored]
        best = NETWORKS.choose(gates, LOW_MS * 0.98, HIGH_MS * 1.02)
        assert networks and best is not None
        return float(np.mean([np.equal(n, best).mean() for n in networks]))

    assert agreement(decided) > agreement([0 * row for row in GATES]) + 0.2


def test_every_network_is_scored_once_and_none_comes_twice() -> None:
    asked: list[tuple[int, ...]] = []

    def score(network: tuple[int, ...]) -> float:
        asked.append(network)
        return whole(network)

    method = proposals(30, score)
    found = several(method, LOW_MS, HIGH_MS, 5)
    assert len(set(found)) == len(found) == 5
    assert len(asked) == len(set(asked))


def test_a_corrected_window_is_served_from_the_same_pool() -> None:
    method = proposals(40)
    method.propose(LOW_MS, HIGH_MS)
    before = len(method.scored)
    assert method.propose(LOW_MS * 1.01, HIGH_MS * 1.01) is not None
    assert len(method.scored) == before


def test_the_same_seed_proposes_the_same_networks() -> None:
    def found(seed: int) -> list[tuple[int, ...]]:
        method = proposals(20, seed=seed)
        method.propose(LOW_MS, HIGH_MS)
        return [s.indices for s in method.scored]

    assert found(1) == found(1) != found(2)


def test_an_empty_window_proposes_nothing() -> None:
    assert proposals(5).propose(1000.0, 1001.0) is None


@pytest.mark.parametrize("count", [1, 3])
def test_forbidden_networks_do_not_come_out(count: int) -> None:
    method = proposals(count)
    first = method.propose(LOW_MS, HIGH_MS)
    assert first is not None
    second = method.propose(LOW_MS, HIGH_MS, [first])
    assert second is not None and second != first and NETWORKS.fits(second, LOW_MS, HIGH_MS)
