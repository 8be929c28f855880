"""Choosing within a window, measuring, correcting; random and uniform networks beside it."""

from __future__ import annotations

import numpy as np
import pytest

from nas.choice import choose_network
from nas.comparison import (
    equal_random_networks,
    equal_uniform_network,
    random_candidates,
    uniform_network,
)
from nas.derive import GateProbabilities
from nas.errors import InputError
from nas.runtime import SpaceLatency
from nas.spaces import get_space
from nas.spec import Architecture, Conv, MBConv, Skip

SPACE = get_space("sample")


@pytest.fixture
def latency() -> SpaceLatency:
    rng = np.random.default_rng(0)
    rows = tuple(
        np.array([0.0 if isinstance(o, Skip) else rng.uniform(0.05, 0.2) for o in c.options])
        for c in SPACE.choices
    )
    return SpaceLatency(fixed_ms=0.3, option_ms=rows, a=1.1, b_ms=0.05)


@pytest.fixture
def probabilities() -> GateProbabilities:
    rng = np.random.default_rng(1)
    count = len(SPACE.choices)
    skip = rng.dirichlet([1, 1], count)
    for number, choice in enumerate(SPACE.choices):
        if not choice.skippable:
            skip[number] = (1.0, 0.0)
    return GateProbabilities(
        rng.dirichlet([1] * 3, count), rng.dirichlet([1] * 2, count), skip, (3, 5, 7), (3, 6)
    )


def middle(latency: SpaceLatency) -> float:
    return float(np.mean(latency.range_ms()))


def test_choice_lies_in_the_window(latency, probabilities) -> None:  # type: ignore[no-untyped-def]
    target = middle(latency)
    choice = choose_network(SPACE, latency, probabilities, target, None)
    assert 0.98 * target - 1e-9 <= choice.predicted_ms <= target + 1e-9
    assert latency.predict_ms(choice.indices) == pytest.approx(choice.predicted_ms)


def test_a_biased_table_is_corrected(latency, probabilities) -> None:  # type: ignore[no-untyped-def]
    target = middle(latency)

    def measure(network: Architecture) -> float:
        return 1.15 * latency.predict_ms(SPACE.encode(network))

    choice = choose_network(SPACE, latency, probabilities, target, measure)
    assert len(choice.attempts) == 2
    assert choice.attempts[0]["measured_ms"] > 1.02 * target
    assert 0.98 * target <= choice.attempts[-1]["measured_ms"] <= 1.02 * target


def test_unreachable_target_gives_the_range(latency, probabilities) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="(?s)range of space `sample`.*9.000 ms.*Fix"):
        choose_network(SPACE, latency, probabilities, 9.0, None)


def test_random_candidates_are_near_and_different(latency) -> None:  # type: ignore[no-untyped-def]
    target = middle(latency)
    found = random_candidates(SPACE, latency, target, 6, np.random.default_rng(0))
    assert len(set(found)) == 6
    assert all(abs(latency.predict_ms(f) / target - 1) <= 0.01 for f in found)


def test_random_networks_are_equal_as_measured(latency) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    reference = SPACE.sample(rng)
    predicted = latency.predict_ms(SPACE.encode(reference))
    errors: dict[tuple[int, ...], float] = {}

    def measured_ms(network: Architecture) -> float:
        key = SPACE.encode(network)
        errors.setdefault(key, float(rng.normal(1.0, 0.015)))
        return latency.predict_ms(key) * errors[key]

    def measure(networks):  # type: ignore[no-untyped-def]
        return {name: measured_ms(network) for name, network in networks.items()}

    found = equal_random_networks(SPACE, latency, reference, predicted, 3, 0, measure)
    assert len(found) == 3
    ratios = [measured_ms(network) / measured_ms(reference) for network in found]
    assert all(abs(ratio - 1) <= 0.02 for ratio in ratios)


def test_uniform_network_is_all_small_kernels_and_scaled() -> None:
    network = uniform_network(SPACE, 1.5)
    blocks = [x for x in network.layers if isinstance(x, MBConv) and x.expansion > 1]
    assert {(b.kernel, b.expansion) for b in blocks} == {(3, 6)}
    assert all(x.channels % 8 == 0 for x in network.layers if isinstance(x, Conv | MBConv))
    assert [b.channels for b in blocks] == [24, 24, 48, 48, 96, 96]
    assert network.num_classes == SPACE.num_classes


def test_uniform_network_nearest_in_measured_ms_wins() -> None:
    def work(network: Architecture) -> float:
        return float(sum(x.channels for x in network.layers if isinstance(x, Conv | MBConv)))

    reference = SPACE.largest()
    best, ratio = equal_uniform_network(
        SPACE, reference, lambda networks: {n: work(a) for n, a in networks.items()}
    )
    assert ratio == pytest.approx(work(best) / work(reference))
    assert abs(ratio - 1) < 0.05
