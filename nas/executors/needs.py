"""What a worker on another machine needs of it, and where workers run at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nas.errors import InputError
from nas.ranges import check_count, check_number
from nas.registry import check_known

EXECUTORS = ("local", "ray")
# Of the custom resources that stand for devices: a node that a device hangs on has one of it.
DEVICE = "device:"


@dataclass(frozen=True)
class Needs:
    """What each worker has to itself as long as it lives.

    Args:
        cpus: Cores, above 0; also the threads that it computes with, 1 at least.
        gpus: GPUs, 0 or more; a part of one is shared with others.
        memory_bytes: Main memory, 1 or more; None to reserve none.
        device: Name of a device that hangs on the node. One worker at a time has it, so that
            nothing else is measured on it meanwhile. None for no device.

    Raises:
        FieldError: A number is out of range.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    memory_bytes: int | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        check_number("worker_cpus", self.cpus, above=0)
        check_number("worker_gpus", self.gpus, least=0)
        if self.memory_bytes is not None:
            check_count("worker_memory_bytes", self.memory_bytes)

    @property
    def threads(self) -> int:
        """How many operations a worker runs side by side."""
        return max(1, int(self.cpus))

    @property
    def resources(self) -> Mapping[str, float]:
        """Name of each resource, as a cluster calls it -> how much of it a worker has."""
        asked = {"CPU": self.cpus, "GPU": self.gpus, "memory": float(self.memory_bytes or 0)}
        if self.device is not None:
            asked[f"{DEVICE}{self.device}"] = 1.0
        return {name: amount for name, amount in asked.items() if amount}

    @property
    def text(self) -> str:
        """Them in words."""
        return resources_text(self.resources)

    def room(self, has: Mapping[str, float]) -> int:
        """How many such workers a node has room for.

        Args:
            has: Resource -> how much of it the node has in all.
        """
        # Parts of a GPU are no binary fractions: three thirds of one are one.
        return min(int(has.get(name, 0.0) / a + 1e-9) for name, a in self.resources.items())


def resources_text(resources: Mapping[str, float]) -> str:
    """Resources in words.

    Args:
        resources: Name -> amount; a cluster's own marks of nodes are left out.
    """
    shown = {n: a for n, a in resources.items() if not n.startswith(("node:", "object_store"))}
    parts = [
        f"{amount / 2**30:.1f} GiB of memory" if name == "memory" else f"{amount:g} {name}"
        for name, amount in sorted(shown.items())
    ]
    return ", ".join(parts) or "nothing"


@dataclass(frozen=True)
class ExecutorConfig:
    """Where workers run; nothing that they compute depends on it.

    Args:
        kind: One of `EXECUTORS`.
        ray_address: Of a Ray cluster: `auto` for the one of this machine, HOST:PORT,
            ray://HOST:PORT, or `local` for one that begins and ends with this program. None unless
            `kind` is `ray`.
        needs: Of each worker of a cluster; those of this machine share its cores.

    Raises:
        InputError: An address without a cluster, or the reverse.
    """

    kind: str = "local"
    ray_address: str | None = None
    needs: Needs = Needs()

    def __post_init__(self) -> None:
        check_known("executor", self.kind, EXECUTORS)
        if (self.kind == "ray") != (self.ray_address is not None):
            raise InputError(
                "an address of a cluster for the executor `ray`, and for no other one",
                f"{self.kind} and {self.ray_address!r}",
                "give the address, or leave it out",
            )
        if self.ray_address is not None:
            check_address(self.ray_address)


def check_address(address: str) -> None:
    """Refuses what is no address of a cluster.

    Args:
        address: As it was written.

    Raises:
        InputError: It is neither a word that stands for one nor a host with a port.
    """
    if address in ("auto", "local"):
        return
    host, port = host_and_port(address)
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise InputError(
            "--ray_address auto, local, HOST:PORT or ray://HOST:PORT",
            repr(address),
            "write for example ray://10.0.0.1:10001, with the head node's address",
        )


def host_and_port(address: str) -> tuple[str, str]:
    """Both parts of an address, as texts.

    Args:
        address: HOST:PORT or ray://HOST:PORT; IPv6 addresses may stand in brackets.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    return host.removeprefix("[").removesuffix("]"), port
