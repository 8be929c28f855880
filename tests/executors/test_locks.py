"""Locks of files: one holder at a time, and nothing is written where a link leads."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from latency.device.errors import FileFormatError
from nas.errors import InputError
from nas.executors import locks
from nas.executors.locks import POLL_SECONDS, take_lock


def test_holder_is_written_down_and_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "worker_0.lock"
    path.write_text("12345678901234567890, of another time\n", "utf-8")
    with take_lock(path, 0):
        assert path.read_text("utf-8") == f"{os.getpid()}\n"
    assert path.read_text("utf-8") == f"{os.getpid()}\n"


def test_second_holder_waits_until_the_first_one_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, slept = tmp_path / "worker_0.lock", list[float]()
    with ExitStack() as first:
        first.enter_context(take_lock(path, 0))

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 3:
                first.close()

        clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=sleep)
        monkeypatch.setattr(locks, "time", clock)
        with take_lock(path, 1.0):
            assert slept == [POLL_SECONDS] * 3


def test_wait_ends_with_what_is_held_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, slept = tmp_path / "worker_0.lock", list[float]()
    with take_lock(path, 0):
        clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append)
        monkeypatch.setattr(locks, "time", clock)
        with pytest.raises(InputError) as caught, take_lock(path, 0.5):
            pass
    # It gives up at the first try that is not before the deadline.
    assert sum(slept) - POLL_SECONDS < 0.5 <= sum(slept)
    assert "worker_0.lock free" in caught.value.expected
    assert str(path) in caught.value.received and "stop it first" in caught.value.fix
    # Whoever waited in vain has not taken it with them.
    with take_lock(path, 0):
        pass


def test_lock_is_freed_when_its_block_fails(tmp_path: Path) -> None:
    path = tmp_path / "worker_0.lock"
    with pytest.raises(ZeroDivisionError), take_lock(path, 0):
        raise ZeroDivisionError
    with take_lock(path, 0):
        pass


def test_what_a_link_leads_to_is_never_written(tmp_path: Path) -> None:
    target, link = tmp_path / "mine.txt", tmp_path / "worker_0.lock"
    target.write_text("mine", "utf-8")
    link.symlink_to(target)
    with pytest.raises(FileFormatError, match="a plain file"), take_lock(link, 0):
        pass
    assert target.read_text("utf-8") == "mine"


def test_system_without_locks_goes_on_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "fcntl", None)
    path = tmp_path / "worker_0.lock"
    with take_lock(path, 0), take_lock(path, 0):
        pass
    assert not path.exists()
