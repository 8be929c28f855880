"""Watching the host's clock, and forgetting what is known of it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from latency.device import gate, watch
from latency.device.host import current_host
from latency.device.probe import Gauge, Probe, make_probe
from latency.device.speed import (
    FULL_SPEED,
    SLOWER,
    BestSpeed,
    best_speed_path,
    keep_best_speed,
    read_best_speed,
)
from latency.errors import LatencyError
from latency.measurement import host_clock
from latency.measurement.host_clock import forget_best_speed, watch_clock


@pytest.fixture
def best_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the best speed of this host is kept, in a cache of the test's own."""
    monkeypatch.setenv("STOPWATCH_CACHE", str(tmp_path))
    path = best_speed_path(current_host(), make_probe().name)
    assert path is not None
    return path


@pytest.fixture
def probe_us(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the probe takes, in turn; the host does nothing else."""
    durations = [10.0]
    turns = itertools.count()

    def read(_: Gauge) -> float:
        return durations[next(turns) % len(durations)]

    monkeypatch.setattr(Gauge, "read_us", read)
    monkeypatch.setattr(gate, "make_probe", lambda: Probe(make_probe().name, lambda: None))
    monkeypatch.setattr(watch.Watch, "_is_alone", lambda _: True)
    monkeypatch.setattr(host_clock, "PAUSE_S", 0.0001)
    return durations


def keep(path: Path, us: float) -> None:
    name = make_probe().name
    keep_best_speed(path, BestSpeed(name, us, "2026-11-26T00:00:00+00:00", None, None))


def test_a_first_watch_keeps_what_it_saw(best_path: Path, probe_us: list[float]) -> None:
    found = watch_clock(0.2)
    assert found.before is None and found.speed.state == FULL_SPEED
    assert found.speed.full_speed_us == 10.0 and found.times_slower == 1.0
    best = read_best_speed(best_path, make_probe().name)
    assert best is not None and best.probe_us == 10.0


def test_the_share_of_time_at_full_speed_is_that_of_the_probes(
    best_path: Path, probe_us: list[float]
) -> None:
    probe_us[:] = [10.0, 10.2, 15.0, 16.0]
    found = watch_clock(0.2)
    # Two of four readings are within the gate.
    assert found.speed.share_full_speed == pytest.approx(0.5, abs=0.01)


def test_a_host_slower_than_its_best_is_said_with_both(
    best_path: Path, probe_us: list[float]
) -> None:
    keep(best_path, 8.0)
    found = watch_clock(0.2)
    assert found.before is not None and found.before.probe_us == 8.0
    assert found.speed.state == SLOWER and found.times_slower == pytest.approx(1.25)
    assert "1.25 times its best of 2026-11-26" in found.speed.reason
    # What was seen today is no new best.
    best = read_best_speed(best_path, make_probe().name)
    assert best is not None and best.probe_us == 8.0


def test_a_forgotten_best_is_learned_anew(best_path: Path, probe_us: list[float]) -> None:
    keep(best_path, 8.0)
    assert forget_best_speed() == best_path and not best_path.exists()
    assert forget_best_speed() is None
    assert watch_clock(0.2).speed.state == FULL_SPEED


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), float("nan")])
def test_no_time_and_endless_time_are_refused(seconds: float) -> None:
    with pytest.raises(LatencyError, match="Expected a time above 0 seconds"):
        watch_clock(seconds)


def test_without_a_known_best_nothing_is_slower(best_path: Path, probe_us: list[float]) -> None:
    found = watch_clock(0.2)
    unknown = replace(found, speed=replace(found.speed, best=None))
    assert unknown.times_slower is None
