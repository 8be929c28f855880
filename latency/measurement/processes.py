"""Models timed in several fresh processes, and what these say together."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from latency.device.meter import Progress
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.errors import LatencyError
from latency.measurement.measure import Model, Readings, measure_fresh_process
from latency.measurement.timing import Timing


class ProcessError(LatencyError):
    """A rule for processes that measures nothing, or never ends."""


@dataclass(frozen=True)
class ProcessRule:
    """How many fresh processes are made, one after another.

    Args:
        processes: At least so many; 1 or more, 3 by default. Memory lies elsewhere in each, which
            alone changes a reading by 1 to 3 %.
        most: At most so many; 7 by default.
        precision: One process more at a time until half of the 95 % interval of every named
            network is at most this share of its latency; 0.01 by default.
        min_seconds: Wall time that the processes are spread over, so that one quiet or slow
            second does not decide; 3 by default. Pauses between them fill it.
        max_seconds: No process beyond the least number begins after so much wall time; None for
            no limit.

    Raises:
        ProcessError: A value is out of range.
    """

    processes: int = 3
    most: int = 7
    precision: float = 0.01
    min_seconds: float = 3.0
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        rules = {
            "processes": (self.processes >= 1, "1 or more"),
            "most": (self.most >= self.processes, "at least processes"),
            "precision": (self.precision > 0, "above 0"),
            "min_seconds": (self.min_seconds >= 0, "0 or more"),
            "max_seconds": (self.max_seconds is None or self.max_seconds > 0, "above 0 or None"),
        }
        for name, (holds, text) in rules.items():
            if not holds:
                raise ProcessError(
                    f"{name} to be {text}",
                    repr(getattr(self, name)),
                    f"pass {name} {text}, such as the default {getattr(ProcessRule, name)!r}",
                )


def measure_processes(
    models: Sequence[Model],
    settings: SessionSettings,
    plan: MeasurePlan,
    rule: ProcessRule | None = None,
    *,
    named: Sequence[str] = (),
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> dict[str, Timing]:
    """Times models in fresh processes one after another, visits interleaved at random in each.

    Args:
        models: With unique keys.
        settings: Of the sessions.
        plan: Rounds and runs in each process.
        rule: How many processes; `ProcessRule()` by default.
        named: Keys of the networks that have to become precise; all of them by default.
        progress: Called after each process with processes done, processes at most, seconds left
            at most.
        clock: Seconds.
        wait: Pauses for seconds.

    Raises:
        MeasureError: A process failed.
    """
    rule = rule or ProcessRule()
    keys = [model.key for model in models]

    def worst_error(runs: Sequence[Readings]) -> float:
        timings = timings_of(keys, runs)
        errors = [timings[key].error for key in named or keys]
        return max(math.inf if error is None else error for error in errors)

    again = Repeating(rule, progress, clock, wait)
    return timings_of(keys, again.runs(models, settings, plan, worst_error))


@dataclass(frozen=True)
class Repeating:
    """Fresh processes until they are precise.

    Args:
        rule: How many.
        progress: Called after each process with processes done, processes at most, seconds left
            at most.
        clock: Seconds.
        wait: Pauses for seconds.
    """

    rule: ProcessRule
    progress: Progress | None = None
    clock: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep

    def runs(
        self,
        models: Sequence[Model],
        settings: SessionSettings,
        plan: MeasurePlan,
        error: Callable[[Sequence[Readings]], float],
    ) -> list[Readings]:
        """Makes one process after another.

        Every process has another seed, and so other integer inputs and another order of visits,
        and loads the models in another order.

        Args:
            models: With unique keys.
            settings: Of the sessions.
            plan: Rounds and runs in each process.
            error: Relative error of what has to become precise, after so many processes.

        Raises:
            MeasureError: A process failed.
        """
        rule, begun, runs = self.rule, self.clock(), list[Readings]()
        while len(runs) < rule.most:
            if runs:
                missing = rule.min_seconds - (self.clock() - begun)
                self.wait(max(0.0, missing / max(1, rule.processes - len(runs))))
            number = len(runs)
            order = np.random.default_rng([plan.seed, number]).permutation(len(models))
            own_plan = replace(plan, seed=plan.seed + number)
            runs.append(measure_fresh_process([models[i] for i in order], settings, own_plan))
            spent = self.clock() - begun
            if self.progress:
                left = rule.most - len(runs)
                self.progress(len(runs), rule.most, left * spent / len(runs))
            if len(runs) >= rule.processes:
                late = rule.max_seconds is not None and spent >= rule.max_seconds
                if late or error(runs) <= rule.precision:
                    break
        return runs


def timings_of(keys: Sequence[str], runs: Sequence[Readings]) -> dict[str, Timing]:
    """Joins processes to one timing a model.

    Args:
        keys: Of the models, in the order of the result.
        runs: One a process.
    """
    speeds = [run.speed for run in runs]
    return {key: Timing.of([run[key] for run in runs], speeds) for key in keys}
