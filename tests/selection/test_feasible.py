"""Counts as sums over options, the exact choice within several bounds, contradictions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from nas.architecture.spec import (
    Conv,
    Dense,
    GlobalAveragePool,
    MBConv,
    Residual,
    Skip,
    WidthsBlock,
)
from nas.cost.constraints import Bounds, counted_cost, quantities
from nas.cost.counts import architecture_cost
from nas.cost.units import BOPS, WEIGHT_BITS, Unit
from nas.errors import InputError
from nas.hardware.predictor import SpaceLatency
from nas.search_space.named import get_space
from nas.search_space.space import OneOf, Space
from nas.selection.contradictions import check_bounds
from nas.selection.feasible import BoundedSpace
from nas.selection.integer_program import choose
from tests.support.toy import toy_space

SPACE = get_space("planted")


def latency_of(space: Space, seed: int = 0) -> SpaceLatency:
    rng = np.random.default_rng(seed)
    rows = tuple(
        np.array([0.0 if isinstance(o, Skip) else rng.uniform(0.05, 0.2) for o in c.options])
        for c in space.choices
    )
    return SpaceLatency(fixed_ms=0.3, option_ms=rows, a=1.1, b_ms=0.05)


@pytest.mark.parametrize("name", ["sample", "planted", "tiny", "tiny_se", "cifar", "mnasnet"])
def test_counts_are_those_of_the_whole_network(name: str) -> None:
    space = get_space(name)
    rng = np.random.default_rng(0)
    counts = quantities(space, Bounds())
    for network in [space.largest(), space.smallest(), *(space.sample(rng) for _ in range(20))]:
        cost = architecture_cost(network)
        for quantity in counts:
            assert quantity.of(space.encode(network)) == getattr(cost, quantity.name)


@pytest.mark.parametrize("seed", range(8))
def test_exact_against_every_network(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = [3, 2, 4, 3]
    rows = [[rng.uniform(0, 1, n) for n in shape] for _ in range(3)]
    scores, ms, macs = rows
    params = [np.round(1e5 * rng.uniform(0, 1, n)) for n in shape]
    limits = [(macs, 2.2), (params, 2.2e5)]
    forbidden: list[tuple[int, ...]] = []

    def total(values: list[np.ndarray], network: tuple[int, ...]) -> float:
        return sum(float(row[i]) for row, i in zip(values, network, strict=True))

    fitting = [
        n
        for n in itertools.product(*(range(k) for k in shape))
        if 1.2 <= total(ms, n) <= 2.4 and total(macs, n) <= 2.2 and total(params, n) <= 2.2e5
    ]
    fitting.sort(key=lambda n: -total(scores, n))
    assert fitting
    # Best, second best and so on, until the cuts leave nothing.
    for expected in [*fitting[:5], None] if len(fitting) <= 5 else fitting[:5]:
        found = choose(scores, ms, 1.2, 2.4, forbidden, limits)
        assert found == expected
        if found is not None:
            forbidden.append(found)


def test_bounds_hold_together_with_the_window() -> None:
    latency = latency_of(SPACE)
    low, high = latency.range_ms()
    cost = architecture_cost(SPACE.largest())
    max_params, max_macs = cost.params * 3 // 4, cost.macs * 2 // 3
    bounds = Bounds(max_params=max_params, max_macs=max_macs)
    bounded = BoundedSpace(SPACE, latency.cost, bounds)
    rng = np.random.default_rng(0)
    least, greatest = bounded.range()
    assert low == pytest.approx(least) and greatest < high
    for share in (0.2, 0.5, 0.8):
        target = least + share * (greatest - least)
        scores = [rng.normal(size=n) for n in bounded.sizes]
        network = bounded.choose(scores, 0.98 * target, target)
        assert network is not None and bounded.fits(network, 0.98 * target, target)
        found = architecture_cost(SPACE.decode(network))
        assert found.params <= max_params
        assert found.macs <= max_macs


def test_neighbours_are_the_nearest_of_all() -> None:
    latency = latency_of(SPACE, 3)
    bounded = BoundedSpace(SPACE, latency.cost, Bounds())
    every = [
        latency.predict_ms(n) for n in itertools.product(*(range(size) for size in bounded.sizes))
    ]
    for target in (0.9, 1.11, 1.3):
        below, above = bounded.neighbours(target)
        assert below is not None and above is not None
        # Proven to 0.01 %, and either side of the target within the solver's tolerance.
        assert below == pytest.approx(max(ms for ms in every if ms <= target), rel=2e-4)
        assert above == pytest.approx(min(ms for ms in every if ms >= target), rel=2e-4)
        assert below <= target + 2e-6 and above >= target - 2e-6
    assert bounded.neighbours(0.01)[0] is None
    assert bounded.neighbours(99.0)[1] is None


def test_contradictions_show_which_and_the_range() -> None:
    latency = latency_of(SPACE)
    smallest = architecture_cost(SPACE.smallest())
    with pytest.raises(InputError, match="(?s)Expected.*Received.*Fix") as caught:
        BoundedSpace(SPACE, latency.cost, Bounds(max_macs=1000, max_params=10**9)).range()
    text = str(caught.value)
    assert f"macs of at least {smallest.macs}" in text
    assert "--max_macs 1000" in text and "--max_params 1000000000" in text

    bounded = BoundedSpace(SPACE, latency.cost, Bounds(max_macs=int(1.2 * smallest.macs)))
    low, high = bounded.range()
    with pytest.raises(InputError, match="(?s)Expected.*Received.*Fix") as caught:
        bounded.check_target(1.1 * high)
    text = str(caught.value)
    assert f"from {low:.3f} to {high:.3f}" in text
    assert "without those bounds" in text and "loosen a bound" in text
    bounded.check_target(0.5 * (low + high))


@pytest.mark.parametrize(
    "bad",
    [
        {"max_params": 0},
        {"max_macs": -3},
        {"max_size_bytes": 2**60},
        {"max_memory_bytes": 0},
        {"max_memory_bytes": -1},
        {"max_macs": 1.5},
        {"max_params": True},
    ],
)
def test_bad_bounds(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="(?s)Expected.*Received.*Fix"):
        Bounds(**bad)


def test_no_bounds_is_false() -> None:
    assert not Bounds()
    assert Bounds(max_macs=1)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_a_table_in_another_unit_gives_the_same_choices(unit: float) -> None:
    """The solver's tolerances are absolute: at 1e-6 they would be wider than the window."""
    plain = latency_of(SPACE)
    other = SpaceLatency(
        plain.fixed_ms * unit,
        tuple(row * unit for row in plain.option_ms),
        plain.a,
        plain.b_ms * unit,
    )
    one, two = (BoundedSpace(SPACE, latency.cost, Bounds()) for latency in (plain, other))
    rng = np.random.default_rng(3)
    scores = [rng.uniform(size=size) for size in one.sizes]
    low, high = one.range()
    # Sums in another order of size differ in their last digits.
    assert two.range() == pytest.approx((low * unit, high * unit), rel=1e-9)
    for share in (0.3, 0.6):
        target = low + share * (high - low)
        window = (0.995 * target, target)
        found = one.choose(scores, *window)
        assert found is not None
        assert two.choose(scores, window[0] * unit, window[1] * unit) == found
        assert two.fits(found, window[0] * unit, window[1] * unit)
        assert not two.fits(found, 1.1 * window[1] * unit, 1.2 * window[1] * unit)
        neighbours = [ms * unit for ms in one.neighbours(target) if ms is not None]
        # Proven to 0.01 % of the score, on either side.
        assert two.neighbours(target * unit) == pytest.approx(tuple(neighbours), rel=2e-4)


