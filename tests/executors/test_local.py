"""Worker processes: every job ends in one event, whatever becomes of its process."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from nas.errors import InputError
from nas.executors.cores import environment, share_of
from nas.executors.local import LocalExecutor, last_lines
from nas.executors.locks import take_lock
from nas.executors.messages import (
    Done,
    Event,
    Failed,
    Job,
    Progress,
    Ready,
    Stopped,
    from_line,
    to_line,
)
from nas.executors.task import Context
from nas.executors.worker import outcome
from nas.system.interrupt import Interrupter

TASK = "tests.support.worker_tasks:obedient"
WAIT_S = 60.0  # of a machine on which much else runs; nothing here takes a second of its own


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[LocalExecutor]:
    made = LocalExecutor(TASK, tmp_path / "workers", 1)
    yield made
    made.close()


def ends(executor: LocalExecutor, count: int = 1) -> list[Event]:
    """The next events that end jobs."""
    found: list[Event] = []
    deadline = time.monotonic() + WAIT_S
    while len(found) < count and time.monotonic() < deadline:
        found += [event for event in executor.events(1.0) if not isinstance(event, Progress)]
    return found


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + WAIT_S
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_one_process_answers_job_after_job_until_its_memory_is_full(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    place = executor.submit(Job("a", {"do": "answer", "value": 21}))
    assert executor.free == 0
    (done,) = ends(executor)
    assert isinstance(done, Done) and done.result["twice"] == 42
    messages: dict[str, str] = {}
    for what, cause in (
        ("raise", "error"),
        ("diverge", "diverged"),
        ("fill the disk", "disk"),
        ("fill the memory", "memory"),
    ):
        assert executor.submit(Job(what, {"do": what})) == place
        (failed,) = ends(executor)
        assert isinstance(failed, Failed) and (failed.id, failed.cause) == (what, cause)
        messages[cause] = failed.message
    # What a refusal advises is the driver's to say, in a refusal of its own.
    assert messages["disk"] == "expected room on the disk, received none"
    # Memory that a job has filled may never be given back, so that its process makes room.
    after = executor.submit(Job("b", {"do": "answer", "value": 1}))
    assert after.worker == place.worker and after.pid != place.pid
    assert isinstance(ends(executor)[0], Done)
    log = (tmp_path / "workers" / f"{place.worker}.log").read_text("utf-8")
    assert log.count("printed by the task") == 6
    assert "ValueError: a defect" in log


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        ImportError("libtensorflow_cc.so.2: failed to map segment from shared object"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8 bytes."),
        RuntimeError("std::bad_alloc"),
    ],
    ids=repr,
)
def test_errors_that_tell_of_no_memory_are_of_that_cause(error: Exception) -> None:
    def task(payload: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
        try:
            raise error
        except ImportError as cause:
            raise InputError("Keras to start", str(cause), "install it again") from cause

    failed = outcome(task, Job("a", {}), Interrupter(), lambda message: None)
    assert isinstance(failed, Failed) and failed.cause == "memory"


def test_process_that_dies_fails_its_job_and_another_takes_the_next(
    executor: LocalExecutor,
) -> None:
    first = executor.submit(Job("a", {"do": "die"}))
    (failed,) = ends(executor)
    assert isinstance(failed, Failed) and failed.cause == "died" and "SIGKILL" in failed.message
    second = executor.submit(Job("b", {"do": "answer", "value": 1}))
    assert second.worker == first.worker and second.pid != first.pid
    (done,) = ends(executor)
    assert isinstance(done, Done)


def test_last_lines_of_a_log_are_those_with_words() -> None:
    log = "first\n  new = f(x)\n        ^~~^\n\nMemoryError: std::bad_alloc\n\n"
    assert last_lines(log) == ["first", "new = f(x)", "MemoryError: std::bad_alloc"]


def test_hanging_job_is_ended_without_an_event_and_a_stopped_one_saves(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    deaf = tmp_path / "deaf"
    executor.submit(Job("a", {"do": "hang", "file": str(deaf), "is_deaf": True}))
    wait_for(deaf)
    executor.kill("a")
    assert executor.free == 1
    saved = tmp_path / "saved"
    executor.submit(Job("b", {"do": "hang", "file": str(saved)}))
    wait_for(saved)
    found = executor.stop(WAIT_S)
    assert [e for e in found if not isinstance(e, Progress)] == [Stopped("b")]
    assert saved.read_text("utf-8") == "saved"


def test_worker_ends_with_its_driver_and_frees_its_name(tmp_path: Path) -> None:
    there, lock = tmp_path / "there", tmp_path / "worker_0.lock"
    code = f"""
from pathlib import Path
from nas.executors.local import LocalExecutor
from nas.executors.messages import Job
made = LocalExecutor({TASK!r}, Path({str(tmp_path)!r}), 1)
job = Job("a", {{"do": "hang", "file": {str(there)!r}, "is_deaf": True}})
print(made.submit(job).pid, flush=True)
while True:
    made.events(1.0)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as driver:
        assert driver.stdout is not None
        pid = int(driver.stdout.readline())
        wait_for(there)
        with (
            pytest.raises(InputError, match="worker_0.lock"),
            take_lock(tmp_path / "worker_0.lock", 0),
        ):
            pass
        driver.kill()
    with take_lock(lock, WAIT_S):
        pass
    # Its lock is freed as the last of it; a process of that number may be a zombie of nobody.
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline and _is_alive(pid):
        time.sleep(0.01)
    assert not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    "message",
    [
        Job("7", {"a": [1, None]}),
        Ready(3),
        Progress("7", {"loss": 0.5}),
        Done("7", {}),
        Failed("7", "hung", "in\ntwo lines"),
        Stopped("7"),
    ],
)
def test_messages_are_lines_that_read_back(message: Event) -> None:
    line = to_line(message)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert from_line(line, "a test") == message


@pytest.mark.parametrize(
    "line",
    [
        b"[]\n",
        b'{"kind":"done"}\n',
        b'{"kind":"done","id":"1","result":3}\n',
        b'{"kind":"failed","id":"1","cause":"bored","message":""}\n',
        b'{"kind":"stop","id":"1"}\n',
    ],
)
def test_line_that_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(InputError, match="a message"):
        from_line(line, "a test")
    with pytest.raises(ValueError, match="JSON compliant"):
        to_line(Progress("1", {"loss": float("nan")}))


@pytest.mark.parametrize(
    ("workers", "available", "shares"),
    [
        (1, (0, 1), [(0, 1)]),
        (2, (0, 1), [(0,), (1,)]),
        (3, (0, 1), [(0,), (1,), (0,)]),
        (2, (1, 3, 5), [(1,), (3, 5)]),
    ],
)
def test_workers_share_the_cores(
    workers: int, available: tuple[int, ...], shares: Sequence[tuple[int, ...]]
) -> None:
    assert [share_of(n, workers, available) for n in range(workers)] == shares


def test_threads_follow_the_share_unless_a_user_has_set_them() -> None:
    found = environment(3, {"OMP_NUM_THREADS": "7", "HOME": "x"})
    assert found["OMP_NUM_THREADS"] == "7" and found["HOME"] == "x"
    assert found["TF_NUM_INTEROP_THREADS"] == "3" and found["TF_NUM_INTRAOP_THREADS"] == "1"
