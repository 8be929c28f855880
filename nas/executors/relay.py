"""What stands on a node of a cluster between the driver and a worker process there.

The worker is the same program as on the driver's own machine. It works in a copy of the parts of
the driver's folder that its jobs need. Files that it changes, such as checkpoints, and what it
printed go back with its messages, so that the driver alone writes its folder.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latency import atomic
from latency.errors import LatencyError
from nas.executors.local import LocalExecutor
from nas.executors.locks import take_lock
from nas.executors.messages import Event, Failed, Job, from_line, to_line
from nas.executors.packages import fingerprint, package_folders
from nas.system.chosen_backend import VARIABLE, chosen_backend

# How long an answer waits for a first message, and how soon a wish to stop is seen.
ANSWER_SECONDS = 10.0
LOOK_SECONDS = 0.2
# Of a relay's folder, and of what it holds as long as it lives.
PREFIX, HELD, HELD_SECONDS = "stopwatch-worker-", "held.lock", 5.0
# A relay that is just beginning has a folder that it does not hold yet.
LEFT_SECONDS = 60.0
# Of a log that goes back with one answer.
MOST_LOG_BYTES = 2**18
# Variables that decide how frameworks compute, by the beginnings of their names.
OF_FRAMEWORKS = ("TF_", "XLA_", "JAX_", "ORT_")


@dataclass(frozen=True)
class Order:
    """What a relay is told when it begins.

    Args:
        task: MODULE:FUNCTION that does a job.
        threads: Of the worker.
        root: The driver's folder; a payload's value that is this path becomes that of the copy.
        inputs: Name below the folder -> content, of what all jobs read.
        paths: That must lead to the same on every node, such as those of images.
        packages: That must be installed there.
        fingerprint: Of this package, see `fingerprint`.
        environment: Variables of the driver that decide what is computed.
    """

    task: str
    threads: int
    root: str
    inputs: Mapping[str, bytes]
    paths: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    fingerprint: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Greeting:
    """What a relay says when it has begun.

    Args:
        host: Name of its machine.
        refusal: Expected, received and how to fix it, where it cannot work there; else None.
    """

    host: str
    refusal: tuple[str, str, str] | None = None


@dataclass(frozen=True)
class Parcel:
    """What a relay answers.

    Args:
        lines: Messages of the worker.
        files: Name below the folder -> content, of what has changed.
        log: What the worker printed since the last answer.
        pid: Number of the worker's process.
    """

    lines: tuple[bytes, ...]
    files: Mapping[str, bytes]
    log: bytes
    pid: int


class Relay:
    """One worker on this machine for a driver on another one.

    `stop` may be called while another call waits; all others come one at a time.

    Args:
        order: What it is told.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._host = socket.gethostname()
        _remove_left()
        self._folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._held = ExitStack()
        self._held.enter_context(take_lock(self._folder / HELD, HELD_SECONDS))
        self._local: LocalExecutor | None = None
        self._state: dict[str, tuple[int, int] | None] = {}
        self._pid = self._log_bytes = 0
        self._grace_s: float | None = None

    def begin(self) -> Greeting:
        """Looks whether jobs can be done here."""
        refusal = self._refusal()
        if refusal is None:
            for name, content in self._order.inputs.items():
                self._put(name, content)
            os.environ.update(self._order.environment)
            threads = self._order.threads
            self._local = LocalExecutor(self._order.task, self._logs, 1, threads=threads)
        return Greeting(self._host, refusal)

    def do(self, line: bytes, files: Mapping[str, bytes | None]) -> Parcel:
        """Begins a job and waits for its first messages.

        Args:
            line: The job, as `to_line` gives it.
            files: Name below the folder -> content, of what the job goes on from and changes; None
                for what is not there yet.
        """
        job = from_line(line, "the driver")
        if not isinstance(job, Job) or self._local is None:
            raise ValueError("a job, once the relay has begun")
        self._state = {}
        for name, content in files.items():
            self._put(name, content)
            self._state[name] = self._stamp(name)
        # A stop that came too late for the last job is not meant for this one.
        self._grace_s = None
        self._pid = self._local.submit(Job(job.id, self._here(job.payload))).pid
        return self.more()

    def more(self) -> Parcel:
        """Waits for messages; after a while there is an answer without any."""
        events: Sequence[Event] = ()
        end = time.monotonic() + ANSWER_SECONDS
        while not events and time.monotonic() < end and self._local is not None:
            if self._grace_s is None:
                events = self._local.events(LOOK_SECONDS)
            else:
                events, self._local = self._local.stop(self._grace_s), None
        lines = tuple(to_line(self._told(event)) for event in events)
        return Parcel(lines, self._changed(), self._printed(), self._pid)

    def stop(self, grace_s: float) -> None:
        """Tells the worker to save and to stop; the call that waits tells what became of its job.

        Args:
            grace_s: Seconds that it has for it.
        """
        self._grace_s = grace_s

    def close(self) -> None:
        """Ends the worker, and removes the copy of the folder."""
        if self._local is not None:
            self._local.close()
        self._held.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _copy(self) -> Path:
        return self._folder / "run"

    @property
    def _logs(self) -> Path:
        return self._folder / "workers"

    def _refusal(self) -> tuple[str, str, str] | None:
        order = self._order
        if order.fingerprint != fingerprint():
            return (
                f"the driver's version of this program on {self._host}, {order.fingerprint}",
                f"{fingerprint()}, at {package_folders()[-1]}",
                "install the driver's version there, or take the other one off its PYTHONPATH",
            )
        for package in order.packages:
            if importlib.util.find_spec(package) is None:
                return (
                    f"the package {package} on {self._host}, for what workers train",
                    "none there",
                    f"install the same packages on {self._host} as here",
                )
        for path in order.paths:
            if not os.path.exists(path):
                return (
                    f"{path} on every node, as it is here",
                    f"nothing at {path} on {self._host}",
                    f"mount it at the same path, copy it there, or start {self._host} without the "
                    "resources that workers need",
                )
        return None

    def _here(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """A payload with the copy in the place of the driver's folder."""
        root, copy = self._order.root, str(self._copy)
        return {name: copy if value == root else value for name, value in payload.items()}

    def _told(self, event: Event) -> Event:
        """An event with the name of this machine where people will ask for it."""
        if isinstance(event, Failed):
            return Failed(event.id, event.cause, f"on {self._host}: {event.message}")
        return event

    def _put(self, name: str, content: bytes | None) -> None:
        path = self._copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.unlink(missing_ok=True)
        else:
            atomic.write_bytes(path, content)

    def _stamp(self, name: str) -> tuple[int, int] | None:
        """What tells a file's content from that of another moment."""
        try:
            found = os.stat(self._copy / name)
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _changed(self) -> dict[str, bytes]:
        """The files of the job that have changed; each is whole or absent at any moment."""
        found: dict[str, bytes] = {}
        for name, before in self._state.items():
            now = self._stamp(name)
            if now is not None and now != before:
                found[name] = (self._copy / name).read_bytes()
                self._state[name] = now
        return found

    def _printed(self) -> bytes:
        """What was printed since the last answer; of very much the rest comes later."""
        found = b""
        for log in self._logs.glob("*.log"):
            with open(log, "rb") as stream:
                stream.seek(self._log_bytes)
                found += stream.read(MOST_LOG_BYTES)
        self._log_bytes += len(found)
        return found


def _remove_left() -> None:
    """Removes copies of relays that were killed: nobody holds them any more."""
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{HELD}"):
        # Those of other users cannot be opened, and others may do the same at this moment.
        with suppress(LatencyError, OSError):
            if time.time() - lock.stat().st_mtime > LEFT_SECONDS:
                with take_lock(lock, 0):
                    shutil.rmtree(lock.parent, ignore_errors=True)


def shared_environment(own: Mapping[str, str]) -> dict[str, str]:
    """Variables that decide how frameworks compute, which workers have from the driver.

    Args:
        own: The environment of this process.
    """
    found = {name: value for name, value in own.items() if name.startswith(OF_FRAMEWORKS)}
    # A file of Keras' own may name it here, and nothing there.
    return {**found, VARIABLE: chosen_backend().name}
