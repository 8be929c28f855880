"""Locks of files between processes, which SIGKILL frees, too."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has none: two programs on one folder are then the user's care
    fcntl = None  # type: ignore[assignment]

from latency.device import files
from nas.errors import InputError

POLL_SECONDS = 0.02
# What a worker of a killed program needs to see that it is gone.
ORPHAN_SECONDS = 30.0


@contextmanager
def take_lock(path: Path, timeout_s: float) -> Iterator[None]:
    """Holds the lock of a file for the length of the block.

    Args:
        path: Of the file, which is made where it is missing and never removed.
        timeout_s: Seconds to wait for another process that holds it; 0 to wait for none.

    Raises:
        InputError: Another process holds it still.
    """
    if fcntl is None:
        yield
        return
    deadline = time.monotonic() + timeout_s
    # What a link leads to is never written.
    with files.open_own(path) as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise InputError(
                        f"{path.name} free, so that one process works on what it stands for",
                        f"another process that holds {path}",
                        "wait for it, or stop it first",
                    ) from None
                time.sleep(POLL_SECONDS)
        stream.seek(0)
        stream.truncate(0)
        stream.write(f"{os.getpid()}\n".encode())
        stream.flush()
        yield


def wait_for_locks(folder: Path, timeout_s: float) -> None:
    """Waits for workers of a program that was killed just now: they write the same checkpoints.

    Args:
        folder: Of their locks.
        timeout_s: Seconds to wait for each.

    Raises:
        InputError: A worker holds its lock still.
    """
    for path in sorted(folder.glob("*.lock")):
        with take_lock(path, timeout_s):
            pass
