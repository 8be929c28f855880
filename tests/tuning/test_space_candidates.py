"""Networks of a space as configurations: one each, counted as they will be built."""

from __future__ import annotations

import numpy as np
import pytest

from nas.architecture.spec import Dense
from nas.architecture.text import to_text
from nas.cost.counts import architecture_cost
from nas.errors import InputError
from nas.hardware.predictor import SpaceLatency
from nas.search_space.named import get_space
from nas.search_space.space import Space
from nas.tuning.budgets import parse_budget
from nas.tuning.parameters import OneOfList, Range, key_of
from nas.tuning.space_candidates import SpaceCandidates

SPACES = ("toy", "small_se", "sample")


def space_of(name: str) -> Space:
    return get_space(name, 32, 12)


@pytest.mark.parametrize("name", SPACES)
def test_every_draw_is_a_network_whose_counts_are_those_that_are_known(name: str) -> None:
    space = space_of(name)
    candidates = SpaceCandidates(space)
    for seed in range(5):
        configuration = candidates.draw(np.random.default_rng(seed))
        assert set(configuration) == {parameter.name for parameter in candidates.parameters}
        assert all(p.has(configuration[p.name]) for p in candidates.parameters)
        network = candidates.network(configuration)
        assert space.contains(network)
        cost = architecture_cost(network)
        assert candidates.known(configuration) == {
            "params": cost.params,
            "macs": cost.macs,
            "bytes": cost.size_bytes,
            "memory_bytes": cost.memory_bytes,
            "weight_bits": cost.weight_bits,
            "bops": cost.bops,
        }


@pytest.mark.parametrize("name", SPACES)
def test_canonical_configurations_are_equal_where_networks_are(name: str) -> None:
    candidates = SpaceCandidates(space_of(name))
    rng = np.random.default_rng(0)
    keys, texts = set(), set()
    for _ in range(60):
        # Each parameter on its own, as samplers change them: also kernels of skipped blocks.
        drawn = {parameter.name: parameter.draw(rng) for parameter in candidates.parameters}
        found = candidates.canonical(drawn)
        assert candidates.canonical(found) == found
        assert candidates.indices(found) == candidates.indices(drawn)
        keys.add(key_of(found))
        texts.add(to_text(candidates.network(drawn)))
    assert len(keys) == len(texts) > 3


def test_milliseconds_are_known_where_there_is_a_table() -> None:
    space = space_of("toy")
    rows = tuple(np.arange(1.0, len(choice.options) + 1) for choice in space.choices)
    candidates = SpaceCandidates(
        space, latency=SpaceLatency(1.0, rows, 2.0, 0.5), budgets=[parse_budget("ms<=6")]
    )
    configuration = candidates.draw(np.random.default_rng(1))
    places = [index + 1 for index in candidates.indices(configuration)]
    ms = 2.0 * (1.0 + sum(places)) + 0.5
    assert candidates.known(configuration)["ms"] == ms
    assert candidates.margins(configuration) == {"ms<=6": ms - 6.0}


def test_knobs_stand_beside_the_network_or_alone() -> None:
    knobs = (Range("learning_rate", 0.01, 1.0, is_log=True), OneOfList("batch_size", (16, 32)))
    largest = space_of("toy").largest()
    alone = SpaceCandidates(Space("one", 32, largest.layers), knobs)
    assert [p.name for p in alone.parameters] == ["learning_rate", "batch_size"]
    configuration = alone.draw(np.random.default_rng(0))
    assert alone.network(configuration) == largest
    assert alone.changes(configuration) == configuration
    both = SpaceCandidates(space_of("toy"), knobs)
    drawn = both.draw(np.random.default_rng(0))
    assert set(both.changes(drawn)) == {"learning_rate", "batch_size"}
    assert both.canonical(drawn) == drawn


def test_nothing_to_choose_and_unknown_budgets_are_refused() -> None:
    one = Space("one", 32, space_of("toy").largest().layers)
    assert isinstance(one.layers[-1], Dense)
    with pytest.raises(InputError, match="add --tune"):
        SpaceCandidates(one)
    with pytest.raises(InputError, match="a budget of .*params"):
        SpaceCandidates(space_of("toy"), budgets=[parse_budget("ms<=1")])
    knobs = [OneOfList("width", (1, 2)), OneOfList("width", (3, 4))]
    with pytest.raises(InputError, match="width twice"):
        SpaceCandidates(one, knobs)
