"""How busy everything else is, from the counters of a system that is made up."""

from __future__ import annotations

import io
import os
from types import SimpleNamespace

import pytest

from latency.device import load as module
from latency.device.load import OtherLoad

TICKS = os.sysconf("SC_CLK_TCK")


class System:
    """A clock, the processor time of this process, and /proc/stat; None where that is missing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, line: str | None) -> None:
        self.line, self.now_s, self.own_s = line, 100.0, 0.0
        monkeypatch.setattr(module, "open", self.opened, raising=False)
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        monkeypatch.setattr(
            os, "times", lambda: SimpleNamespace(user=self.own_s / 2, system=self.own_s / 2)
        )

    def opened(self, path: str, encoding: str) -> io.StringIO:
        assert path == "/proc/stat"
        if self.line is None:
            raise FileNotFoundError(path)
        return io.StringIO(f"{self.line}\ncpu0 1 2 3\n")


def line(user_s: float = 0.0, idle_s: float = 0.0) -> str:
    """The first line; every kind of work but `user` has been at it for ten seconds."""
    ten = 10 * TICKS
    seconds = [int(user_s * TICKS), ten, ten, int(idle_s * TICKS), 7 * TICKS, ten, ten, ten]
    return f"cpu  {' '.join(map(str, seconds))} 0 0"


def test_cores_of_others_are_busy_time_without_the_own_one(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(monkeypatch, line())
    load = OtherLoad()
    system.now_s, system.own_s, system.line = 104.0, 3.0, line(user_s=9.0, idle_s=50.0)
    assert load.seconds() == 4.0
    # 9 s of work in 4 s, 3 s of them this process's; what was idle or waited is none.
    assert load.cores() == 1.5


def test_less_than_the_own_time_is_no_load(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(monkeypatch, line())
    load = OtherLoad()
    # Counters of a system move in steps of a tick, those of a process at any time.
    system.now_s, system.own_s = 104.0, 0.5
    assert load.cores() == 0.0


@pytest.mark.parametrize("unknown", [None, "cpu  1 2 3", "cpu  1 2 3 4 x 6 7 8", ""])
def test_load_is_unknown_where_the_system_does_not_say_it(
    unknown: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = System(monkeypatch, unknown)
    begun_without = OtherLoad()
    system.now_s, system.line = 101.0, line(user_s=1.0)
    assert begun_without.cores() is None
    ended_without = OtherLoad()
    system.line = unknown
    assert ended_without.cores() is None
