"""Processes that another program slows down are repeated; known networks alone decide which."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from latency.session import SessionSettings
from nas import measuring
from nas.measuring import (
    BUSY_DRIFT,
    EXTRA_PROCESSES,
    EXTRA_PROCESSES_IN_ALL,
    MOST_PROCESSES,
    KnownNetworks,
    measure_networks,
)


def known_networks():
    return KnownNetworks(
        {"known largest": b"large", "known smallest": b"small"},
        {"known largest": 0.4, "known smallest": 0.1},
    )


@pytest.fixture
def machine(monkeypatch):
    """Measures a network of 0.2 ms on a machine that is slowed down as listed."""

    def read(slowness, processes=1, known="ends", own=1.0, precision=None):
        known = known_networks() if known == "ends" else known
        calls, waits = iter(slowness), []

        def fake(models, settings, plan):
            factor = next(calls)
            true = {"network": 0.2 * own, **(known.known_ms if known else {})}
            assert {model.key for model in models} == set(true)
            return {
                name: SimpleNamespace(
                    latency_ms=factor * ms, low_ms=ms, high_ms=ms, p50_ms=ms, p90_ms=ms, noise=0.0
                )
                for name, ms in true.items()
            }

        monkeypatch.setattr(measuring, "measure_fresh_process", fake)
        found = measure_networks(
            {"network": b""},
            SessionSettings(),
            measuring.SMOKE_PLAN,
            processes,
            precision,
            known,
            waits.append,
        )
        return found["network"], len(waits), list(calls)

    return read


def test_a_quiet_machine_is_read_once(machine):
    timing, waits, left = machine([1.0, 9.0])
    assert (timing.latency_ms, waits, left) == (0.2, 0, [9.0])
    assert machine([1 + BUSY_DRIFT / 2, 9.0])[1] == 0


def test_a_busy_machine_is_read_again_when_it_is_quiet(machine):
    timing, waits, left = machine([1.5, 1.4, 1.01, 9.0])
    assert timing.latency_ms == 0.2 * 1.01
    assert waits == 2 and left == [9.0]


def test_the_quietest_reading_counts_and_the_user_is_told(machine, capsys):
    timing, waits, _ = machine([1.5, 1.2, 1.4, 1.3, 1.6])
    assert timing.latency_ms == 0.2 * 1.2
    assert waits == EXTRA_PROCESSES
    text = capsys.readouterr().out
    assert "1.20 times" in text and "scripts/build_latency_table.py" in text


def test_busy_processes_are_left_out_of_a_certificate(machine):
    timing, waits, left = machine([1.0, 1.5, 1.02, 1.4, 1.01, 9.0], processes=3)
    assert sorted(timing.process_ms) == pytest.approx([0.2, 0.2 * 1.01, 0.2 * 1.02])
    assert waits == 2 and left == [9.0]


def test_a_slow_network_on_a_quiet_machine_is_not_read_again(machine):
    timing, waits, _ = machine([1.0, 9.0], own=1.5)
    assert timing.latency_ms == pytest.approx(0.3) and waits == 0


def test_a_machine_that_stays_busy_is_not_waited_for_for_ever(machine):
    known = known_networks()
    waits = [machine([1.5] * 5, known=known)[1] for _ in range(5)]
    assert sum(waits) == EXTRA_PROCESSES_IN_ALL and waits[-1] == 0
    assert machine([1.5] * 5, known=known.patient())[1] == EXTRA_PROCESSES


def test_processes_that_differ_are_followed_by_more(machine):
    timing, _, left = machine([1.0, 1.001, 1.002, 9.0], processes=3, known=None, precision=0.006)
    assert len(timing.process_ms) == 3 and left == [9.0]
    spread = [1.0, 1.04, 1.0, 1.02, 1.01, 1.01, 1.01, 9.0]
    timing, _, left = machine(spread, processes=3, known=None, precision=0.006)
    assert 3 < len(timing.process_ms) <= MOST_PROCESSES
    assert timing.error <= 0.006 or len(timing.process_ms) == MOST_PROCESSES
    wild = [1.0, 1.3] * 5
    assert len(machine(wild, 3, None, precision=0.006)[0].process_ms) == MOST_PROCESSES


def test_without_known_networks_every_process_counts(machine):
    timing, waits, _ = machine([1.5, 1.0, 2.0], processes=3, known=None)
    assert timing.latency_ms == 0.2 * 1.5 and waits == 0
