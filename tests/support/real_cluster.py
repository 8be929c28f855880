"""A Ray cluster of this machine: a head without cores, and nodes that are processes of their own.

Nothing of Ray is imported here: its own program starts and stops the nodes, as users do.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120.0
STORE_BYTES = 80 * 2**20
# It listens on this machine alone, and needs no token of the user's.
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass
class RealCluster:
    """Processes of `ray start --block`; each ends with its node.

    Args:
        folder: Of Ray's sessions and logs.
    """

    folder: Path
    port: int = field(default_factory=free_port)
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Of its head."""
        return f"127.0.0.1:{self.port}"

    def begin(self) -> None:
        """Starts the head, which has no cores."""
        words = ["--head", f"--port={self.port}", "--include-dashboard=false"]
        self.nodes.append(self._started(words, 0, {}))
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise TimeoutError(f"no head of a Ray cluster after {START_SECONDS:g} s")

    def add(
        self, cpus: int = 1, resources: Mapping[str, float] | None = None
    ) -> subprocess.Popen[bytes]:
        """Starts one more node.

        Args:
            cpus: That it says it has.
            resources: Custom ones.
        """
        self.nodes.append(self._started([f"--address={self.address}"], cpus, resources or {}))
        return self.nodes[-1]

    def end(self) -> None:
        """Ends all nodes, the last one first."""
        for node in reversed(self.nodes):
            node.terminate()
            try:
                node.wait(30)
            except subprocess.TimeoutExpired:
                node.kill()

    def _started(
        self, words: list[str], cpus: int, resources: Mapping[str, float]
    ) -> subprocess.Popen[bytes]:
        options = ["--node-ip-address=127.0.0.1", f"--num-cpus={cpus}"]
        options += [f"--object-store-memory={STORE_BYTES}"]
        options += [f"--resources={json.dumps(dict(resources))}", "--disable-usage-stats"]
        if "--head" in words:
            options.append(f"--temp-dir={self.folder}")
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            **ENVIRONMENT,
        }
        return subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *words, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )


@contextmanager
def real_cluster(folder: Path, nodes: int = 1) -> Iterator[RealCluster]:
    """A cluster for the length of the block.

    Args:
        folder: Of Ray's sessions; a short path, since sockets lie there.
        nodes: With one core each, beside the head.
    """
    made = RealCluster(folder)
    try:
        made.begin()
        for _ in range(nodes):
            made.add()
        yield made
    finally:
        made.end()
