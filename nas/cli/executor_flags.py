"""Flags of where workers run: on this machine, or on the nodes of a Ray cluster."""

from __future__ import annotations

from typing import Any

from absl import flags

from nas.cli import flags as strict_flags
from nas.executors.needs import EXECUTORS


def define(values: flags.FlagValues) -> None:
    """Defines them.

    Args:
        values: Where.
    """
    text: dict[str, Any] = {"flag_values": values}
    strict_flags.define_count(
        values,
        "workers",
        "Trainings at a time, each in a process of its own; default: on a cluster as many as it "
        "has room for, of trials one a core and 4 at most, else all in this program, one by one.",
    )
    flags.DEFINE_enum(
        "executor",
        "local",
        list(EXECUTORS),
        "Where workers run: processes of this machine, or the nodes of a Ray cluster.",
        **text,
    )
    flags.DEFINE_string(
        "ray_address",
        None,
        "Ray cluster of --executor ray: auto (default) for the one of this machine, HOST:PORT, "
        "ray://HOST:PORT, or local for one that ends with this program.",
        **text,
    )
    flags.DEFINE_float(
        "worker_cpus", None, "Cores of each worker of a cluster; default: 1.", **text
    )
    flags.DEFINE_float("worker_gpus", None, "GPUs of each worker of a cluster; default: 0.", **text)
    strict_flags.define_count(
        values,
        "worker_memory_bytes",
        "Main memory that each worker of a cluster reserves; default: none.",
    )
