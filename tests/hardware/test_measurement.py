"""Processes that another program slows down are read elsewhere or repeated.

Known networks alone decide how and which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytest

from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.device.statistics import Visit
from latency.measurement.measure import Measurement, Model
from nas.hardware import measurement
from nas.hardware.measurement import (
    BUSY_DRIFT,
    BUSY_RUNS,
    EXTRA_PROCESSES,
    EXTRA_PROCESSES_IN_ALL,
    LEAST_QUANTILE,
    MOST_PROCESSES,
    QUIET_DRIFT,
    KnownNetworks,
    measure_networks,
)

# How many times as slow a process is; with a share of its runs, these are at full speed.
Slowness = float | tuple[float, float]
Machine = Callable[..., tuple[Any, int, list[Slowness]]]


def known_networks() -> KnownNetworks:
    return KnownNetworks(
        {"known largest": b"large", "known smallest": b"small"},
        {"known largest": 0.4, "known smallest": 0.1},
    )


def timed(name: str, ms: float, factor: Slowness, plan: MeasurePlan) -> Measurement:
    """All runs `factor` times as slow; or, with a pair, a share of them at full speed."""
    slow, quiet_share = factor if isinstance(factor, tuple) else (factor, 0.0)
    runs = np.full(max(plan.max_rounds, 100), slow * ms)
    runs[: round(quiet_share * len(runs))] = ms
    # Every run a little different, so that quantiles differ.
    runs *= np.linspace(1.0, 1.002, len(runs))
    visits = tuple(Visit((float(run),)) for run in runs)
    return Measurement(name, visits, plan.quantile, True)


def approximately(value: float | list[float]) -> Any:
    """Within what quantiles of one speed differ by."""
    return pytest.approx(value, rel=0.003)


KNOWN = known_networks()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Measures a network of 0.2 ms on a machine that is slowed down as listed."""

    def read(
        slowness: Iterable[Slowness],
        processes: int = 1,
        known: KnownNetworks | None = KNOWN,
        own: float = 1.0,
        precision: float | None = None,
    ) -> tuple[Any, int, list[Slowness]]:
        calls, waits = iter(slowness), list[float]()
        factor: Slowness = 1.0

        def fake(
            models: Sequence[Model], settings: SessionSettings, plan: MeasurePlan
        ) -> dict[str, Measurement]:
            nonlocal factor
            if plan.max_rounds < BUSY_RUNS:
                factor = next(calls)  # else the same process, timed for longer
            true = {"network": 0.2 * own, **(known.known_ms if known else {})}
            assert {model.key for model in models} == set(true)
            return {name: timed(name, ms, factor, plan) for name, ms in true.items()}

        monkeypatch.setattr(measurement, "measure_fresh_process", fake)
        found = measure_networks(
            {"network": b""},
            SessionSettings(),
            MeasurePlan(min_rounds=3, max_rounds=3, runs_per_visit=1),
            processes,
            precision,
            known,
            waits.append,
        )
        return found["network"], len(waits), list(calls)

    return read


def test_a_quiet_machine_is_read_once(machine: Machine) -> None:
    timing, waits, left = machine([1.0, 9.0])
    assert timing.latency_ms == approximately(0.2)
    assert (waits, left) == (0, [9.0])
    assert machine([1 + BUSY_DRIFT / 2, 9.0])[1] == 0


def test_a_busy_machine_is_read_again_when_it_is_quiet(machine: Machine) -> None:
    timing, waits, left = machine([1.5, 1.4, 1.01, 9.0])
    assert timing.latency_ms == approximately(0.2 * 1.01)
    assert waits == 2 and left == [9.0]


