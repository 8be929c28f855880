"""Jobs in processes of this machine, each with its share of the cores and a log of its own."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from nas.executors.cores import cores, environment, share_of
from nas.executors.executor import Place
from nas.executors.job_workers import JobWorkers
from nas.executors.messages import Done, Event, Failed, Job, Ready, Stopped, from_line, to_line
from nas.executors.packages import package_folders
from nas.ranges import check_count

# A process that has done so many jobs makes room for a new one: frameworks keep some memory of
# every network that they have built.
JOBS_A_PROCESS = 64
# No network is built in less; what takes so little is not counted.
SHORT_SECONDS = 0.1
LAST_LINES = 3
# A framework takes a while to let go of what it has.
END_SECONDS = 10.0


@dataclass
class _Worker:
    """One process and what is known of it."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    job: str | None = None
    jobs: int = 0
    begun_s: float = 0.0
    rest: bytes = field(default=b"", repr=False)

    @property
    def stdout(self) -> IO[bytes]:
        """Where its messages come from."""
        if self.process.stdout is None:
            raise ValueError("a process without a pipe")
        return self.process.stdout


class LocalExecutor(JobWorkers[_Worker]):
    """Worker processes of this machine; they begin when there is something to do.

    A process is started anew, not forked, so that it shares nothing with this one. It has a session
    of its own: Ctrl-C reaches this program alone, which tells the workers to save.

    Args:
        task: MODULE:FUNCTION that does a job.
        folder: Of logs and locks, one of each a worker.
        workers: Processes at a time, 1 or more.
        threads: Of each of them, 1 or more, on any core; None for a share of the cores of its own.
    """

    def __init__(
        self, task: str, folder: Path, workers: int, *, threads: int | None = None
    ) -> None:
        super().__init__()
        check_count("workers", workers)
        self._task, self._folder, self._count = task, folder, workers
        self._threads = threads
        self._selector = selectors.DefaultSelector()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def free(self) -> int:
        """How many more jobs it takes now."""
        return self._count - sum(worker.job is not None for worker in self._workers.values())

    def submit(self, job: Job) -> Place:
        """Begins a job in a process that has none, which is started where there is none.

        Args:
            job: With an id that no running job has.

        Raises:
            RuntimeError: All workers have jobs.
        """
        worker = self._idle()
        worker.job, worker.begun_s = job.id, time.monotonic()
        # A process that has just died is seen when its messages end.
        with contextlib.suppress(BrokenPipeError):
            stdin = worker.process.stdin
            if stdin is not None:
                stdin.write(to_line(job))
                stdin.flush()
        return Place(worker.name, worker.process.pid)

    def events(self, timeout_s: float) -> Sequence[Event]:
        """What has happened since the last call.

        Args:
            timeout_s: Seconds to wait for a first event at most.
        """
        return self._wait(timeout_s)

    def _tell_to_stop(self, grace_s: float) -> None:
        del grace_s  # they hear no more than that it is time
        for worker in self._workers.values():
            worker.process.send_signal(signal.SIGTERM)

    def _stopping(self) -> list[_Worker]:
        return list(self._workers.values())

    def _wait(self, timeout_s: float) -> list[Event]:
        found: list[Event] = []
        for key, _ in self._selector.select(timeout_s):
            found += self._read(key.data)
        return found

    def close(self) -> None:
        """Ends all processes at once, and their jobs with them."""
        for worker in list(self._workers.values()):
            self._end(worker)
        self._selector.close()

    def _idle(self) -> _Worker:
        """A process without a job."""
        for number in range(self._count):
            name = f"worker_{number}"
            worker = self._workers.get(name)
            if worker is not None and worker.job is None and worker.jobs >= JOBS_A_PROCESS:
                self._end(worker)
                worker = None
            if worker is None:
                return self._started(name, number)
            if worker.job is None:
                return worker
        raise RuntimeError(f"{self._count} workers that all have a job")

    def _started(self, name: str, number: int) -> _Worker:
        # Whoever asks for threads shares this machine with others, who are not known here.
        share = cores() if self._threads else share_of(number, self._count, cores())
        log = self._folder / f"{name}.log"
        words = ["--task", self._task, "--lock", str(self._folder / f"{name}.lock")]
        words += ["--cores", ",".join(map(str, share))]
        env = environment(self._threads or len(share), os.environ)
        # The packages of this very program, wherever it was started from.
        paths = [str(folder.parent) for folder in package_folders()]
        found = dict.fromkeys([*paths, env.get("PYTHONPATH", "")])
        env["PYTHONPATH"] = os.pathsep.join(filter(None, found))
        with open(log, "ab") as stream:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "nas.executors.worker", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env=env,
                start_new_session=True,
            )
        worker = _Worker(name, process, log)
        os.set_blocking(worker.stdout.fileno(), False)
        self._workers[name] = worker
        self._selector.register(worker.stdout, selectors.EVENT_READ, worker)
        return worker

    def _read(self, worker: _Worker) -> list[Event]:
        """The events that a worker's messages are, and its end where they end."""
        chunk = worker.stdout.read()
        if chunk is None:
            return []
        lines = (worker.rest + chunk).split(b"\n")
        worker.rest = lines.pop()
        found: list[Event] = []
        for line in lines:
            message = from_line(line, worker.name)
            if isinstance(message, Ready | Job):
                continue
            if isinstance(message, Done | Failed | Stopped):
                worker.job = None
                worker.jobs += time.monotonic() - worker.begun_s > SHORT_SECONDS
            if isinstance(message, Failed) and message.cause == "memory":
                # What filled it may never be given back: the next job gets a process of its own.
                worker.jobs = JOBS_A_PROCESS
            found.append(message)
        if not chunk:
            found += self._death(worker)
        return found

    def _death(self, worker: _Worker) -> list[Event]:
        """What the end of a process means for its job."""
        job, worker.job = worker.job, None  # so that it is waited for, and not killed
        code = self._end(worker)
        if job is None:
            return []
        # However a process ends that was told to: a library may be importing something.
        if self._is_stopping:
            return [Stopped(job)]
        ending = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        hint = "; the system may have had no memory left" if code == -signal.SIGKILL else ""
        last = " | ".join(last_lines(worker.log.read_text("utf-8", "replace")))
        return [Failed(job, "died", f"its process ended by {ending}{hint}: {last}")]

    def _end(self, worker: _Worker) -> int:
        """Ends a process, at once if it has a job, and returns its exit code."""
        del self._workers[worker.name]
        self._selector.unregister(worker.stdout)
        if worker.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                worker.process.stdin.close()
        if worker.job is not None:
            worker.process.kill()
        try:
            # One without a job ends by itself once there is no driver.
            code = worker.process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            code = worker.process.wait()
        worker.stdout.close()
        return code


def last_lines(log: str) -> list[str]:
    """The end of a log, without the marks by which a traceback underlines.

    Args:
        log: All of it.
    """
    lines = [line.strip() for line in log.splitlines() if line.strip(" ^~")]
    return lines[-LAST_LINES:]
