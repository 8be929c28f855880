"""Networks of the table's session warn and refuse, on both sides, and never change a reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from latency.device.meter import Progress
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.device.speed import SLOWER, HostSpeed
from latency.measurement.measure import Model
from latency.measurement.processes import ProcessRule
from latency.measurement.timing import LEAST_KEPT, Timing
from latency.tables.rows import Network
from nas.hardware import measurement
from nas.hardware.jobs import network_of
from nas.hardware.measurement import (
    KNOWN_NETWORKS,
    KNOWN_TOLERANCE,
    NETWORKS_A_PLAN,
    Doubt,
    KnownNetworks,
    TimedNetworks,
    is_undisturbed,
    measure_networks,
)
from nas.hardware.plans import FULL, TOY, MeasuringPlans
from tests.support.report_run import SPACE, report_table
from tests.support.timings import BUSY_HOST, FULL_HOST, timing

BUILD = "python scripts/build_latency_table.py --space tiny"
KNOWN_MS = {f"known {i}": 0.1 * i for i in range(1, 6)}
KNOWN = KnownNetworks({name: name.encode() for name in KNOWN_MS}, KNOWN_MS, BUILD)
ASKED_MS = 0.2


def times(*factors: float) -> dict[str, Timing]:
    """What the known networks take, each so many times what they took in the table's session."""
    several = factors if len(factors) > 1 else factors * len(KNOWN_MS)
    return {
        name: timing(factor * ms)
        for (name, ms), factor in zip(KNOWN_MS.items(), several, strict=True)
    }


class Machine:
    """Stands in for `measure_processes`.

    Args:
        factor: How many times the table's milliseconds known networks take.
        own_ms: Milliseconds of the network.
    """

    def __init__(self, factor: float = 1.0, own_ms: float = ASKED_MS) -> None:
        self.factor, self.own_ms = factor, own_ms
        self.plans: list[MeasurePlan] = []
        self.named: list[tuple[str, ...]] = []
        self.rules: list[ProcessRule] = []

    def __call__(
        self,
        models: Sequence[Model],
        settings: SessionSettings,
        plan: MeasurePlan,
        rule: ProcessRule,
        *,
        named: Sequence[str],
        progress: Progress | None,
    ) -> dict[str, Timing]:
        self.plans.append(plan)
        self.rules.append(rule)
        self.named.append(tuple(named))
        keys = {model.key for model in models}
        assert {model.group for model in models} == keys, "every network is a visit of its own"
        known = times(self.factor)
        return {key: known.get(key) or timing(self.own_ms) for key in keys}


def measured(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    known: KnownNetworks | None = KNOWN,
    networks: Mapping[str, bytes] | None = None,
    max_seconds: float | None = None,
) -> TimedNetworks:
    monkeypatch.setattr(measurement, "measure_processes", machine)
    return measure_networks(
        networks or {"network": b""},
        SessionSettings(),
        replace(MeasurePlan(), max_seconds=max_seconds),
        ProcessRule(),
        known,
    )