def test_memory_bounds_are_exact_against_every_network() -> None:
    space = _shrinking()
    latency = latency_of(space, 5)
    every = list(itertools.product(*(range(len(c.options)) for c in space.choices)))
    memory = quantities(space, Bounds())[3]
    peaks = sorted({memory.of(network) for network in every})
    assert len(peaks) > 2
    rng = np.random.default_rng(1)
    for most in (peaks[0], peaks[len(peaks) // 2], peaks[-1]):
        bounded = BoundedSpace(space, latency.cost, Bounds(max_memory_bytes=most))
        kept = [network for network in every if memory.of(network) <= most]
        scores = [rng.uniform(size=size) for size in bounded.sizes]
        best = max(kept, key=lambda n: sum(r[i] for r, i in zip(scores, n, strict=True)))
        assert bounded.choose(scores, -np.inf, np.inf) == best
        assert {n for n in every if bounded.fits(n, -np.inf, np.inf)} == set(kept)
        limits = bounded.limits
        for quantity in bounded.quantities:
            counts = [quantity.of(network) for network in kept]
            assert limits.least(quantity) == min(counts)
            assert limits.greatest(quantity) == max(counts)
    check_bounds("shrinking", quantities(space, Bounds(max_memory_bytes=peaks[0])))
    with pytest.raises(InputError, match=f"memory_bytes of at least {peaks[0]}"):
        check_bounds("shrinking", quantities(space, Bounds(max_memory_bytes=peaks[0] - 1)))
    with pytest.raises(InputError, match=f"memory_bytes of at least {peaks[0]}"):
        BoundedSpace(space, latency.cost, Bounds(max_memory_bytes=peaks[0] - 1)).range()


def test_bounds_that_only_together_are_impossible_are_named() -> None:
    space = _opposites()
    counts = quantities(space, Bounds())
    both = [(q.of((0,)), q.of((1,))) for q in counts[:2]]
    # The first option has fewer params, the second fewer MACs.
    assert both[0][0] < both[0][1] and both[1][0] > both[1][1]
    bounds = Bounds(
        max_params=both[0][0], max_macs=both[1][1], max_memory_bytes=10**9, max_size_bytes=10**9
    )
    with pytest.raises(InputError, match="(?s)Expected.*Received.*Fix") as caught:
        BoundedSpace(space, latency_of(space).cost, bounds).range()
    text = str(caught.value)
    assert f"no network keeps --max_params {both[0][0]}, --max_macs {both[1][1]} together" in text
    assert f"params of at least {both[0][1]} beside --max_macs {both[1][1]}" in text
    assert f"macs of at least {both[1][0]} beside --max_params {both[0][0]}" in text


def _shrinking() -> Space:
    """A space whose peak may be in any of three places."""
    places = [(1, 8), (2, 16), (2, 48)]
    blocks = [tuple(MBConv(3, s, e, c) for e in (2, 3, 6)) for s, c in places]
    choices = [OneOf(f"place{i}", options) for i, options in enumerate(blocks)]
    return Space("shrinking", 16, (Conv(3, 1, 8), *choices, GlobalAveragePool(), Dense(2)))


def _opposites() -> Space:
    """Few weights that every pixel meets against many that meet the mean of all pixels."""
    large = Residual((Conv(3, 1, 8), Conv(3, 1, 8), Conv(3, 1, 8)))
    small = WidthsBlock(3, 1, 8, expanded=16, squeeze=128)
    narrow = (Conv(3, 2, 8), OneOf("place", (large, small)), GlobalAveragePool(), Dense(2))
    return Space("opposites", 16, narrow)


@pytest.mark.parametrize("unit", [BOPS, WEIGHT_BITS])
def test_a_count_is_chosen_exactly_and_refused_with_its_range(unit: Unit) -> None:
    space = toy_space()
    bounded = BoundedSpace(space, counted_cost(space, unit), Bounds())
    every = list(itertools.product(*(range(size) for size in bounded.sizes)))
    counts = {network: bounded.cost.of(network) for network in every}
    rng = np.random.default_rng(4)
    for target in sorted(counts.values()):
        scores = [rng.uniform(size=size) for size in bounded.sizes]
        low, high = 0.98 * target, 1.02 * target
        fitting = [network for network in every if low <= counts[network] <= high]
        best = max(fitting, key=lambda n: sum(r[i] for r, i in zip(scores, n, strict=True)))
        assert bounded.choose(scores, low, high) == best
        bounded.check_target(target)
    least, most = min(counts.values()), max(counts.values())
    with pytest.raises(InputError, match="(?s)Expected.*Received.*Fix") as caught:
        bounded.check_target(1.03 * most)
    text = str(caught.value)
    assert f"--target_{unit.name} from {least:.0f} to {most:.0f}, the range of space `toy`" in text
    assert "on this device" not in text and f"ask for {unit.text} inside the range" in text
