"""A cluster without machines: its relays do their jobs in this process, when they are asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas.executors import relay as relay_module
from nas.executors.cluster import LostError, Node
from nas.executors.needs import Needs
from nas.executors.relay import Order, Relay
from nas.executors.task import Context, TaskError
from tests.support.in_process import InProcessExecutor


class InProcessWithThreads(InProcessExecutor):
    """The same, made as a relay makes its worker."""

    def __init__(self, task: str, folder: Path, workers: int, *, threads: int) -> None:
        super().__init__(task, folder, workers)
        (folder / "worker_0.log").write_text(f"{threads} threads\n", "utf-8")


@dataclass
class StandInRelay:
    """A relay and the node that it is on."""

    node: Node
    order: Order
    relay: Relay | None = None


@dataclass(eq=False)
class Call:
    """A call that nobody has waited for yet."""

    relay: StandInRelay
    method: str
    arguments: tuple[Any, ...]


@dataclass
class StandInCluster:
    """Nodes that come and go as a test says.

    Args:
        there: The nodes that there are now.
        hears: Told each call before it is answered; what it raises is the answer.
    """

    there: list[Node]
    hears: Callable[[Call], None] = lambda call: None
    started: list[StandInRelay] = field(default_factory=list)
    ended: list[StandInRelay] = field(default_factory=list)
    called: list[str] = field(default_factory=list)
    is_closed: bool = False

    def nodes(self) -> Sequence[Node]:
        return list(self.there)

    def start(self, node: Node, needs: Needs, order: Order) -> StandInRelay:
        self.started.append(StandInRelay(node, order))
        return self.started[-1]

    def call(self, relay: StandInRelay, method: str, *arguments: Any) -> Call:
        self.called.append(method)
        return Call(relay, method, arguments)

    def wait(self, calls: Sequence[Call], timeout_s: float) -> Sequence[Call]:
        return list(calls)

    def answer(self, call: Call) -> Any:
        self.hears(call)
        if call.relay.node not in self.there:
            raise LostError("died", "the node is gone")
        if call.relay.relay is None:
            call.relay.relay = Relay(call.relay.order)
        return getattr(call.relay.relay, call.method)(*call.arguments)

    def end(self, relay: StandInRelay) -> None:
        self.ended.append(relay)
        if relay.relay is not None:
            relay.relay.close()

    def close(self) -> None:
        self.is_closed = True


def counts(payload: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """A task that goes on from its file: one more each time; its first try may fail behind that."""
    path = Path(payload["run_dir"]) / "checkpoints" / f"{payload['name']}.npz"
    count = 1 + (int(path.read_text("utf-8")) if path.exists() else 0)
    path.parent.mkdir(exist_ok=True)
    path.write_text(str(count), "utf-8")
    if count == 1 and payload.get("fails"):
        raise TaskError("error", "the first try")
    return {"count": count, "config": (Path(payload["run_dir"]) / "config.json").read_text()}


def in_process(patch: Any) -> None:
    """Lets relays do their jobs in this process.

    Args:
        patch: pytest's monkeypatch.
    """
    patch.setattr(relay_module, "LocalExecutor", InProcessWithThreads)
