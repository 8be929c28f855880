"""One worker: a process that takes jobs from its input and says what becomes of them.

    python -P -m nas.executors.worker --task MODULE:FUNCTION --lock FILE --cores 0,1

The function gets a job's payload and a `Context`, and returns the result. What it prints goes to
the worker's log. The process ends when its driver does: nobody would hear of its results.
"""

from __future__ import annotations

import argparse
import importlib
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from latency.shell import DISK_FULL, Interrupted
from nas.errors import InputError
from nas.executors.locks import take_lock
from nas.executors.messages import (
    Cause,
    Done,
    Failed,
    Job,
    Message,
    Progress,
    Ready,
    Stopped,
    from_line,
    to_line,
)
from nas.executors.task import Context, Task, TaskError
from nas.system.console import err, out
from nas.system.interrupt import Interrupter

# A process whose driver was killed needs this long to see it and to end.
LOCK_SECONDS = 30.0
# Words of the errors by which frameworks, allocators and the loader of libraries say that there is
# no memory left.
_MEMORY = (
    *("resourceexhausted", "resource_exhausted", "out of memory", "outofmemory", "bad_alloc"),
    *("cannot allocate memory", "can't allocate memory", "failed to map segment"),
)


def task_named(name: str) -> Task:
    """The function of a name.

    Args:
        name: As MODULE:FUNCTION.
    """
    module, _, function = name.partition(":")
    task: Task = getattr(importlib.import_module(module), function)
    return task


class _Lines:
    """Jobs of the input, read beside the work, so that the end of the driver is seen at once."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._jobs: queue.Queue[Job | None] = queue.Queue()
        self._busy = self._ended = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._stream:
            message = from_line(line, "the driver")
            if isinstance(message, Job):
                self._jobs.put(message)
        self._ended = True
        if self._busy:
            # Files are whole or absent, and a training goes on from its last checkpoint.
            os._exit(0)
        self._jobs.put(None)

    def take(self) -> Job | None:
        """The next job; None where there is no driver any more."""
        self._busy = False
        job = self._jobs.get()
        self._busy = True
        return None if self._ended else job


def work(task: Task, lines: BinaryIO, answers: BinaryIO, interrupter: Interrupter) -> None:
    """Does jobs until there are no more.

    Args:
        task: Does one.
        lines: Where jobs come from.
        answers: Where messages go to.
        interrupter: Asked whether to stop.
    """
    lock = threading.Lock()

    def say(message: Message) -> None:
        with lock:
            answers.write(to_line(message))
            answers.flush()

    jobs = _Lines(lines)
    say(Ready(os.getpid()))
    while (job := jobs.take()) is not None:
        say(outcome(task, job, interrupter, say))


def outcome(
    task: Task, job: Job, interrupter: Interrupter, say: Callable[[Message], None]
) -> Message:
    """Does one job and says how it ended; only a signal ends the worker, too.

    Args:
        task: Does it.
        job: The job.
        interrupter: Asked whether to stop.
        say: Takes messages along the way.

    Raises:
        Interrupted: A signal came; it has been said that the job was stopped.
    """
    context = Context(job.id, interrupter, lambda fields: say(Progress(job.id, dict(fields))))
    try:
        return Done(job.id, dict(task(job.payload, context)))
    except Interrupted:
        say(Stopped(job.id))
        raise
    except TaskError as failure:
        return Failed(job.id, failure.cause, str(failure))
    except Exception as error:
        traceback.print_exc()
        return Failed(job.id, _cause(error), _message(error)[:2000])


def _message(error: Exception) -> str:
    """One line of a refusal, which stands in a refusal of the driver's."""
    if isinstance(error, InputError):
        return f"expected {error.expected}, received {error.received}"
    return f"{type(error).__name__}: {error}"


def _cause(error: BaseException) -> Cause:
    if isinstance(error, InputError) and error.__cause__ is not None:
        return _cause(error.__cause__)  # which says it in words of ours
    text = f"{type(error).__name__} {error}".lower()
    if isinstance(error, MemoryError) or any(word in text for word in _MEMORY):
        return "memory"
    return "disk" if getattr(error, "errno", None) in DISK_FULL else "error"


def main(argv: Sequence[str]) -> int:
    """The program.

    Args:
        argv: Without the program's name.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--task", required=True)
    parser.add_argument("--lock", required=True, type=Path)
    parser.add_argument("--cores", required=True)
    asked = parser.parse_args(argv)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [int(core) for core in asked.cores.split(",")])
    # Whatever prints must not stand between the messages.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    began = time.monotonic()
    try:
        # One process a name: that of a killed driver may still be at work on the same files.
        with take_lock(asked.lock, LOCK_SECONDS), Interrupter().installed() as interrupter:
            seconds = time.monotonic() - began
            out.print(f"Worker {os.getpid()} ready after {seconds:.1f} s", markup=False)
            work(task_named(asked.task), sys.stdin.buffer, answers, interrupter)
    except Interrupted as stop:
        return stop.exit_code
    except InputError as error:
        err.print(f"error: {error}", markup=False)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
