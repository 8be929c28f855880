"""The best speed of a device is kept, and read with suspicion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from latency.device.clock import now_text
from latency.device.gate import Gate
from latency.device.host import current_host
from latency.device.settings import SessionSettings
from latency.device.speed import (
    NOT_GATED,
    BestSpeed,
    HostSpeed,
    best_speed_path,
    keep_best_speed,
    read_best_speed,
)

BEST = BestSpeed("fake probe", 8.7, "2026-05-04T10:20:30+00:00", 3000.0, None)


def test_a_best_speed_survives_its_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "best.json"
    keep_best_speed(path, BEST)
    keep_best_speed(path, replace(BEST, probe_us=8.5))
    assert read_best_speed(path, "fake probe") == replace(BEST, probe_us=8.5)
    assert [entry.name for entry in path.parent.iterdir()] == ["best.json"]


@pytest.mark.parametrize(
    "text", [None, "", "{}", '{"schema_version": 1}', "[" * 5000, '{"schema_version": 99}']
)
def test_a_broken_file_is_no_past(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "best.json"
    if text is not None:
        path.write_text(text)
    assert read_best_speed(path, "fake probe") is None


@pytest.mark.parametrize("change", [{"probe": "other"}, {"probe_us": 0.0}, {"probe_us": -1.0}])
def test_another_probe_or_an_impossible_time_is_no_past(
    tmp_path: Path, change: dict[str, object]
) -> None:
    path = tmp_path / "best.json"
    keep_best_speed(path, replace(BEST, **change))  # type: ignore[arg-type]
    assert read_best_speed(path, "fake probe") is None


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    keep_best_speed(in_the_way / "best.json", BEST)
    assert in_the_way.read_text() == ""


def test_hosts_and_probes_have_files_of_their_own() -> None:
    host = current_host()
    other = replace(host, cpu_model="another")
    paths = {best_speed_path(h, probe) for h in (host, other) for probe in ("one", "two")}
    assert len(paths) == 4


def test_a_session_leaves_the_best_speed_for_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOPWATCH_CACHE", str(tmp_path))
    host, clock = current_host(), _Ticks()
    gate = Gate.of(SessionSettings(), 20.0, host, clock)
    assert gate.watch is not None and gate.watch.best is None and gate.path is not None
    gate.watch.gauge.sleep = clock.sleep
    gate.watch.look()
    found = gate.close()
    kept = read_best_speed(gate.path, found.probe)
    assert kept is not None and found.best == kept and kept.at <= now_text()
    again = Gate.of(SessionSettings(), 20.0, host, clock)
    assert again.watch is not None and again.watch.best == kept


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (SessionSettings(intra_op_num_threads=2), "several threads"),
        (SessionSettings(provider="OtherExecutionProvider"), "nothing of OtherExecutionProvider"),
    ],
)
def test_what_a_probe_cannot_tell_is_not_gated(settings: SessionSettings, reason: str) -> None:
    gate = Gate.of(settings, 20.0, current_host(), _Ticks())
    found = gate.close()
    assert (found.state, found.limit_us, gate.watch) == (NOT_GATED, None, None)
    assert reason in found.reason


def test_the_limit_is_the_gate_over_full_speed() -> None:
    assert HostSpeed("full speed", full_speed_us=10.0, gate=1.5).limit_us == 15.0


class _Ticks:
    """A clock that advances by 10 us whenever it is read."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 1e-5
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def test_a_clock_of_a_test_neither_reads_nor_leaves_a_best_speed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOPWATCH_CACHE", str(tmp_path))
    gate = Gate.of(SessionSettings(), 20.0, current_host(), _Ticks(), has_past=False)
    assert gate.watch is not None and gate.path is None
    for _ in range(2000):
        gate.watch.read_us()
    assert gate.close().best is None and not list(tmp_path.iterdir())
