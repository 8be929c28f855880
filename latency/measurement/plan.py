"""Interleaved timing of any callables with any clock: the typed face of the worker's engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from latency.worker import Outcome, Quantity, run_rounds

Progress = Callable[[int, int, float], None]
Clock = Callable[[], float]


@dataclass(frozen=True)
class MeasurePlan:
    """How often and how long models are timed.

    Args:
        min_rounds: Rounds before a model may stop.
        max_rounds: Rounds at most; what is not certain by then is marked.
        runs_per_visit: Timed runs of a model in a visit.
        drop_per_visit: Runs before them that are not timed (cold caches).
        quantile: The statistic; low ones ignore what other processes add.
        relative_tolerance: Width of the 95 % interval, relative to the value, that ends a model.
        absolute_floor_ms: Width in ms that ends a model as well.
        seed: Of inputs, visiting order and resampling.
        max_seconds: Ends after the round in which it is reached; None for no limit.

    Raises:
        ValueError: A value is out of range.
    """

    min_rounds: int = 12
    max_rounds: int = 30
    runs_per_visit: int = 3
    drop_per_visit: int = 1
    quantile: float = 0.25
    relative_tolerance: float = 0.01
    absolute_floor_ms: float = 0.0
    seed: int = 0
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        rules = {
            "min_rounds": (self.min_rounds >= 1, "1 or more"),
            "max_rounds": (self.max_rounds >= self.min_rounds, "at least min_rounds"),
            "runs_per_visit": (self.runs_per_visit >= 1, "1 or more"),
            "drop_per_visit": (self.drop_per_visit >= 0, "0 or more"),
            "quantile": (0 <= self.quantile <= 1, "from 0 to 1"),
            "relative_tolerance": (self.relative_tolerance >= 0, "0 or more"),
            "absolute_floor_ms": (self.absolute_floor_ms >= 0, "0 or more"),
            "seed": (self.seed >= 0, "0 or more"),
            "max_seconds": (self.max_seconds is None or self.max_seconds > 0, "above 0 or None"),
        }
        for name, (holds, text) in rules.items():
            if not holds:
                raise ValueError(
                    f"Expected {name} to be {text}. Received: {getattr(self, name)!r}. "
                    f"Fix: pass {name} within its range (default {type(self).__dict__[name]!r})."
                )

    def to_json(self) -> dict[str, Any]:
        """Returns plain values, as handed to the worker."""
        return asdict(self)


def time_callables(
    runners: Mapping[str, Callable[[], Any]],
    plan: MeasurePlan,
    *,
    groups: Mapping[str, str] | None = None,
    quantities: Sequence[Quantity] | None = None,
    clock: Clock = time.perf_counter,
    progress: Progress | None = None,
) -> Outcome:
    """Times functions in interleaved rounds and keeps every sample.

    Args:
        runners: Key -> function that runs once.
        plan: Rounds, runs and when to stop.
        groups: Key -> group timed in one visit; each function for itself by default.
        quantities: What has to become certain; each function's quantile by default.
        clock: Seconds.
        progress: Called after each visit with visits done, visits at most, seconds left.

    Raises:
        ValueError: The clock stood still or went backwards.
    """
    return run_rounds(
        runners,
        groups or {key: key for key in runners},
        quantities or [Quantity((key,), (1.0,)) for key in runners],
        plan.to_json(),
        clock=clock,
        progress=progress,
    )
