"""Workers that do parts of a run, several at a time, wherever they are."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from latency import atomic
from latency.device import strict_json
from nas.errors import InputError
from nas.executors.batch import Batch
from nas.executors.choice import ClosingExecutor, executor_of
from nas.executors.cluster_executor import Shared
from nas.executors.executor import WORKERS_FOLDER
from nas.executors.locks import ORPHAN_SECONDS, wait_for_locks
from nas.executors.messages import Failed, Job
from nas.executors.needs import ExecutorConfig
from nas.pipeline.device_table import DeviceMeasuring
from nas.pipeline.stage_jobs import OF_RUN, SCRATCH, TASK, Kind, StageJob, files_of
from nas.runs.data import DataSource
from nas.runs.folder import RunFolder, disk_error
from nas.system.chosen_backend import chosen_backend
from nas.system.console import bar, out
from nas.system.interrupt import Interrupter

# What an archive from elsewhere may hold, unpacked.
MOST_BYTES = 2**36


@dataclass
class StageWorkers:
    """Does parts of a run in processes of this machine or on the nodes of a cluster.

    Whoever has them done finds their files in the run afterwards, as if it had done them itself.

    Args:
        root: Folder of the run, or of the sweep or comparison that it is a part of.
        source: The images, at the place where they are now.
        executor: Where workers run.
        workers: At a time, 1 or more; None, for a cluster alone, for as many as it has room for.
        paths: That must lead to the same on every node, such as those of images.
        interrupter: Asked whether to stop.
    """

    root: RunFolder
    source: DataSource
    executor: ExecutorConfig
    workers: int | None
    paths: tuple[str, ...]
    interrupter: Interrupter
    _failures: list[tuple[StageJob, Failed]] = field(default_factory=list, init=False, repr=False)
    _executor: ClosingExecutor | None = field(default=None, init=False, repr=False)
    _are_kept: bool = field(default=False, init=False, repr=False)

    @property
    def measuring(self) -> DeviceMeasuring:
        """Who measures on devices of a cluster."""
        return DeviceMeasuring(self.executor, self.interrupter)

    def job(
        self,
        folder: RunFolder,
        kind: Kind,
        details: object,
        *,
        checkpoint: str,
        record: str,
        inputs: Sequence[str] = (),
    ) -> StageJob:
        """A part of a run.

        Args:
            folder: Of the run, `root` or one below it.
            kind: What is done.
            details: The record of the kind.
            checkpoint: Of the part, as `RunFolder.checkpoint` takes it.
            record: Name of the file that says that the part is done.
            inputs: Names of files that are read beside what every part reads, where they are there.
        """
        root = self.root.path.resolve()
        below = folder.path.resolve().relative_to(root).as_posix()
        below = "" if below == "." else below
        encoded: Mapping[str, Any] = strict_json.encode(details)
        return StageJob(
            str(root),
            "-".join([*PurePosixPath(below).parts, checkpoint]),
            kind,
            below,
            self.source,
            (*OF_RUN, *(name for name in inputs if folder.has(name))),
            checkpoint,
            record,
            encoded,
        )

    def do(self, jobs: Sequence[StageJob], label: str) -> None:
        """Does parts that do not depend on each other; those that are done already are left out.

        Args:
            jobs: The parts.
            label: Of the progress bar.

        Raises:
            Interrupted: A signal came; what trained has saved its state.
            InputError: A cluster cannot be reached or cannot do them, or one of them failed for
                good; all others are done.
        """
        waiting = {job.name: job for job in jobs if not job.run.has(job.record)}
        if not waiting:
            return
        self._failures = []
        try:
            executor = self._executor or self._opened(len(waiting))
            with bar(label) as shown:
                Batch(
                    executor,
                    self.interrupter,
                    on_done=lambda job, answer: self._take_over(waiting[job.id], answer),
                    on_failed=lambda job, failure: self._failed(waiting[job.id], failure),
                    on_change=lambda done, running: shown.update(
                        done, len(waiting), note=f"{running} at a time"
                    ),
                ).run([Job(name, strict_json.encode(job)) for name, job in waiting.items()])
        finally:
            if not self._are_kept:
                self._close()
        shutil.rmtree(self.root.path / SCRATCH, ignore_errors=True)
        self._refuse_failures()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keeps workers between calls of `do`; nothing may be measured in the block."""
        self._are_kept = True
        try:
            yield
        finally:
            self._are_kept = False
            self._close()

    def _opened(self, jobs: int) -> ClosingExecutor:
        """Workers that have something to do; a cluster has nothing to itself for the others."""
        folder = self.root.path / WORKERS_FOLDER
        wait_for_locks(folder, ORPHAN_SECONDS)
        packages = ("numpy", "keras", chosen_backend().name)
        shared = Shared(self.root.path.resolve(), (), files_of, self.paths, packages)
        count = jobs if self.workers is None else min(self.workers, jobs)
        self._executor = executor_of(self.executor, TASK, folder, count, shared)
        return self._executor

    def _close(self) -> None:
        if self._executor is not None:
            self._executor.close()
            self._executor = None

    def _take_over(self, job: StageJob, answer: Mapping[str, Any]) -> None:
        """Writes what a part has left into the run, the file that says so last of all."""
        path = job.run.path
        try:
            with zipfile.ZipFile(job.archive) as packed:
                names = [_inside(entry) for entry in packed.infolist()]
                for name in sorted(names, key=lambda name: name == job.record):
                    target = path / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    atomic.write_bytes(target, packed.read(name))
        except OSError as error:
            raise disk_error(path, error) from error
        job.archive.unlink(missing_ok=True)
        if not answer["keeps_checkpoint"]:
            job.run.checkpoint(job.checkpoint).unlink(missing_ok=True)
        for line in answer["lines"]:
            out.print(line, markup=False)

    def _failed(self, job: StageJob, failure: Failed) -> None:
        self._failures.append((job, failure))
        why = f"{failure.cause}: {failure.message}"
        out.print(f"Warning: {job.name} failed, {why}", markup=False)

    def _refuse_failures(self) -> None:
        if not self._failures:
            return
        _, failure = self._failures[-1]
        names = ", ".join(job.name for job, _ in self._failures)
        raise InputError(
            "every part of the run to be done",
            f"{names} failed; the last one by {failure.cause}: {failure.message}",
            f"mend its cause, which the logs in {self.root.path / WORKERS_FOLDER} tell, and go on: "
            "all others are kept",
        )


def _inside(entry: zipfile.ZipInfo) -> str:
    """The name of a file of an archive, which must lead into the run's folder.

    Raises:
        InputError: It leads elsewhere, or the file is larger than any of a run.
    """
    parts = PurePosixPath(entry.filename).parts
    if not parts or parts[0] == "/" or ".." in parts or entry.file_size > MOST_BYTES:
        raise InputError(
            "files of a run from a worker",
            f"{entry.filename!r} of {entry.file_size} bytes",
            "see what else writes into the folder of the run",
        )
    return entry.filename
