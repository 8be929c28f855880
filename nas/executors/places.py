"""Where workers have room on the nodes of a cluster, and which nodes get none."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from nas.errors import InputError
from nas.executors.cluster import Cluster, Node
from nas.executors.needs import DEVICE, Needs

# Nodes come and go seldom.
LOOK_SECONDS = 2.0
# A node on which so many workers in a row were lost before they began gets no more.
MOST_BEGINNINGS = 3


class Places:
    """Room for workers on the nodes that are there now.

    Args:
        cluster: Whose nodes they are.
        needs: That each worker has to itself.
        most: Workers in all, 1 or more; None for no limit.
    """

    def __init__(self, cluster: Cluster, needs: Needs, most: int | None) -> None:
        self._cluster, self._needs, self._most = cluster, needs, most
        self._nodes: Sequence[Node] = ()
        self._looked_s: float | None = None
        self._unfit: set[str] = set()
        self._lost: Counter[str] = Counter()

    @property
    def has_room(self) -> bool:
        """Whether a worker could be anywhere, if nobody else were there."""
        return any(self._needs.room(node.resources) for node in self._fit())

    @property
    def text(self) -> str:
        """What the cluster has, in words."""
        parts = [
            node.text + (", which is left out" if node.id in self._unfit else "")
            for node in self._nodes
        ]
        return "; ".join(parts) or "no node"

    def look(self) -> None:
        """Finds out which nodes there are, now and then."""
        now_s = time.monotonic()
        if self._looked_s is None or now_s - self._looked_s >= LOOK_SECONDS:
            self._looked_s = now_s
            self._nodes = self._cluster.nodes()

    def is_there(self, node: Node) -> bool:
        """Whether a node is one of those that there are now.

        Args:
            node: That was there once.
        """
        return any(node.id == other.id for other in self._nodes)

    def next(self, workers: Mapping[str, int]) -> Node | None:
        """The node that one more worker should be on; None where there is no room for any.

        Args:
            workers: Number of a node -> workers that are on it.
        """
        if self._most is not None and sum(workers.values()) >= self._most:
            return None
        room = [
            (self._needs.room(node.resources) - workers.get(node.id, 0), node)
            for node in self._fit()
        ]
        most, best = max(room, key=lambda pair: pair[0], default=(0, None))
        return best if most > 0 else None

    def refuse(self, node: Node) -> None:
        """Leaves a node out from now on; one that comes back is a new one.

        Args:
            node: On which no worker can work.
        """
        self._unfit.add(node.id)

    def begun(self, node: Node) -> None:
        """Notes that a worker has begun.

        Args:
            node: Where.
        """
        del self._lost[node.id]

    def lost(self, node: Node) -> bool:
        """Notes that a worker was lost before it began, and says whether the node is left out.

        Args:
            node: Where.
        """
        self._lost[node.id] += 1
        if self._lost[node.id] >= MOST_BEGINNINGS:
            self.refuse(node)
        return node.id in self._unfit

    def no_room(self, waited_s: float) -> InputError:
        """The refusal of a cluster without room.

        Args:
            waited_s: Seconds for which a node with room was waited for.
        """
        device = self._needs.device
        names = {name for node in self._nodes for name in node.resources}
        if device is not None and f"{DEVICE}{device}" not in names:
            devices = sorted(n.removeprefix(DEVICE) for n in names if n.startswith(DEVICE))
            known = ", ".join(devices) or "no device"
            return InputError(
                f"a node with the device {device}",
                f"{known} in the cluster after {waited_s:.0f} s: {self.text}",
                f"""start it there by ray start --resources '{{"{DEVICE}{device}": 1}}'""",
            )
        return InputError(
            f"a node with {self._needs.text} for each worker",
            f"none after {waited_s:.0f} s; the cluster has {self.text}",
            "ask for less by --worker_cpus, --worker_gpus or --worker_memory_bytes, or start such "
            "a node",
        )

    def _fit(self) -> list[Node]:
        return [node for node in self._nodes if node.id not in self._unfit]
