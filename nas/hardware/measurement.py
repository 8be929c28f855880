"""Whole networks measured together in fresh processes, and certificates from that."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from latency.device.settings import SessionSettings
from latency.measurement.measure import Measurement, MeasurePlan, Model, measure_fresh_process
from latency.measurement.statistics import median_error
from latency.tables.table import LatencyTable
from nas.architecture.spec import Architecture
from nas.architecture.weights import random_weights
from nas.builders.onnx_model import to_onnx_bytes
from nas.hardware.rows import architecture_row_keys
from nas.search_space.space import Space
from nas.system.console import out

# Enough rounds for the known networks to tell how busy the machine is.
CERTIFICATE_PLAN = MeasurePlan(min_rounds=60, max_rounds=90, runs_per_visit=4)
# A certificate's number is the median of so many new processes, or of more until it is known so
# well: a rule that looks at the spread alone, never at the budget.
CERTIFICATE_PROCESSES = 3
CERTIFICATE_PRECISION = 0.006
MOST_PROCESSES = 7
CHOICE_PLAN = MeasurePlan(min_rounds=60, max_rounds=90)
# Known networks that are slower by more than this say that the machine is busy. Processes alone
# differ by 1 to 3 %, and the table's calibration is a little off at both ends of the range.
BUSY_DRIFT = 0.06
# Processes that may be measured again because the machine was busy, and the pause before the first
# of them; each later pause is twice as long, since what lasts seconds may last a minute. A machine
# that never becomes quiet must not be waited for at each reading: there is a limit for the program.
EXTRA_PROCESSES = 4
EXTRA_PROCESSES_IN_ALL = 12
PAUSE_S = 5.0
# A busy machine is quiet between times: it changes several times a second between two speeds
# (docs/decisions/0013). Above this drift a process is timed this often, and read at the quantile
# at which the known networks take what the table says, but at none below the least one.
QUIET_DRIFT = 0.02
BUSY_RUNS = 600
LEAST_QUANTILE = 0.02
QUANTILE_STEPS = 40
SMOKE_PLAN = MeasurePlan(min_rounds=3, max_rounds=3, runs_per_visit=2)


def network_bytes(architecture: Architecture) -> bytes:
    """The ONNX file of a network with random weights: the graph that ships, other numbers."""
    return to_onnx_bytes(architecture, random_weights(architecture))


@dataclass(frozen=True)
class NetworkTiming:
    """A network's milliseconds over one or more processes; see docs/decisions/0009.

    Args:
        latency_ms: Median over processes of the plan's quantile.
        low_ms: Least lower end of the processes' 95 % intervals.
        high_ms: Greatest upper end.
        p50_ms: Median over processes of the median.
        p90_ms: Likewise of the 90 % quantile.
        noise: Median over processes of the split-half noise, a share.
        process_ms: The quantile in each process.
        quantiles: Which one that is in each process: lower where the machine was busy.
    """

    latency_ms: float
    low_ms: float
    high_ms: float
    p50_ms: float
    p90_ms: float
    noise: float
    process_ms: tuple[float, ...]
    quantiles: tuple[float, ...]

    @property
    def error(self) -> float:
        """Relative standard error of `latency_ms` over processes."""
        return median_error(self.process_ms)

    @classmethod
    def of(cls, measurements: Sequence[Measurement]) -> NetworkTiming:
        """From one measurement a process."""
        process_ms = tuple(m.latency_ms for m in measurements)
        return cls(
            median(process_ms),
            min(m.low_ms for m in measurements),
            max(m.high_ms for m in measurements),
            median(m.p50_ms for m in measurements),
            median(m.p90_ms for m in measurements),
            median(m.noise for m in measurements),
            process_ms,
            tuple(m.quantile for m in measurements),
        )


@dataclass
class KnownNetworks:
    """Networks whose milliseconds the table knows; they tell when the machine is busy.

    Args:
        files: Name -> ONNX file.
        known_ms: Their milliseconds by the table.
        extra_left: Processes that may still be repeated because of them.
    """

    files: Mapping[str, bytes]
    known_ms: Mapping[str, float]
    extra_left: int = EXTRA_PROCESSES_IN_ALL

    @classmethod
    def of(cls, space: Space, table: LatencyTable) -> KnownNetworks:
        """The largest and the smallest network of a space."""
        ends = {"known largest": space.largest(), "known smallest": space.smallest()}
        return cls(
            {name: network_bytes(network) for name, network in ends.items()},
            {name: table.predict_ms(architecture_row_keys(end)) for name, end in ends.items()},
        )

    def patient(self) -> KnownNetworks:
        """The same networks for a measurement that is worth waiting for anew."""
        return replace(self, extra_left=EXTRA_PROCESSES)

    def drift(self, run: Mapping[str, Measurement]) -> float:
        """How many times their milliseconds they took in one process; the median."""
        return float(median(run[name].latency_ms / ms for name, ms in self.known_ms.items()))

    def at_table_speed(self, run: Mapping[str, Measurement]) -> dict[str, Measurement]:
        """The same samples at the quantile at which these networks take what the table says.

        The quantile of the runs that no other program disturbed is a lower one of all runs; how
        much lower, the known networks tell, whatever the measured ones took.

        Args:
            run: Of one process, known networks included.
        """
        known = {name: run[name] for name in self.known_ms}
        highest = max(m.quantile for m in run.values())
        # A quantile that is asked for may be lower than the least of ours: it stays.
        grid = np.geomspace(min(LEAST_QUANTILE, highest), highest, QUANTILE_STEPS).tolist()
        # From above: the quantile that was asked for, if the machine is quiet by now.
        fitting = (q for q in reversed(grid) if self.drift(_at_quantile(known, q)) <= 1.0)
        return _at_quantile(run, next(fitting, grid[0]))


def _at_quantile(run: Mapping[str, Measurement], quantile: float) -> dict[str, Measurement]:
    return {name: replace(m, quantile=quantile) for name, m in run.items()}


def measure_networks(
    networks: Mapping[str, bytes],
    settings: SessionSettings,
    plan: MeasurePlan,
    processes: int = 1,
    precision: float | None = None,
    known: KnownNetworks | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> dict[str, NetworkTiming]:
    """Measures whole networks, visits interleaved at random, in new processes one after another.

    With known networks beside them, a process in which these are slower than the table knows them
    is timed for longer and read at a lower quantile, and repeated after a pause if they are slow
    even there: another program is slowing everything down. How a process is read and whether it
    counts never depends on what the measured networks took in it.

    Args:
        networks: Name -> ONNX file.
        settings: Of the session.
        plan: Rounds in each process.
        processes: How many; memory lies elsewhere in each, which alone changes a few percent.
        precision: One process more at a time, up to `MOST_PROCESSES`, until the relative error of
            half of the networks is below this.
        known: Measured beside them; None to take every process as it is.
        wait: Pauses for seconds.
    """
    files = {**networks, **(known.files if known else {})}
    models = [Model(key, data, key) for key, data in files.items()]
    runs: list[tuple[float, Mapping[str, Measurement]]] = []
    extra = 0
    while True:
        while len(runs) < processes + extra:
            run = _process(models, settings, plan, known)
            runs.append((known.drift(run) if known else 1.0, run))
            is_busy = runs[-1][0] > 1 + BUSY_DRIFT
            if known and is_busy and extra < EXTRA_PROCESSES and known.extra_left > 0:
                wait(PAUSE_S * 2**extra)
                extra += 1
                known.extra_left -= 1
        kept = sorted(runs, key=lambda pair: pair[0])[:processes]
        timings = {key: NetworkTiming.of([run[key] for _, run in kept]) for key in networks}
        is_known = precision is None or median(t.error for t in timings.values()) <= precision
        if is_known or processes >= MOST_PROCESSES:
            break
        processes += 1
    if kept[-1][0] > 1 + BUSY_DRIFT:
        out.print(
            f"Warning: other programs slow this machine down: known networks take "
            f"{kept[-1][0]:.2f} times their milliseconds. Stop them, or measure the table again: "
            "scripts/build_latency_table.py."
        )
    return timings


def _process(
    models: Sequence[Model],
    settings: SessionSettings,
    plan: MeasurePlan,
    known: KnownNetworks | None,
) -> Mapping[str, Measurement]:
    """One new process; a second one with many more runs where the first was not quiet."""
    run = measure_fresh_process(models, settings, plan)
    if known is None or known.drift(run) <= 1 + QUIET_DRIFT:
        return run
    rounds = -(-BUSY_RUNS // plan.runs_per_visit)
    long = replace(plan, min_rounds=rounds, max_rounds=rounds)
    return known.at_table_speed(measure_fresh_process(models, settings, long))
