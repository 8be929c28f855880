"""Jobs on the machines of a cluster: workers where there is room, also on nodes that join late."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latency import atomic
from nas.errors import InputError
from nas.executors.cluster import Cluster, LostError, Node
from nas.executors.executor import Place
from nas.executors.job_workers import JobWorkers
from nas.executors.messages import (
    Done,
    Event,
    Failed,
    Job,
    Progress,
    Stopped,
    from_line,
    to_line,
)
from nas.executors.needs import Needs
from nas.executors.packages import fingerprint
from nas.executors.places import LOOK_SECONDS, Places
from nas.executors.relay import Greeting, Order, Parcel, shared_environment
from nas.system.console import out

# For a first node with room, and for the first workers to begin on those that are there.
ROOM_SECONDS = 30.0
BEGIN_SECONDS = 60.0
# Idle workers remove their folders within it.
CLOSE_SECONDS = 2.0


@dataclass(frozen=True)
class Shared:
    """What workers elsewhere need of the driver's folder.

    Args:
        root: The folder; payloads name it by this path.
        inputs: Names below it of files that all jobs read.
        state: Payload -> names below it of files that its job goes on from and changes.
        paths: That must lead to the same on every node.
        packages: That must be installed there.
    """

    root: Path
    inputs: tuple[str, ...]
    state: Callable[[Mapping[str, Any]], Sequence[str]]
    paths: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    def order(self, task: str, threads: int, environment: Mapping[str, str]) -> Order:
        """What every worker is told.

        Args:
            task: MODULE:FUNCTION that does a job.
            threads: Of each worker.
            environment: Of this process.
        """
        return Order(
            task,
            threads,
            str(self.root),
            {name: (self.root / name).read_bytes() for name in self.inputs},
            self.paths,
            self.packages,
            fingerprint(),
            shared_environment(environment),
        )

    def content(self, name: str) -> bytes | None:
        """What a file has in it; None where it is not there.

        Args:
            name: Of the file, below the folder.
        """
        path = self.root / name
        return path.read_bytes() if path.is_file() else None


@dataclass
class _Worker:
    """A relay on a node, and what is known of it."""

    name: str
    node: Node
    relay: Any
    has_begun: bool = False
    job: str | None = None
    pid: int = 0

    @property
    def is_free(self) -> bool:
        """Whether it waits for a job."""
        return self.has_begun and self.job is None


class ClusterExecutor(JobWorkers[_Worker]):
    """Workers on the nodes of a cluster; each takes one job at a time.

    The driver alone writes its folder: workers get what their jobs go on from with each job, and
    send back what they have changed. A worker that is lost fails its job, which goes on from there.

    Args:
        cluster: The machines; left by `close`.
        folder: Of logs, one a worker.
        task: MODULE:FUNCTION that does a job.
        shared: What workers need of the driver's folder.
        needs: What each worker has to itself.
        workers: At a time, 1 or more; None for as many as there is room for.
        environment: Of this process.
    """

    def __init__(
        self,
        cluster: Cluster,
        folder: Path,
        task: str,
        shared: Shared,
        needs: Needs,
        workers: int | None,
        environment: Mapping[str, str],
    ) -> None:
        super().__init__()
        self._cluster, self._folder = cluster, folder
        self._shared, self._needs = shared, needs
        self._order = shared.order(task, needs.threads, environment)
        self._places = Places(cluster, needs, workers)
        self._calls: dict[Any, _Worker] = {}
        self._has_worked = False
        self._told_of_waiting = False
        folder.mkdir(parents=True, exist_ok=True)

    def open(self) -> None:
        """Waits for workers on all nodes that have room, so that jobs begin where they can be done.

        Raises:
            InputError: No node has room, or one of those that have cannot do the jobs.
        """
        began_s = time.monotonic()
        while True:
            self._grow()
            waited_s = time.monotonic() - began_s
            if self._workers and all(worker.has_begun for worker in self._workers.values()):
                return
            if self.free and waited_s > BEGIN_SECONDS:
                return  # others have what the rest waits for
            if not self._places.has_room and waited_s > ROOM_SECONDS:
                raise self._places.no_room(waited_s)
            if not self.free and waited_s > ROOM_SECONDS:
                self._tell_of_waiting()
            self._wait(LOOK_SECONDS)

    @property
    def free(self) -> int:
        """How many more jobs it takes now."""
        return sum(worker.is_free for worker in self._workers.values())

    def submit(self, job: Job) -> Place:
        """Begins a job on a worker that has none.

        Args:
            job: With an id that no running job has.

        Raises:
            RuntimeError: All workers have jobs.
        """
        worker = next((w for w in self._workers.values() if w.is_free), None)
        if worker is None:
            raise RuntimeError(f"{len(self._workers)} workers, of which none waits for a job")
        worker.job, self._has_worked = job.id, True
        files = {name: self._shared.content(name) for name in self._shared.state(job.payload)}
        self._call(worker, "do", to_line(job), files)
        return Place(f"{worker.name} on {worker.node.host}", worker.pid)

    def events(self, timeout_s: float) -> Sequence[Event]:
        """What has happened since the last call.

        Args:
            timeout_s: Seconds to wait for a first event at most.
        """
        self._grow()
        if not self._workers:
            self._tell_of_waiting()
        return self._wait(timeout_s)

    def close(self) -> None:
        """Ends all workers at once, and leaves the cluster."""
        idle = [worker for worker in self._workers.values() if worker.is_free]
        closing = [self._cluster.call(worker.relay, "close") for worker in idle]
        deadline = time.monotonic() + CLOSE_SECONDS
        while closing and (left := deadline - time.monotonic()) > 0:
            done = self._cluster.wait(closing, left)
            closing = [call for call in closing if call not in done]
        for worker in list(self._workers.values()):
            self._end(worker)
        self._cluster.close()

    def _tell_to_stop(self, grace_s: float) -> None:
        for worker in self._stopping():
            self._cluster.call(worker.relay, "stop", grace_s)

    def _stopping(self) -> list[_Worker]:
        return [worker for worker in self._workers.values() if worker.job is not None]

    def _grow(self) -> None:
        """Begins workers wherever there is room by now."""
        self._places.look()
        for worker in [w for w in self._workers.values() if w.is_free]:
            if not self._places.is_there(worker.node):
                self._end(worker)  # before it gets a job, which would count as a failure
        on = Counter(worker.node.id for worker in self._workers.values())
        while (node := self._places.next(on)) is not None:
            on[node.id] += 1
            name = next(n for n in map("worker_{}".format, range(10**9)) if n not in self._workers)
            relay = self._cluster.start(node, self._needs, self._order)
            self._workers[name] = _Worker(name, node, relay)
            self._call(self._workers[name], "begin")

    def _call(self, worker: _Worker, method: str, *arguments: Any) -> None:
        self._calls[self._cluster.call(worker.relay, method, *arguments)] = worker

    def _wait(self, timeout_s: float) -> list[Event]:
        """The events of the calls that have an answer."""
        if not self._calls:
            time.sleep(min(timeout_s, LOOK_SECONDS))
            return []
        found: list[Event] = []
        for call in self._cluster.wait(list(self._calls), timeout_s):
            worker = self._calls.pop(call, None)
            if worker is None:
                continue  # its node has just been left out
            try:
                answer = self._cluster.answer(call)
            except LostError as lost:
                found += self._lost(worker, lost)
                continue
            if isinstance(answer, Greeting):
                self._greeted(worker, answer)
            elif isinstance(answer, Parcel):
                found += self._told(worker, answer)
        return found

    def _greeted(self, worker: _Worker, greeting: Greeting) -> None:
        """Takes a worker as one that has begun, or leaves its node out."""
        worker.has_begun = greeting.refusal is None
        if greeting.refusal is None:
            self._places.begun(worker.node)
            return
        self._end(worker)
        self._leave_out(worker.node, InputError(*greeting.refusal))

    def _told(self, worker: _Worker, parcel: Parcel) -> list[Event]:
        """The events of an answer; what comes with them is kept first."""
        worker.pid = parcel.pid
        for name, content in parcel.files.items():
            path = self._shared.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_bytes(path, content)
        if parcel.log:
            with open(self._folder / f"{worker.name}.log", "ab") as stream:
                stream.write(parcel.log)
        found: list[Event] = []
        for line in parcel.lines:
            message = from_line(line, worker.name)
            if isinstance(message, Progress | Done | Failed | Stopped):
                found.append(message)
            if isinstance(message, Done | Failed | Stopped):
                worker.job = None
        if worker.job is not None:
            self._call(worker, "more")
        return found

    def _lost(self, worker: _Worker, lost: LostError) -> list[Event]:
        """What the loss of a worker means for its job, or for the node that it did not begin on."""
        job, host = worker.job, worker.node.host
        self._end(worker)
        if job is not None:
            message = f"on {host}: {lost}"
            return [Stopped(job) if self._is_stopping else Failed(job, lost.cause, message)]
        if not worker.has_begun and self._places.lost(worker.node):
            fix = f"mend its cause on {host}, or stop that node"
            self._leave_out(worker.node, InputError(f"a worker on {host}", str(lost), fix))
        return []

    def _leave_out(self, node: Node, error: InputError) -> None:
        """Refuses a cluster of which a node cannot work; goes on without one that joins late."""
        self._places.refuse(node)
        if not self._has_worked:
            raise error
        # Others that are to begin there would say the same.
        for worker in list(self._workers.values()):
            if worker.node.id == node.id and not worker.has_begun:
                self._end(worker)
        out.print(f"Warning: {node.host} is left out: {error}", markup=False)

    def _end(self, worker: _Worker) -> None:
        self._workers.pop(worker.name, None)
        self._calls = {call: one for call, one in self._calls.items() if one is not worker}
        self._cluster.end(worker.relay)

    def _tell_of_waiting(self) -> None:
        """Says once that there is no room now."""
        if not self._told_of_waiting:
            self._told_of_waiting = True
            text = f"Waiting for {self._needs.text} on a node; the cluster has {self._places.text}"
            out.print(f"{text}.", markup=False)
