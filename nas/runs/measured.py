"""What was measured of a network and how, and what follows for its budget."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.measurement.certificate import statistic_text
from latency.measurement.timing import Timing
from latency.measurement.verdict import Verdict
from nas.cost.units import Unit
from nas.errors import InputError
from nas.runs.outcome import Outcome


@dataclass(frozen=True)
class Conditions:
    """How a certificate was measured, and how fast the machine was meanwhile.

    Args:
        threads: Threads of one operator.
        provider: Execution provider, by onnxruntime's name.
        graph_level: How far onnxruntime changes the graph.
        set_denormal_as_zero: Whether tiny numbers are taken as 0, which are slow otherwise.
        statistic: What the milliseconds are, in words.
        processes: New processes that were made.
        gate: A run counts when the probes around it took at most so many times full speed; None
            where nothing was gated.
        probe: What was computed before and after each run; empty where nothing was gated.
        full_speed_us: The probe at full speed in microseconds, the least of all processes; None
            where nothing was gated.
        host_state: `full speed`, `busy`, `slower` or `not gated`: the most frequent one of the
            processes.
        host_reason: Why it is not `full speed`, in words.
    """

    threads: int
    provider: str
    graph_level: str
    set_denormal_as_zero: bool
    statistic: str
    processes: int
    gate: float | None
    probe: str
    full_speed_us: float | None
    host_state: str
    host_reason: str

    @classmethod
    def of(cls, timing: Timing, settings: SessionSettings, plan: MeasurePlan) -> Conditions:
        """Those of a measurement.

        Args:
            timing: Of any of its networks.
            settings: Of the sessions.
            plan: Rounds and runs in each process.
        """
        states = Counter(speed.state for speed in timing.speeds)
        state = states.most_common(1)[0][0]
        speed = next(speed for speed in timing.speeds if speed.state == state)
        known_us = [s.full_speed_us for s in timing.speeds if s.full_speed_us is not None]
        is_gated = speed.full_speed_us is not None
        return cls(
            threads=settings.intra_op_num_threads,
            provider=settings.provider,
            graph_level=settings.graph_level,
            set_denormal_as_zero=settings.set_denormal_as_zero,
            statistic=statistic_text(plan, is_gated),
            processes=len(timing.speeds),
            gate=speed.gate if is_gated else None,
            probe=speed.probe,
            full_speed_us=min(known_us, default=None),
            host_state=state,
            host_reason=speed.reason,
        )


@dataclass(frozen=True)
class FileHashes:
    """Which file was measured, and what it computes.

    Args:
        file_sha256: Of model.onnx, 64 hex digits.
        outputs_sha256: Of its outputs for a fixed input, 64 hex digits; each output divided by its
            own largest magnitude and rounded to thousandths.
    """

    file_sha256: str
    outputs_sha256: str


@dataclass(frozen=True, kw_only=True)
class MeasuredRecord:
    """The times of a network; None where one is not known.

    Args:
        asked_ms: Target in milliseconds; None with `--lambda`, where a count was asked for, and for
            networks to compare with.
        predicted_ms: Milliseconds by the latency table; None where it lacks a row.
        measured_ms: Milliseconds of the whole network at the device's own full speed: the median
            over new processes of a low quantile of the undisturbed runs. None with `--device`.
        measured_low_ms: Lower end of its 95 % interval, which includes the spread of processes.
        measured_high_ms: Upper end.
        measured_noise: Relative standard error of one process's reading by itself, the median over
            processes.
        measured_process_ms: Milliseconds in each process.
        measured_kept_count: Undisturbed runs that the milliseconds are read from.
        seen_p50_ms: Median of all runs as they came on that day, disturbed or not.
        seen_p90_ms: 90 % quantile of these.
        seen_p99_ms: 99 % quantile of these.
        share_full_speed: Share of the time at which the machine was at full speed, 0 to 1.
        met: Whether the whole interval, or the count that was asked for, is within 2 % of asked;
            None where nothing was asked or measured, and where it cannot be told.
        met_reason: Why, in words; None where nothing was asked or measured.
        met_fix: What to do next where it is not met or cannot be told, with the command.
    """

    asked_ms: float | None
    predicted_ms: float | None
    measured_ms: float | None = None
    measured_low_ms: float | None = None
    measured_high_ms: float | None = None
    measured_noise: float | None = None
    measured_process_ms: tuple[float, ...] | None = None
    measured_kept_count: int | None = None
    seen_p50_ms: float | None = None
    seen_p90_ms: float | None = None
    seen_p99_ms: float | None = None
    share_full_speed: float | None = None
    met: bool | None = None
    met_reason: str | None = None
    met_fix: str | None = None

    @property
    def outcome(self) -> Outcome:
        """What these figures say of the budget."""
        return Outcome.of(self.met, self.met_reason)


def counted(record: Any, unit: Unit) -> float:
    """A count of a network, as its record has it.

    Args:
        record: With a field of the unit's name.
        unit: Of the count.

    Raises:
        InputError: An earlier version wrote the record, which did not count it.
    """
    found = getattr(record, unit.name)
    if found is None:
        raise InputError(f"{unit.text} of {record.name}", "none", "search again")
    return float(found)


def measured_values(timing: Timing | None, verdict: Verdict | None) -> dict[str, Any]:
    """Fields of a `MeasuredRecord` that a measurement and its verdict give.

    Args:
        timing: The measurement; None without one.
        verdict: What follows for the budget; None where nothing was asked.
    """
    judged: dict[str, Any] = {}
    if verdict is not None:
        judged = {"met": verdict.met, "met_reason": verdict.reason, "met_fix": verdict.fix or None}
    if timing is None:
        return judged
    return {
        "measured_ms": timing.latency_ms,
        "measured_low_ms": timing.low_ms,
        "measured_high_ms": timing.high_ms,
        "measured_noise": timing.noise,
        "measured_process_ms": timing.process_ms,
        "measured_kept_count": timing.kept_count,
        "seen_p50_ms": timing.p50_ms,
        "seen_p90_ms": timing.p90_ms,
        "seen_p99_ms": timing.p99_ms,
        "share_full_speed": timing.share_full_speed,
        **judged,
    }
