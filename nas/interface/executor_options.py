"""Options of where workers run: what they ask for, and what a run that goes on may change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas.errors import InputError
from nas.executors.cores import cores
from nas.executors.needs import ExecutorConfig, Needs

# Option -> name of the field of `Needs`.
NEEDS = {
    "worker_cpus": "cpus",
    "worker_gpus": "gpus",
    "worker_memory_bytes": "memory_bytes",
}
OF_EXECUTORS = ("executor", "ray_address", *NEEDS)
OF_WORKERS = ("workers", *OF_EXECUTORS)
USUAL_ADDRESS = "auto"
LOCAL = ExecutorConfig()
# More than this compete for the memory of one machine: each worker is a framework of its own.
MOST_USUAL_WORKERS = 4


def executor_config(options: Mapping[str, Any], recorded: ExecutorConfig = LOCAL) -> ExecutorConfig:
    """Where workers run.

    Args:
        options: As the flags of the program.
        recorded: What holds where nothing is said: the usual, or what a run began with.

    Raises:
        InputError: An option of a cluster without one, or a value out of its range.
    """
    kind = options.get("executor", recorded.kind)
    of_ray = [name for name in ("ray_address", *NEEDS) if name in options]
    if kind != "ray" and of_ray:
        raise InputError(
            f"--executor ray with --{of_ray[0]}", f"--executor {kind}", f"leave --{of_ray[0]} out"
        )
    if kind != "ray":
        return ExecutorConfig(kind)
    before = recorded.needs
    needs = {field: options.get(name, getattr(before, field)) for name, field in NEEDS.items()}
    address = options.get("ray_address", recorded.ray_address or USUAL_ADDRESS)
    return ExecutorConfig(kind, address, Needs(**needs))


def usual_workers(executor: ExecutorConfig) -> int | None:
    """How many workers there are where nobody says it; None for as many as a cluster has room for.

    Args:
        executor: Where they run.
    """
    return min(MOST_USUAL_WORKERS, len(cores())) if executor.kind == "local" else None
