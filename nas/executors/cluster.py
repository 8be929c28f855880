"""What an executor asks of a cluster; whatever speaks this protocol can be one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from nas.executors.messages import Cause
from nas.executors.needs import Needs, resources_text
from nas.executors.relay import Order


@dataclass(frozen=True)
class Node:
    """A machine of a cluster that is there now.

    Args:
        id: That the cluster knows it by; one that comes back has another.
        host: Name of the machine.
        resources: Resource -> how much of it there is, whoever has it now.
    """

    id: str
    host: str
    resources: Mapping[str, float]

    @property
    def text(self) -> str:
        """It in words."""
        return f"{self.host} with {resources_text(self.resources)}"


class LostError(Exception):
    """A worker, or its node, that is gone; nothing more will be heard of it.

    Args:
        cause: Why a job of it failed.
        message: For people.
    """

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause: Cause = cause


class Cluster(Protocol):
    """Machines, and relays on them: a relay's methods are called from here."""

    def nodes(self) -> Sequence[Node]:
        """The machines that are there now."""

    def start(self, node: Node, needs: Needs, order: Order) -> Any:
        """Begins a relay on a machine as soon as it has what is needed; gives its handle.

        Args:
            node: One of `nodes`.
            needs: That the relay has to itself.
            order: What it is told.
        """

    def call(self, relay: Any, method: str, *arguments: Any) -> Any:
        """Calls a relay's method, and waits for nothing; gives the handle of the call.

        Args:
            relay: As `start` gives it.
            method: Its name.
            *arguments: Plain data.
        """

    def wait(self, calls: Sequence[Any], timeout_s: float) -> Sequence[Any]:
        """Those of the calls that have an answer.

        Args:
            calls: One or more.
            timeout_s: Seconds to wait for a first one at most.
        """

    def answer(self, call: Any) -> Any:
        """What a call gives.

        Args:
            call: That has an answer.

        Raises:
            LostError: The relay or its machine is gone.
        """

    def end(self, relay: Any) -> None:
        """Ends a relay at once, and its worker with it.

        Args:
            relay: As `start` gives it.
        """

    def close(self) -> None:
        """Leaves the cluster."""
