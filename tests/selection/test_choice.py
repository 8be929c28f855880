"""Choosing within a window, measuring, correcting; random and uniform networks beside it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from latency.device import strict_json
from nas.architecture.number_formats import format_text, parse_format
from nas.architecture.spec import Architecture, Conv, Dense, Flatten, MBConv, Skip
from nas.cost.constraints import Bounds
from nas.cost.counts import architecture_cost
from nas.errors import InputError
from nas.hardware.predictor import SpaceLatency
from nas.methods.gate_probabilities import GateProbabilities
from nas.methods.proposals import ScoreMethod
from nas.search_space.named import get_space
from nas.search_space.space import OneOf, Space
from nas.selection.baselines import (
    Measure,
    equal_random_networks,
    equal_uniform_network,
    uniform_network,
)
from nas.selection.choice import MOST_READINGS, Choice, choose_network
from nas.selection.feasible import BoundedSpace

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
    kernel, expansion = rng.dirichlet([1] * 3, count), rng.dirichlet([1] * 2, count)
    return GateProbabilities({"kernel": kernel, "expansion": expansion, "skip": skip})


def choose(
    latency: SpaceLatency,
    probabilities: GateProbabilities,
    target: float,
    measure: Callable[[Architecture], float | None] | None,
) -> Choice:
    bounded = BoundedSpace(SPACE, latency.cost, Bounds())
    method = ScoreMethod(bounded, probabilities.scores(SPACE))
    return choose_network(bounded, method, target, measure)


def middle(latency: SpaceLatency) -> float:
    return float(np.mean(latency.range_ms()))


def test_choice_lies_in_the_window(latency: SpaceLatency, probabilities: GateProbabilities) -> None:
    target = middle(latency)
    choice = choose(latency, probabilities, target, None)
    assert choice.accepted is None
    assert 0.98 * target - 1e-6 <= choice.predicted <= 1.02 * target + 1e-6
    assert latency.predict_ms(choice.indices) == pytest.approx(choice.predicted)
    assert strict_json.decode(Choice, strict_json.encode(choice), "a choice") == choice


def test_a_biased_table_is_corrected(
    latency: SpaceLatency, probabilities: GateProbabilities
) -> None:
    target = middle(latency)

    def measure(network: Architecture) -> float:
        return 1.15 * latency.predict_ms(SPACE.encode(network))

    choice = choose(latency, probabilities, target, measure)
    assert choice.accepted
    assert len(choice.attempts) == 2
    first, last = (attempt.measured_ms for attempt in choice.attempts)
    assert first is not None and first > 1.02 * target
    assert last is not None and 0.98 * target <= last <= 1.02 * target


def test_a_lucky_reading_is_not_accepted(
    latency: SpaceLatency, probabilities: GateProbabilities
) -> None:
    """The first network reads right once and wrong for ever after."""
    target = middle(latency)
    first = choose(latency, probabilities, target, None).indices
    seen = []

    def measure(network: Architecture) -> float:
        indices = SPACE.encode(network)
        seen.append(indices)
        true = latency.predict_ms(indices) * (1.04 if indices == first else 1.0)
        return target if seen == [first] else true

    choice = choose(latency, probabilities, target, measure)
    assert choice.accepted
    assert choice.indices != first
    assert len(choice.attempts[0].readings_ms) == MOST_READINGS


def test_the_table_is_trusted_where_the_machine_shows_no_full_speed(
    latency: SpaceLatency, probabilities: GateProbabilities
) -> None:
    seen: list[Architecture] = []
    choice = choose(latency, probabilities, middle(latency), seen.append)
    assert len(seen) == len(choice.attempts) == 1, "nobody waits for it at every network"
    assert (choice.accepted, choice.attempts[0].readings_ms) == (None, ())
    trusted = choose(latency, probabilities, middle(latency), None)
    assert choice.indices == trusted.indices


def test_readings_without_full_speed_are_left_out(
    latency: SpaceLatency, probabilities: GateProbabilities
) -> None:
    target = middle(latency)
    readings = iter([target, None, target, None])
    choice = choose(latency, probabilities, target, lambda network: next(readings))
    assert choice.accepted and choice.attempts[0].readings_ms == (target, target)
    # One reading that agrees may be luck.
    readings = iter([target, *[None] * (MOST_READINGS - 1)])
    choice = choose(latency, probabilities, target, lambda network: next(readings, None))
    assert choice.attempts[0].is_accepted(target) is False


@pytest.mark.slow
def test_most_choices_are_truly_within_two_percent(
    latency: SpaceLatency, probabilities: GateProbabilities
) -> None:
    """Networks off by 1 % of their own, processes by 1 %, the table by 3 %."""
    met = 0
    for trial in range(40):
        rng = np.random.default_rng((5, trial))
        own: dict[tuple[int, ...], float] = {}

        def true_ms(
            indices: tuple[int, ...],
            rng: np.random.Generator = rng,
            own: dict[tuple[int, ...], float] = own,
        ) -> float:
            own.setdefault(indices, 1.03 + 0.01 * float(rng.normal()))
            return latency.predict_ms(indices) * own[indices]

        def measure(
            network: Architecture,
            rng: np.random.Generator = rng,
            true_ms: Callable[[tuple[int, ...]], float] = true_ms,
        ) -> float:
            return true_ms(SPACE.encode(network)) * (1 + 0.01 * float(rng.normal()))

        low, high = latency.range_ms()
        target = low + (high - low) * (0.2 + 0.6 * trial / 40)
        choice = choose(latency, probabilities, target, measure)
        met += abs(true_ms(choice.indices) / target - 1) <= 0.02
    assert met >= 38


def test_an_unreachable_window_gives_the_proven_nearest(probabilities: GateProbabilities) -> None:
    """All milliseconds are multiples of 0.1: none lies near 0.85."""
    rows = tuple(
        np.array([0.0 if isinstance(o, Skip) else 0.1 for o in c.options]) for c in SPACE.choices
    )
    coarse = SpaceLatency(fixed_ms=0.3, option_ms=rows, a=1.0, b_ms=0.0)
    choice = choose(coarse, probabilities, 0.84, None)
    assert choice.below == pytest.approx(0.8)
    assert choice.above == pytest.approx(0.9)
    assert choice.predicted == pytest.approx(0.8)
    # The best of all networks with 0.8 ms by the gates' score.
    scores = probabilities.scores(SPACE)
    total = sum(row[i] for row, i in zip(scores, choice.indices, strict=True))
    rng = np.random.default_rng(2)
    for _ in range(500):
        other = tuple(int(rng.integers(len(c.options))) for c in SPACE.choices)
        if coarse.predict_ms(other) == pytest.approx(0.8):
            assert sum(row[i] for row, i in zip(scores, other, strict=True)) <= total + 1e-9


def test_unreachable_target_gives_the_range(
    latency: SpaceLatency, probabilities: GateProbabilities
) -> None:
    bounded = BoundedSpace(SPACE, latency.cost, Bounds())
    with pytest.raises(InputError, match="(?s)range of space `sample`.*9.*Fix"):
        bounded.check_target(9.0)


def test_random_networks_are_equal_as_measured(latency: SpaceLatency) -> None:
    rng = np.random.default_rng(0)
    reference = SPACE.sample(rng)
    predicted = latency.predict_ms(SPACE.encode(reference))
    errors: dict[tuple[int, ...], float] = {}

    def measured_ms(network: Architecture) -> float:
        key = SPACE.encode(network)
        errors.setdefault(key, float(rng.normal(1.0, 0.015)))
        return latency.predict_ms(key) * errors[key]

    def measure(networks: Mapping[str, Architecture]) -> dict[str, float]:
        return {name: measured_ms(network) for name, network in networks.items()}

    macs = architecture_cost(reference).macs
    bounded = BoundedSpace(SPACE, latency.cost, Bounds(max_macs=macs))
    found = equal_random_networks(bounded, reference, predicted, 3, 0, measure)
    assert len(set(found)) == 3 and reference not in found
    assert all(architecture_cost(network).macs <= macs for network in found)
    ratios = [measured_ms(network) / measured_ms(reference) for network in found]
    assert all(abs(ratio - 1) <= 0.02 for ratio in ratios)


def test_uniform_network_is_all_small_kernels_and_scaled() -> None:
    network = uniform_network(SPACE, 1.5)
    blocks = [x for x in network.layers if isinstance(x, MBConv) and x.expansion > 1]
    assert {(b.kernel, b.expansion) for b in blocks} == {(3, 6)}
    assert all(x.channels % 8 == 0 for x in network.layers if isinstance(x, Conv | MBConv))
    assert [b.channels for b in blocks] == [24, 24, 24] + 9 * [48]
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


FORMATS = tuple(map(parse_format, ("f4.1", "f6.1", "f8.1")))


def _bits_space() -> Space:
    """Two convolutions, whose reads cost no weight bits, and two dense layers."""

    def place(tag: str, layer: Conv | Dense) -> OneOf:
        pairs = itertools.product(FORMATS, FORMATS)
        options = (replace(layer, weight_format=w, activation_format=r) for w, r in pairs)
        return OneOf(tag, tuple(options))

    convolutions = (place("first", Conv(3, 1, 4)), place("second", Conv(3, 2, 8)))
    dense = (place("hidden", Dense(32, "relu")), place("scores", Dense(2)))
    return Space("two", 8, (*convolutions, Flatten(), *dense))


def _counts(quantity: str) -> Measure:
    return lambda networks: {
        name: float(getattr(architecture_cost(network), quantity))
        for name, network in networks.items()
    }


def _formats(network: Architecture) -> list[tuple[str, str]]:
    layers = [layer for layer in network.layers if isinstance(layer, Conv | Dense)]
    return [(format_text(x.weight_format), format_text(x.activation_format)) for x in layers]


def test_uniform_networks_of_equal_weight_bits_have_one_format_and_read_most_bits() -> None:
    space = _bits_space()
    mixed = space.decode((0, 8, 3, 8))
    assert len(set(_formats(mixed))) == 3
    network, ratio = equal_uniform_network(space, mixed, _counts("weight_bits"))
    assert abs(ratio - 1) <= 0.02
    assert _formats(network) == 4 * [("f6.1", "f8.1")]


def test_uniform_networks_of_equal_bit_operations_stay_near_the_space() -> None:
    space = _bits_space()
    formats = {"weight_format": FORMATS[1], "activation_format": FORMATS[1]}
    own = uniform_network(space, 1.0, formats)
    assert equal_uniform_network(space, own, _counts("bops")) == (own, 1.0)


def test_uniform_networks_scale_hidden_units_and_not_the_class_scores() -> None:
    network = uniform_network(_bits_space(), 1.5)
    # Steps of 8 channels, or of 4 where a width is no multiple of 8.
    assert [layer.channels for layer in network.layers if isinstance(layer, Conv)] == [8, 16]
    assert [layer.units for layer in network.layers if isinstance(layer, Dense)] == [48, 2]
    assert _formats(network) == 4 * [("f8.1", "f8.1")]
