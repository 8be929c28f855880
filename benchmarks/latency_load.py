#!/usr/bin/env python3
"""Keeps a core busy as other programs do: matrix products in bursts, walks over memory.

    python benchmarks/latency_load.py --kind mixed --seed 0

It runs until it is stopped, or until the program that started it is gone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

KINDS = ("mixed", "memory")
# Larger than the caches of most processors; a line of a cache is 64 bytes.
WALK_BYTES, LINE_BYTES = 64 * 2**20, 64
MATRIX_SIDE = 256
BURST_S, PAUSE_S = (0.05, 0.5), (0.0, 0.1)
STOPPING_S = 10


def burn(kind: str, seed: int) -> None:
    """Works in bursts of random lengths until the parent process is gone.

    Args:
        kind: 'mixed' for products and walks in turn, 'memory' for walks without a pause.
        seed: Of the lengths.
    """
    rng = np.random.default_rng(seed)
    square = rng.random((MATRIX_SIDE, MATRIX_SIDE), np.float32)
    long = np.ones(WALK_BYTES // 4, np.float32)[:: LINE_BYTES // 4]
    parent = os.getppid()
    is_walking = kind == "memory"
    while os.getppid() == parent:
        end = time.monotonic() + rng.uniform(*BURST_S)
        while time.monotonic() < end:
            if is_walking:
                long.sum()
            else:
                square @ square
        if kind == "mixed":
            is_walking = not is_walking
            time.sleep(rng.uniform(*PAUSE_S))


def other_cores() -> int:
    """Number of cores that this process may use, less one for what is measured; at least 1."""
    visible = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (visible or 1) - 1)


@contextmanager
def loaded(kind: str, processes: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Runs the program beside what happens in the context, and stops it.

    Args:
        kind: One of `KINDS`.
        processes: How many, with seeds 0, 1, ...; 0 for none.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).resolve()), "--kind", kind, "--seed"]
    running = [subprocess.Popen([*command, str(s)], env=environment) for s in range(processes)]
    try:
        yield running
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(STOPPING_S)


def main() -> int:
    """Works until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--kind", choices=KINDS, default="mixed")
    parser.add_argument("--seed", type=int, default=0, help="of the bursts' lengths (0)")
    options = parser.parse_args()
    burn(options.kind, options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