@pytest.mark.parametrize("factor", [1 - 2 * KNOWN_TOLERANCE, 1 + 2 * KNOWN_TOLERANCE])
def test_a_table_that_does_not_fit_makes_a_doubt_and_no_other_number(
    factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = measured(Machine(factor), monkeypatch)
    assert dict(found) == {"network": timing(ASKED_MS)}, "the reading is what was measured"
    verdict = found.verdict("network", ASKED_MS, "python nas.py --resume")
    assert verdict is not None and verdict.met is None
    assert f"{factor:.3f} times" in verdict.reason and BUILD in verdict.fix


@pytest.mark.parametrize("factor", [1 - KNOWN_TOLERANCE / 2, 1.0, 1 + KNOWN_TOLERANCE / 2])
def test_a_table_that_fits_changes_nothing(factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(Machine(factor), monkeypatch)
    assert found.doubt is None and found["network"].latency_ms == ASKED_MS
    verdict = found.verdict("network", ASKED_MS, "")
    assert verdict is not None and verdict.met is True


@pytest.mark.parametrize("scale", [0.93, 1.07])
def test_milliseconds_do_not_move_with_the_table(
    scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table in which everything is scaled was what certificates followed once."""
    scaled = {name: scale * ms for name, ms in KNOWN_MS.items()}
    found = measured(Machine(), monkeypatch, replace(KNOWN, known_ms=scaled))
    assert found["network"] == measured(Machine(), monkeypatch)["network"]
    assert found.doubt is not None


def test_which_side_a_table_is_wrong_on_decides_what_to_do() -> None:
    faster, slower = KNOWN.doubt(times(0.8)), KNOWN.doubt(times(1.3))
    assert faster is not None and slower is not None
    assert faster.fix.startswith("build the table of a slower moment again")
    assert slower.fix.startswith("wait until other programs have ended")


def test_the_middle_of_the_range_counts_as_much_as_its_ends() -> None:
    assert KNOWN.doubt(times(1.0, 1.1, 1.1, 1.1, 1.0)) is not None
    assert KNOWN.doubt(times(1.1, 1.0, 1.0, 1.0, 1.1)) is None, "two of five may be off"


def test_readings_that_tell_nothing_make_no_doubt_about_the_table() -> None:
    disturbed = {name: timing(2 * ms, kept=0) for name, ms in KNOWN_MS.items()}
    assert KNOWN.doubt(disturbed) is None
    one = {**disturbed, "known 3": timing(1.2 * KNOWN_MS["known 3"])}
    assert KNOWN.doubt(one) is not None, "what is undisturbed is compared"


def test_a_table_without_undisturbed_networks_is_a_doubt() -> None:
    doubt = KnownNetworks({}, {}, BUILD).doubt({"network": timing(0.2)})
    assert doubt is not None and BUILD in doubt.fix


def test_what_the_machine_could_not_show_is_told_before_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = TimedNetworks({"network": timing(0.2, kept=0, host=BUSY_HOST)}, Doubt("table", "build"))
    verdict = found.verdict("network", ASKED_MS, "python main.py --run 'a b'")
    assert verdict is not None and verdict.met is None
    assert "undisturbed" in verdict.reason and "python main.py --run 'a b'" in verdict.fix


@pytest.mark.parametrize(("plans", "is_toy"), [(TOY, True), (FULL, False)])
def test_a_run_of_toy_size_blames_no_other_program(
    plans: MeasuringPlans, is_toy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def few(models: Sequence[Model], *_: Any, **__: Any) -> dict[str, Timing]:
        return {model.key: timing(ASKED_MS, kept=6) for model in models}

    monkeypatch.setattr(measurement, "measure_processes", few)
    found = measure_networks(
        {"network": b""}, SessionSettings(), plans.certificate, plans.certificate_rule
    )
    verdict = found.verdict("network", ASKED_MS, "python main.py --run run")
    assert verdict is not None and verdict.met is None
    words = (verdict.reason, verdict.fix)
    told = ("a run of toy size measures too little to tell", "begin a run without --smoke")
    assert (words == told) is is_toy
    assert ("stop other programs" in verdict.fix) is not is_toy


def test_nothing_is_judged_where_nothing_was_asked_or_measured() -> None:
    assert TimedNetworks({"network": timing(0.2)}).verdict("network", None, "") is None
    assert TimedNetworks().verdict("network", 0.2, "") is None


def test_without_known_networks_nothing_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(Machine(1.5), monkeypatch, None).doubt is None


def test_many_networks_get_more_seconds_and_few_the_plan_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine()
    many = {f"network {i}": b"" for i in range(3 * NETWORKS_A_PLAN)}
    measured(machine, monkeypatch, None, max_seconds=30.0)
    measured(machine, monkeypatch, None, many, max_seconds=30.0)
    measured(machine, monkeypatch, None, many)
    assert [plan.max_seconds for plan in machine.plans] == [30.0, 90.0, None]


def test_the_networks_themselves_have_to_be_precise(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    measured(machine, monkeypatch)
    assert machine.named == [("network",)], "and not those of the table"


def test_a_reading_is_undisturbed_if_enough_runs_were_at_the_machine_s_own_best() -> None:
    slower = HostSpeed(SLOWER, full_speed_us=10.0, session_us=10.0, share_full_speed=0.9)
    assert is_undisturbed(timing(0.2, host=FULL_HOST))
    assert is_undisturbed(timing(0.2, host=BUSY_HOST)), "busy, and still seen at full speed"
    assert not is_undisturbed(timing(0.2, host=slower))
    assert not is_undisturbed(timing(0.2, kept=LEAST_KEPT // 4))


def test_known_networks_are_spread_over_what_the_table_measured() -> None:
    table = report_table()
    known = KnownNetworks.of(table, BUILD)
    measured_ms = sorted(n.measurement.latency_ms for n in table.networks.values())
    found_ms = list(known.known_ms.values())
    assert len(found_ms) == KNOWN_NETWORKS and found_ms == sorted(found_ms)
    assert (found_ms[0], found_ms[-1]) == (measured_ms[0], measured_ms[-1])
    assert all(ms in measured_ms for ms in found_ms), "measured whole, and not predicted"
    # Networks of a table lie evenly over the range, so that a third of it holds one.
    third = (found_ms[-1] - found_ms[0]) / 3
    assert any(found_ms[0] + third < ms < found_ms[-1] - third for ms in found_ms)
    assert list(known.files) == list(known.known_ms)


def test_known_networks_hold_the_ends_of_the_space() -> None:
    keys = sorted(
        report_table().networks,
        key=lambda key: report_table().predict_ms(report_table().networks[key].row_keys),
    )
    assert network_of(keys[0]).layers == SPACE.smallest().layers
    assert network_of(keys[-1]).layers == SPACE.largest().layers


def test_networks_that_were_disturbed_in_the_table_s_session_are_not_known() -> None:
    table = report_table()
    key = min(table.networks, key=lambda key: table.networks[key].measurement.latency_ms)
    network = table.networks[key]
    # No probe is as short as this limit.
    disturbed = replace(network, measurement=replace(network.measurement, limit_us=1e-3))
    networks: dict[str, Network] = {**table.networks, key: disturbed}
    known = KnownNetworks.of(replace(table, networks=networks), BUILD)
    assert network.measurement.latency_ms not in known.known_ms.values()
