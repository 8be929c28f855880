"""A Ray cluster of this machine for benchmarks: a head, and nodes that can be killed one by one.

Ray's own program starts the nodes, as users do. They listen on this machine alone.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nas.errors import InputError
from nas.executors.ray_cluster import RayCluster

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 120.0
STORE_BYTES = 80 * 2**20
# No token of the user's is needed, since nobody else can reach it.
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass
class Nodes:
    """Processes of `ray start --block`; each ends with its node.

    Args:
        folder: Of Ray's sessions and logs; a short path, since sockets lie there.
        port: Of the head.
    """

    folder: Path
    port: int = field(default_factory=free_port)
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Of the head."""
        return f"127.0.0.1:{self.port}"

    def begin(self) -> None:
        """Starts the head, which has no cores.

        Raises:
            TimeoutError: It does not listen after a while.
        """
        words = ["--head", f"--port={self.port}", f"--temp-dir={self.folder}"]
        self._start([*words, "--include-dashboard=false"], cpus=0)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise TimeoutError(f"no head of a Ray cluster after {START_SECONDS:g} s")

    def wait(self) -> None:
        """Waits until programs can use all nodes of the cluster, however busy the machine is.

        Raises:
            InputError: It does not answer after a while.
            RuntimeError: A node has ended.
            TimeoutError: Not all nodes have joined after a while.
        """
        deadline = time.monotonic() + START_SECONDS
        while True:
            if any(node.poll() is not None for node in self.started):
                raise RuntimeError(f"a node of the Ray cluster ended; see {self.folder}")
            try:
                cluster = RayCluster(self.address, START_SECONDS)
                there = len(cluster.nodes())
                cluster.close()
                if there == len(self.started):
                    return
            except InputError:
                if time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.started)} nodes of a Ray cluster")
            time.sleep(1.0)

    def add(self, cpus: int = 1, **resources: float) -> subprocess.Popen[bytes]:
        """Starts one more node.

        Args:
            cpus: That it says it has.
            **resources: Custom ones.
        """
        words = [f"--address={self.address}", f"--resources={json.dumps(resources)}"]
        return self._start(words, cpus)

    def kill(self, node: subprocess.Popen[bytes]) -> None:
        """Ends a node at once, with all of its processes.

        Args:
            node: As `add` gave it.
        """
        os.killpg(node.pid, signal.SIGKILL)
        node.wait()
        self.started.remove(node)

    def end(self) -> None:
        """Ends all nodes, the last one first."""
        for node in list(reversed(self.started)):
            node.terminate()
            try:
                node.wait(30)
            except subprocess.TimeoutExpired:
                self.kill(node)
        self.started.clear()

    def _start(self, words: list[str], cpus: int) -> subprocess.Popen[bytes]:
        common = ["--node-ip-address=127.0.0.1", f"--object-store-memory={STORE_BYTES}"]
        paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
        program = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block"]
        node = subprocess.Popen(
            [*program, *words, *common, f"--num-cpus={cpus}", "--disable-usage-stats"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": paths},
            start_new_session=True,
        )
        self.started.append(node)
        return node


@contextmanager
def cluster_nodes(folder: Path, nodes: int = 1) -> Iterator[Nodes]:
    """A cluster for the length of the block.

    Args:
        folder: Of Ray's sessions and logs; a short path.
        nodes: With one core each, beside the head.
    """
    made = Nodes(folder)
    try:
        made.begin()
        for _ in range(nodes):
            made.add()
            # Of nodes that start on one machine at the same time, now and then one ends at once.
            made.wait()
        yield made
    finally:
        made.end()
