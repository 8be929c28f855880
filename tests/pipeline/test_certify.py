"""Networks of equal milliseconds, and the certificate over them; measurements are made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from latency.device import strict_json
from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.cost.constraints import Bounds
from nas.cost.counts import architecture_cost
from nas.pipeline import certify
from nas.pipeline.certify import compared_networks, search_certificate
from nas.runs.config import RunConfig
from nas.runs.records import Certificate, ComparedNetwork, Comparison, SupernetScore
from nas.search_space.space import Space
from nas.selection.feasible import BoundedSpace
from nas.selection.goals import Goal
from tests.support.run_config import run_config
from tests.support.toy import toy_space
from tests.support.toy_stages import FakeClock, toy_latency

# Other programs read these; see docs/files.md.
STABLE_KEYS = (
    *("asked_ms", "predicted_ms", "measured_ms", "measured_low_ms", "measured_high_ms"),
    *("measured_p50_ms", "measured_p90_ms", "measured_noise", "measured_process_ms"),
    *("measured_quantiles", "met", "params", "macs", "size_bytes", "top1", "top5"),
)


@pytest.fixture
def space() -> Space:
    return toy_space()


@pytest.fixture
def bounded(space: Space) -> BoundedSpace:
    return BoundedSpace(space, toy_latency(space), Bounds())


@pytest.fixture
def config() -> RunConfig:
    return run_config(Goal(target=0.7), random_networks=2)


def by_macs(networks: Mapping[str, Architecture]) -> dict[str, float]:
    """Milliseconds as the work of a network would have them."""
    return {name: architecture_cost(network).macs * 1e-6 for name, network in networks.items()}


def test_company_is_the_largest_a_uniform_and_random_networks(
    bounded: BoundedSpace, config: RunConfig
) -> None:
    found = bounded.space.smallest()
    comparison = compared_networks(bounded, found, config, by_macs)
    assert [network.role for network in comparison.networks] == ["largest", "uniform"] + (
        ["random"] * (len(comparison.networks) - 2)
    )
    assert comparison.random_asked == 2
    networks = [arch_text.parse(network.text) for network in comparison.networks]
    assert networks[0] == bounded.space.largest()
    assert found not in networks[2:]
    ratio = by_macs({"uniform": networks[1]})["uniform"] / by_macs({"found": found})["found"]
    assert comparison.uniform_over_searched_ms == pytest.approx(ratio)


def test_for_another_device_there_is_no_company(bounded: BoundedSpace, config: RunConfig) -> None:
    def measure(networks: Mapping[str, Architecture]) -> dict[str, float]:
        raise AssertionError("measured")

    elsewhere = replace(config, device="board", table="/a/table.json")
    assert compared_networks(bounded, bounded.space.largest(), elsewhere, measure) == Comparison()


@pytest.fixture
def comparison(space: Space) -> Comparison:
    uniform = replace(space.smallest(), layers=space.largest().layers[:1] + space.smallest().layers)
    networks = (
        ComparedNetwork("largest", "largest", arch_text.to_text(space.largest())),
        ComparedNetwork("uniform", "uniform", arch_text.to_text(uniform)),
        ComparedNetwork("random", "random 1", arch_text.to_text(space.smallest())),
    )
    return Comparison(uniform_over_searched_ms=1.01, random_asked=1, networks=networks)


def certified(
    space: Space, comparison: Comparison, config: RunConfig, inherited: SupernetScore | None
) -> Certificate:
    network = space.decode((0,) * len(space.choices))
    latency = toy_latency(space)
    return search_certificate(space, latency, network, 0.7, comparison, inherited, config, None)


def test_all_networks_are_measured_together_and_one_was_asked_to_meet_a_time(
    space: Space, comparison: Comparison, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock({"searched": 0.71, "largest": 0.9, "uniform": 0.72, "random 1": 0.7})
    monkeypatch.setattr(certify, "measure_networks", clock)
    found = certified(space, comparison, config, SupernetScore(0.3, 0.6))
    assert clock.asked == [("searched", "largest", "uniform", "random 1")]
    assert (found.asked_ms, found.measured_ms, found.met) == (0.7, 0.71, True)
    assert (found.supernet_top1, found.supernet_top5, found.top1) == (0.3, 0.6, None)
    assert (found.method, found.role, found.device) == ("gradient", "searched", None)
    assert found.largest is not None and found.largest.measured_ms == 0.9
    assert (found.largest.asked_ms, found.largest.met) == (None, None)
    assert found.largest.macs == architecture_cost(space.largest()).macs
    # Its rows are no options of the space.
    assert found.uniform is not None and found.uniform.predicted_ms is None
    assert [network.name for network in found.random] == ["random 1"]
    assert found.random[0].predicted_ms == toy_latency(space).predict_ms(
        space.encode(space.smallest())
    )


@pytest.mark.parametrize(("ms", "met"), [(0.686, True), (0.714, True), (0.685, False)])
def test_a_budget_is_met_within_two_percent(
    space: Space, config: RunConfig, ms: float, met: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certify, "measure_networks", FakeClock({"searched": ms}))
    assert certified(space, Comparison(), config, None).met is met


def test_for_another_device_nothing_is_certified(
    space: Space, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock({})
    monkeypatch.setattr(certify, "measure_networks", clock)
    elsewhere = replace(config, device="board", table="/a/table.json")
    found = certified(space, Comparison(), elsewhere, None)
    assert clock.asked == []
    assert (found.measured_ms, found.met, found.device) == (None, None, "board")
    assert found.predicted_ms == pytest.approx(0.5 + 0.1 * 2)
    assert (found.largest, found.uniform, found.random) == (None, None, ())


def test_a_certificate_keeps_its_keys_and_reads_back(
    space: Space, comparison: Comparison, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certify, "measure_networks", FakeClock({}))
    found = certified(space, comparison, config, None)
    plain = strict_json.encode(found)
    assert tuple(plain)[: len(STABLE_KEYS)] == STABLE_KEYS
    assert tuple(plain["largest"])[: len(STABLE_KEYS)] == STABLE_KEYS
    assert strict_json.decode(Certificate, plain, "a certificate", every_key=True) == found
