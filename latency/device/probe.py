"""A short fixed computation that tells how fast this core is at the moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .clock import Clock

# Three products take 9 to 12 us: long beside a clock's reading, short beside a model's run.
MATRIX_SIDE, PRODUCTS = 48, 3
# Without a matrix library a product takes longer than many models. Division keeps a vector unit
# as busy, and its operands stay in the first cache.
VECTOR_LENGTH, DIVISIONS = 4096, 8
PAGE_BYTES = 4096


@dataclass(frozen=True)
class Probe:
    """A computation whose duration changes with the core's speed and with nothing else.

    Args:
        name: What it computes, and with which library; durations of two names do not compare.
        run: Computes it once.
    """

    name: str
    run: Callable[[], Any]


def make_probe() -> Probe:
    """Returns matrix products where numpy has a matrix library, and vector divisions elsewhere."""
    library = matrix_library()
    return _matrix_probe(library) if library else vector_probe()


def _matrix_probe(library: str) -> Probe:
    rng = np.random.default_rng(0)
    shape = (MATRIX_SIDE, MATRIX_SIDE)
    first, second, third = (
        at_page(np.asarray(rng.uniform(0.1, 1.0, shape), np.float32)) for _ in range(PRODUCTS)
    )
    product = at_page(np.zeros(shape, np.float32))

    def run() -> None:
        np.matmul(first, second, out=product)
        np.matmul(second, third, out=product)
        np.matmul(third, first, out=product)

    side = f"{MATRIX_SIDE}x{MATRIX_SIDE}"
    return Probe(f"{PRODUCTS} float32 products of {side}, numpy {np.__version__}, {library}", run)


def vector_probe() -> Probe:
    """Returns the probe for a numpy without a matrix library, such as on some phones."""
    rng = np.random.default_rng(0)
    top, bottom = (
        at_page(np.asarray(rng.uniform(0.5, 1.0, VECTOR_LENGTH), np.float32)) for _ in range(2)
    )
    quotient = at_page(np.zeros_like(top))

    def run() -> None:
        for _ in range(DIVISIONS):
            np.divide(top, bottom, out=quotient)

    return Probe(f"{DIVISIONS} x {VECTOR_LENGTH} float32 divisions, numpy {np.__version__}", run)


def at_page(values: Any) -> Any:
    """Copies an array to the start of a page.

    Where numpy puts an array differs from process to process, and changes the probe by 1 to 2 %.

    Args:
        values: An array.
    """
    room = np.empty(values.nbytes + PAGE_BYTES, np.uint8)
    start = -room.ctypes.data % PAGE_BYTES
    found = room[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    found[...] = values
    return found


def matrix_library() -> str:
    """Names numpy's matrix library and its version; empty where it was built without one."""
    try:
        found = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        name, version = str(found.get("name", "")), str(found.get("version", ""))
    except (TypeError, KeyError, AttributeError, ImportError):
        return ""  # A numpy that does not say is taken for one without.
    if not found.get("found", True) or name in ("", "none"):
        return ""
    return f"{name} {version}".strip()


@dataclass
class Gauge:
    """Times a probe.

    Args:
        probe: What is timed.
        clock: Seconds.
        sleep: Waits for so many seconds.
    """

    probe: Probe
    clock: Clock = time.perf_counter
    sleep: Callable[[float], None] = time.sleep

    def read_us(self) -> float:
        """Reads the probe twice and returns the second duration, in microseconds.

        The first reading brings back into the caches what a model has driven out: the operands,
        and also the code that reads the clock. Without the latter, no probe after a model larger
        than the caches was ever within the gate.
        """
        self._time_us()
        return self._time_us()

    def _time_us(self) -> float:
        start = self.clock()
        self.probe.run()
        return round((self.clock() - start) * 1e6, 3)