def test_the_quietest_reading_counts_and_the_user_is_told(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    timing, waits, _ = machine([1.5, 1.2, 1.4, 1.3, 1.6])
    assert timing.latency_ms == approximately(0.2 * 1.2)
    assert waits == EXTRA_PROCESSES
    text = capsys.readouterr().out
    assert "1.20 times" in text and "scripts/build_latency_table.py" in text


def test_busy_processes_are_left_out_of_a_certificate(machine: Machine) -> None:
    timing, waits, left = machine([1.0, 1.5, 1.02, 1.4, 1.01, 9.0], processes=3)
    assert sorted(timing.process_ms) == approximately([0.2, 0.2 * 1.01, 0.2 * 1.02])
    assert waits == 2 and left == [9.0]


def test_a_slow_network_on_a_quiet_machine_is_not_read_again(machine: Machine) -> None:
    timing, waits, _ = machine([1.0, 9.0], own=1.5)
    assert timing.latency_ms == approximately(0.3) and waits == 0


def test_a_machine_that_stays_busy_is_not_waited_for_for_ever(machine: Machine) -> None:
    known = known_networks()
    waits = [machine([1.5] * 5, known=known)[1] for _ in range(5)]
    assert sum(waits) == EXTRA_PROCESSES_IN_ALL and waits[-1] == 0
    assert machine([1.5] * 5, known=known.patient())[1] == EXTRA_PROCESSES


def test_processes_that_differ_are_followed_by_more(machine: Machine) -> None:
    timing, _, left = machine([1.0, 1.001, 1.002, 9.0], processes=3, known=None, precision=0.006)
    assert len(timing.process_ms) == 3 and left == [9.0]
    spread = [1.0, 1.04, 1.0, 1.02, 1.01, 1.01, 1.01, 9.0]
    timing, _, left = machine(spread, processes=3, known=None, precision=0.006)
    assert 3 < len(timing.process_ms) <= MOST_PROCESSES
    assert timing.error <= 0.006 or len(timing.process_ms) == MOST_PROCESSES
    wild = [1.0, 1.3] * 5
    assert len(machine(wild, 3, None, precision=0.006)[0].process_ms) == MOST_PROCESSES


def test_without_known_networks_every_process_counts(machine: Machine) -> None:
    timing, waits, _ = machine([1.5, 1.0, 2.0], processes=3, known=None)
    assert timing.latency_ms == approximately(0.2 * 1.5) and waits == 0


def test_a_machine_that_is_quiet_between_times_is_read_at_its_quiet_runs(machine: Machine) -> None:
    # A third of the runs at full speed: the plan's 25 % quantile would be right even so.
    for quiet_share in (0.2, 0.1, 0.05):
        timing, waits, left = machine([(1.5, quiet_share), 9.0])
        assert timing.latency_ms == approximately(0.2)
        assert LEAST_QUANTILE <= timing.quantiles[0] < quiet_share
        assert waits == 0 and left == [9.0]


def test_a_slow_network_stays_slow_beside_networks_that_are_disturbed(machine: Machine) -> None:
    timing, _, _ = machine([(1.5, 0.1)], own=1.3)
    assert timing.latency_ms == approximately(1.3 * 0.2)


def test_no_quantile_below_the_least_is_read(machine: Machine) -> None:
    timing, waits, _ = machine([(1.5, LEAST_QUANTILE / 2)] * (EXTRA_PROCESSES + 1))
    assert timing.quantiles == (LEAST_QUANTILE,)
    assert timing.latency_ms == approximately(0.2 * 1.5)
    assert waits == EXTRA_PROCESSES


def test_a_quiet_machine_is_read_at_the_quantile_that_was_asked_for(machine: Machine) -> None:
    timing, _, _ = machine([1.0 + QUIET_DRIFT / 2])
    assert timing.quantiles == (0.25,)


def test_what_the_known_networks_take_never_exceeds_the_table(machine: Machine) -> None:
    known = known_networks()
    plan = MeasurePlan(min_rounds=600, max_rounds=600, runs_per_visit=1)
    run = {name: timed(name, ms, (1.4, 0.15), plan) for name, ms in known.known_ms.items()}
    assert known.drift(run) == pytest.approx(1.4, rel=0.01)
    read = known.at_table_speed(run)
    assert known.drift(read) == approximately(1.0)
    assert {m.quantile for m in read.values()} == {read["known largest"].quantile}
    assert read["known largest"].visits == run["known largest"].visits


def test_a_quantile_lower_than_the_least_is_kept() -> None:
    known = known_networks()
    plan = MeasurePlan(min_rounds=600, max_rounds=600, quantile=LEAST_QUANTILE / 2)
    run = {name: timed(name, ms, 1.5, plan) for name, ms in known.known_ms.items()}
    assert {m.quantile for m in known.at_table_speed(run).values()} == {LEAST_QUANTILE / 2}
