#!/usr/bin/env python3
"""Milliseconds of a scheduler's decision, and its memory, by the number of stored trials.

    python benchmarks/tuning_overhead.py [--schedulers asha,hyperband,median]
        [--trials 100,1000,10000] [--decisions 200] [--json FILE]

A decision is what happens when a job ends: its values are added to the table, and the scheduler is
asked for the next job. Nothing is trained; values are drawn. Times are those of the processor, so
that other programs do not count. The figures are printed, with the command. See
benchmarks/README.md.
"""

from __future__ import annotations

import platform
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np

from latency import atomic, command_line, shell
from latency.cli.parser import OutputFile, Parser, Value
from nas.tuning.asha import Asha
from nas.tuning.hyperband import Hyperband
from nas.tuning.ladder import EvenLadder, Ladder
from nas.tuning.median import MedianStopping
from nas.tuning.objectives import Objective
from nas.tuning.scheduler import Scheduler
from nas.tuning.scores import Job, RungValue, Running
from nas.tuning.table import RungTable

OBJECTIVES = tuple(map(Objective, ("top1", "ms", "params", "macs", "bytes")))
COUNTS = {"asha": (1, 2, 3, 5), "hyperband": (1, 2, 3, 5), "median": (1, 2)}
# Trials that begin and are never ended by drawing, so that no search comes to its end.
ENDLESS = 10**6
SCHEDULERS: dict[str, Callable[[], Scheduler]] = {
    "asha": lambda: Asha(Ladder(32, 4, 5), ENDLESS),
    "hyperband": lambda: Hyperband(Ladder(32, 4, 5), ENDLESS),
    "median": lambda: MedianStopping(EvenLadder(32, 8), ENDLESS),
}
MIB = 2**20


@dataclass(frozen=True)
class Figures:
    """One row of the table.

    Args:
        scheduler: Name.
        objectives: How many.
        trials: Stored before the first decision.
        median_ms: Of the decisions.
        worst_ms: The 99th percentile of the decisions.
        anew_ms: A table of all stored values with all fronts, and its first decision, as after a
            restart.
        table_mib: What the table holds.
        peak_mib: What decisions held beyond the table at most.
    """

    scheduler: str
    objectives: int
    trials: int
    median_ms: float
    worst_ms: float
    anew_ms: float
    table_mib: float
    peak_mib: float


class Search:
    """A search whose trainings end at once with drawn values.

    Args:
        scheduler: Whose search it is.
        objectives: How many.
    """

    def __init__(self, scheduler: Scheduler, objectives: int) -> None:
        self.scheduler = scheduler
        self.table = RungTable(OBJECTIVES[:objectives])
        self.values: list[RungValue] = []
        self._rng = np.random.default_rng(0)
        self._running = Running(0, 0)

    def decide(self) -> float:
        """Ends the running job, asks for the next one, and returns the milliseconds of both.

        Values of accuracy are worse for the smaller ones, as they are of real networks.
        """
        sizes = self._rng.random(len(self.table.objectives) - 1)
        top1 = 0.5 * sizes.mean() if len(sizes) else 0.0
        values = (float(top1 + 0.5 * self._rng.random()), *sizes.tolist())
        job = self._running
        value = RungValue(job.trial, job.rung, values, 0.0, job.bracket)
        begun = time.thread_time()
        self.table.add(value)
        following = self.scheduler.next_job(self.table, ())
        milliseconds = (time.thread_time() - begun) * 1e3
        self.values.append(value)
        if not isinstance(following, Job):
            raise RuntimeError(f"Expected a search without end. Received: {following}.")
        number = len(self.table.brackets) if following.trial is None else following.trial
        self._running = following.running(number)
        return milliseconds

    def grow(self, trials: int) -> None:
        """Makes decisions until so many trials are stored.

        Args:
            trials: In all.
        """
        while len(self.table.brackets) < trials:
            self.decide()

    def anew_ms(self) -> float:
        """Milliseconds of a table made of what is stored, all its fronts, and a first decision."""
        begun = time.thread_time()
        table = RungTable(self.table.objectives, self.values)
        # A decision that promotes nobody looks at no fronts.
        for bracket, rung in {(value.bracket, value.rung) for value in self.values}:
            table.order(rung, bracket).front()
        self.scheduler.next_job(table, [self._running])
        return (time.thread_time() - begun) * 1e3


def measure(name: str, objectives: int, trials: int, decisions: int) -> Figures:
    """The figures of one scheduler at one size.

    Args:
        name: Of `SCHEDULERS`.
        objectives: How many.
        trials: Stored before the first decision.
        decisions: To be timed.
    """
    search = Search(SCHEDULERS[name](), objectives)
    search.grow(trials)
    times = [search.decide() for _ in range(decisions)]
    # Tracing makes everything slower, so that memory is looked at on its own.
    anew_ms = search.anew_ms()
    tracemalloc.start()
    kept = RungTable(search.table.objectives, search.values)
    search.table = kept
    search.scheduler.next_job(kept, ())
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    for _ in range(20):
        search.decide()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return Figures(
        name,
        objectives,
        trials,
        float(np.median(times)),
        float(np.percentile(times, 99)),
        anew_ms,
        held / MIB,
        (peak - held) / MIB,
    )


def printed(row: Figures) -> Figures:
    """The same row, printed.

    Args:
        row: A line of the table.
    """
    print(
        f"{row.scheduler:9}  {row.objectives:10}  {row.trials:6}  {row.median_ms:9.2f}  "
        f"{row.worst_ms:6.2f}  {row.anew_ms:7.0f}  {row.table_mib:9.1f}  {row.peak_mib:8.1f}",
        flush=True,
    )
    return row


def main(arguments: list[str] | None = None) -> int:
    """Measures all schedulers, and prints or writes the figures."""
    parser = Parser(description=__doc__)
    parser.add_argument("--trials", default="100,1000,10000", help="numbers between commas")
    parser.add_argument("--schedulers", default=",".join(SCHEDULERS), help="between commas")
    parser.add_argument("--decisions", action=Value, type=int, default=200, help="timed (200)")
    parser.add_argument("--json", action=OutputFile, type=Path, help="also written as JSON")
    options = parser.parse_args(arguments)
    words = arguments if arguments is not None else sys.argv[1:]
    command = command_line.join(["python", "benchmarks/tuning_overhead.py", *words])
    print(f"{command}  # {platform.processor() or platform.machine()}, NumPy {np.__version__}")
    print("scheduler  objectives  trials  median ms  p99 ms  anew ms  table MiB  peak MiB")
    rows = [
        printed(measure(name, objectives, trials, options.decisions))
        for name in options.schedulers.split(",")
        for objectives in COUNTS[name]
        for trials in map(int, options.trials.split(","))
    ]
    if options.json is not None:
        atomic.write_json(
            options.json, {"command": command, "figures": [asdict(row) for row in rows]}
        )
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
