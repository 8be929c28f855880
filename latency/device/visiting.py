"""One visit of a model: its runs, between probes of the core."""

from __future__ import annotations

import contextlib
import gc
import math
from collections.abc import Callable, Iterator
from typing import Any

from .clock import Clock
from .errors import WorkerError
from .plan import DevicePlan
from .runner import ModelRunner
from .statistics import Visit
from .watch import Watch

# A visit that waits makes at most so many runs for each one that it wants; a machine that changes
# its speed within a run would keep it for ever.
MOST_TRIES = 4
# Runs that follow each other without a probe between them take at most about this long: a machine
# changes its speed several times a second.
LONGEST_ROW_MS = 2.0


def time_once(run: Callable[[], Any], key: str, clock: Clock) -> float:
    """Runs once and returns milliseconds, at the clock's resolution of a nanosecond.

    Raises:
        WorkerError: The clock stood still, went backwards or is not a number.
    """
    start = clock()
    run()
    elapsed_ms = round((clock() - start) * 1e3, 6)
    if not (elapsed_ms > 0 and math.isfinite(elapsed_ms)):
        raise WorkerError(
            "every timed run to take more than 0 ms",
            f"{elapsed_ms} ms for {key!r}",
            "use a monotonic clock that is fine enough, such as time.perf_counter",
        )
    return elapsed_ms


def visit_model(
    run: Callable[[], Any],
    key: str,
    plan: DevicePlan,
    clock: Clock,
    watch: Watch | None,
    plain: bool,
) -> Visit:
    """Visits a model once: drops a few runs, then times as many as the plan wants.

    Args:
        run: Runs the model once.
        key: The model's, for messages.
        plan: Runs of a visit.
        clock: Seconds.
        watch: Tells full speed; None to count every run.
        plain: Takes the machine as it is; otherwise waits for full speed.

    Raises:
        WorkerError: The clock stood still, went backwards or is not a number.
    """
    with _no_garbage_collection():
        try:
            for _ in range(plan.drop_per_visit):
                run()
            return _Visiting(run, key, plan.runs_per_visit, clock, watch).runs(plain)
        finally:
            if isinstance(run, ModelRunner):
                run.end_visit()


class _Visiting:
    """One visit of a model: its runs, between probes."""

    def __init__(
        self, run: Callable[[], Any], key: str, wanted: int, clock: Clock, watch: Watch | None
    ) -> None:
        self._run, self._key, self._wanted, self._clock = run, key, wanted, clock
        self._watch = watch
        self._runs_ms: list[float] = []
        self._before_us: list[float] = []
        self._after_us: list[float] = []

    def runs(self, plain: bool) -> Visit:
        """Makes the runs of a visit.

        Args:
            plain: Takes the machine as it is; otherwise waits for full speed.
        """
        watch = self._watch
        if watch is None:
            for _ in range(self._wanted):
                self._runs_ms.append(time_once(self._run, self._key, self._clock))
            return Visit(tuple(self._runs_ms))
        before_us: float | None = watch.read_us(plain)
        if not plain:
            before_us = self._wait_and_run(watch, before_us)
        if before_us is None:
            before_us = watch.read_us()
        while len(self._runs_ms) < self._wanted:
            before_us = self._time(watch, before_us, self._wanted - len(self._runs_ms), plain)
        return Visit(tuple(self._runs_ms), tuple(self._before_us), tuple(self._after_us), plain)

    def _wait_and_run(self, watch: Watch, before_us: float | None) -> float | None:
        """Runs until enough runs count, or full speed does not come; returns the last probe."""
        limit_us, kept = watch.limit_us, 0
        while kept < self._wanted and len(self._runs_ms) < MOST_TRIES * self._wanted:
            if before_us is None or before_us > limit_us:
                if watch.wait(limit_us) is None:
                    return None
                # What the processor had learned of the model is gone after a pause.
                self._run()
                before_us = watch.read_us()
            made = len(self._runs_ms)
            after_us = self._time(watch, before_us, self._wanted - kept, plain=False)
            if before_us <= limit_us and after_us <= limit_us:
                kept += len(self._runs_ms) - made
            before_us = after_us
        return before_us

    def _time(self, watch: Watch, before_us: float, most: int, plain: bool) -> float:
        """Times runs in a row, then reads the probe and returns it.

        A probe takes some of the model's data out of the first cache, so that the run after it is
        a little slower. Short runs follow each other, as they do where a model is used.
        """
        count, spent_ms = 0, 0.0
        while count < most and spent_ms < LONGEST_ROW_MS:
            self._runs_ms.append(time_once(self._run, self._key, self._clock))
            spent_ms += self._runs_ms[-1]
            count += 1
        after_us = watch.read_us(plain)
        self._before_us += [before_us] * count
        self._after_us += [after_us] * count
        return after_us


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
