"""Networks of equal milliseconds, and the certificate over them; measurements are made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from latency.device import strict_json
from latency.device.speed import NOT_GATED, HostSpeed
from latency.measurement.certificate import statistic_text
from nas.architecture import text as arch_text
from nas.architecture.references.named import reference
from nas.architecture.spec import Architecture
from nas.cost.constraints import Bounds
from nas.cost.counts import architecture_cost
from nas.errors import InputError
from nas.hardware.measurement import Doubt, TimedNetworks, network_bytes
from nas.pipeline import certify
from nas.pipeline.certify import check_exported_memory, compared_networks, search_certificate
from nas.report.verdict import seen_text
from nas.runs.config import RunConfig
from nas.runs.outcome import Outcome
from nas.runs.records import Certificate, ComparedNetwork, Comparison, SupernetScore
from nas.search_space.named import get_space
from nas.search_space.space import Space
from nas.selection.feasible import BoundedSpace
from nas.selection.goals import Goal, Target
from tests.support.run_config import run_config
from tests.support.timings import BUSY_HOST, timing
from tests.support.toy import toy_space
from tests.support.toy_stages import FakeClock, toy_costs, toy_latency

AGAIN = "python nas.py --run_dir 'a run' --resume"
# Other programs read these; see docs/files.md.
STABLE_KEYS = (
    *("asked_ms", "predicted_ms", "measured_ms", "measured_low_ms", "measured_high_ms"),
    *("measured_noise", "measured_process_ms", "measured_kept_count"),
    *("seen_p50_ms", "seen_p90_ms", "seen_p99_ms", "share_full_speed"),
    *("met", "met_reason", "met_fix", "params", "macs", "size_bytes", "top1", "top5"),
)


@pytest.fixture
def space() -> Space:
    return toy_space()


@pytest.fixture
def bounded(space: Space) -> BoundedSpace:
    return BoundedSpace(space, toy_latency(space).cost, Bounds())


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
    assert comparison.uniform_over_searched == pytest.approx(ratio)


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
    return Comparison(uniform_over_searched=1.01, random_asked=1, networks=networks)


def certified(
    space: Space,
    comparison: Comparison,
    config: RunConfig,
    inherited: SupernetScore | None = None,
    asked_ms: float | None = 0.7,
) -> Certificate:
    network = space.decode((0,) * len(space.choices))
    asked = None if asked_ms is None else Target(asked_ms)
    costs = toy_costs(space)
    return search_certificate(costs, network, asked, comparison, inherited, config, None, AGAIN)


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


@pytest.mark.parametrize(
    ("ms", "outcome"),
    [
        (0.6861, Outcome.MET),
        (0.7139, Outcome.MET),
        (0.6859, Outcome.NOT_MET),
        (0.7141, Outcome.NOT_MET),
    ],
)
def test_a_budget_is_met_within_two_percent(
    space: Space, config: RunConfig, ms: float, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certify, "measure_networks", FakeClock({"searched": ms}))
    found = certified(space, Comparison(), config)
    assert found.outcome is outcome
    assert found.met_reason is not None and (found.met_fix is None) == bool(found.met)


@pytest.mark.parametrize(
    ("process_ms", "kept", "reason"),
    [
        # Three processes whose spread is wider than the margin, or reaches over its edge.
        ((0.66, 0.70, 0.74), 20, "wider than the margin"),
        ((0.712, 0.713, 0.714), 20, "straddles"),
        ((0.7, 0.7, 0.7), 1, "too few undisturbed runs"),
    ],
)
def test_a_point_inside_the_margin_is_not_enough(
    process_ms: tuple[float, ...],
    kept: int,
    reason: str,
    space: Space,
    config: RunConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timed = TimedNetworks({"searched": timing(*process_ms, kept=kept)})
    monkeypatch.setattr(certify, "measure_networks", lambda *_, **__: timed)
    found = certified(space, Comparison(), config)
    assert (found.met, found.outcome) == (None, Outcome.CANNOT_TELL)
    assert found.met_reason is not None and reason in found.met_reason
    assert found.met_fix is not None and AGAIN in found.met_fix


def test_a_doubt_about_the_table_is_in_the_certificate_and_moves_no_figure(
    space: Space, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock({"searched": 0.7}, Doubt("networks of the table differ", "build it again"))
    monkeypatch.setattr(certify, "measure_networks", clock)
    found = certified(space, Comparison(), config)
    assert (found.measured_ms, found.met, found.outcome) == (0.7, None, Outcome.CANNOT_TELL)
    assert (found.met_reason, found.met_fix) == ("networks of the table differ", "build it again")


def test_without_a_budget_there_is_no_verdict(
    space: Space, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certify, "measure_networks", FakeClock({}))
    found = certified(space, Comparison(), config, asked_ms=None)
    assert (found.met, found.met_reason, found.met_fix) == (None, None, None)
    assert found.outcome is Outcome.NOT_ASKED


def test_a_certificate_says_what_was_seen_and_how_it_was_measured(
    space: Space, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = TimedNetworks({"searched": timing(0.7, kept=20, disturbed_ms=1.4, host=BUSY_HOST)})
    monkeypatch.setattr(certify, "measure_networks", lambda *_, **__: timed)
    found = certified(space, Comparison(), config)
    assert (found.measured_ms, found.seen_p50_ms) == (0.7, 0.7)
    # Four of 24 runs of a process were disturbed.
    assert (found.seen_p90_ms, found.seen_p99_ms) == (1.4, 1.4)
    assert found.measured_kept_count == 3 * 20
    assert found.share_full_speed == pytest.approx(BUSY_HOST.share_full_speed)
    how = found.conditions
    assert how is not None
    # Said by the plan, as `python -m latency certify` does.
    assert how.statistic == statistic_text(config.sizes.measuring.certificate, is_gated=True)
    assert (how.threads, how.provider, how.graph_level) == (1, "CPUExecutionProvider", "all")
    assert (how.set_denormal_as_zero, how.processes, how.gate) == (True, 3, BUSY_HOST.gate)
    assert (how.host_state, how.host_reason) == ("busy", BUSY_HOST.reason)
    assert (how.probe, how.full_speed_us) == (BUSY_HOST.probe, BUSY_HOST.full_speed_us)


def test_a_machine_without_a_gate_is_said_to_have_none(
    space: Space, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = HostSpeed(NOT_GATED, "a probe on one core says nothing")
    timed = TimedNetworks({"searched": timing(0.7, host=host)})
    monkeypatch.setattr(certify, "measure_networks", lambda *_, **__: timed)
    found = certified(space, Comparison(), config)
    how = found.conditions
    assert how is not None and how.statistic.endswith("of all runs")
    assert (how.gate, how.full_speed_us, how.host_state) == (None, None, NOT_GATED)
    assert how.host_reason == host.reason and found.share_full_speed is None
    assert seen_text(found).endswith("full speed was not told apart.")


def test_the_network_that_is_certified_has_to_be_precise(
    space: Space, comparison: Comparison, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = []

    def measure(*arguments: Any, **others: Any) -> TimedNetworks:
        named.append(others["named"])
        return FakeClock({})(*arguments)

    monkeypatch.setattr(certify, "measure_networks", measure)
    certified(space, comparison, config)
    assert named == [("searched",)]


def test_for_another_device_nothing_is_certified(
    space: Space, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock({})
    monkeypatch.setattr(certify, "measure_networks", clock)
    elsewhere = replace(config, device="board", table="/a/table.json")
    found = certified(space, Comparison(), elsewhere)
    assert clock.asked == []
    assert (found.measured_ms, found.met, found.device) == (None, None, "board")
    assert found.predicted_ms == pytest.approx(0.5 + 0.1 * 2)
    assert (found.largest, found.uniform, found.random) == (None, None, ())


def test_a_certificate_keeps_its_keys_and_reads_back(
    space: Space, comparison: Comparison, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certify, "measure_networks", FakeClock({}))
    found = certified(space, comparison, config)
    plain = strict_json.encode(found)
    assert tuple(plain)[: len(STABLE_KEYS)] == STABLE_KEYS
    assert tuple(plain["largest"])[: len(STABLE_KEYS)] == STABLE_KEYS
    assert strict_json.decode(Certificate, plain, "a certificate", every_key=True) == found


def test_the_exported_file_is_counted_again() -> None:
    space = get_space("toy")
    largest, smallest = space.largest(), space.smallest()
    memory_bytes = architecture_cost(largest).memory_bytes
    check_exported_memory(network_bytes(largest), largest, memory_bytes)
    check_exported_memory(network_bytes(largest), largest, None)
    with pytest.raises(InputError, match=f"at most {memory_bytes - 1} in the exported file"):
        check_exported_memory(network_bytes(largest), largest, memory_bytes - 1)
    with pytest.raises(InputError, match=f"{memory_bytes} bytes in the exported file"):
        check_exported_memory(network_bytes(smallest), largest, None)


def test_a_file_of_codes_in_float32_is_not_counted() -> None:
    quantised = reference("cnv_w1a1")
    counted = architecture_cost(quantised).memory_bytes
    check_exported_memory(b"no graph that is looked at", quantised, counted)
    with pytest.raises(InputError, match=f"at most {counted - 1} in the exported file"):
        check_exported_memory(b"no graph that is looked at", quantised, counted - 1)
