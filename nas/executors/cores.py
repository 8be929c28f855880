"""How workers share the cores of a machine: disjoint parts, and as many threads."""

from __future__ import annotations

import os
from collections.abc import Mapping

# What TensorFlow, OpenMP and the libraries below NumPy read when they are imported.
THREADS = (
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)
# An operation that is divided over threads waits for the slowest of them: two processes of one
# thread each train 1.5 times as many images a second as one of two.
ONE_THREAD = "TF_NUM_INTRAOP_THREADS"


def cores() -> tuple[int, ...]:
    """Numbers of the cores that this process may use, ascending."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def share_of(worker: int, workers: int, available: tuple[int, ...]) -> tuple[int, ...]:
    """The cores of one worker; where there are fewer cores than workers, one that is shared.

    Args:
        worker: Its number, from 0.
        workers: How many there are, 1 or more.
        available: As `cores` gives them.
    """
    if workers >= len(available):
        return (available[worker % len(available)],)
    first = worker * len(available) // workers
    return available[first : (worker + 1) * len(available) // workers]


def environment(threads: int, own: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process with so many threads; a user's own values stay.

    Args:
        threads: Operations that run side by side, 1 or more; each of them has one thread.
        own: The environment of this process.
    """
    return {**dict.fromkeys(THREADS, str(threads)), ONE_THREAD: "1", **own}
