"""Whether a measured model keeps a budget: yes, no, or that it cannot be told."""

from __future__ import annotations

from dataclasses import dataclass

from latency.command_line import latency_command
from latency.measurement.timing import Timing, is_slower

MARGIN = 0.02
QUIET = "stop other programs"


@dataclass(frozen=True)
class Verdict:
    """What a measurement says of a budget.

    Args:
        met: Whether the whole 95 % interval lies within the margin; None for cannot tell.
        reason: One sentence's worth of why.
        fix: What to do next, with its command; empty where the budget is met.
    """

    met: bool | None
    reason: str
    fix: str


def judge(
    timing: Timing, target_ms: float, margin: float = MARGIN, again: str = "measure again"
) -> Verdict:
    """Judges a whole interval, never a point.

    A model much faster than its budget did not meet it either: it was asked to use it.

    Args:
        timing: Over several processes.
        target_ms: Asked milliseconds, above 0.
        margin: Relative margin on both sides of them; 0.02 by default.
        again: What measures again: a command that is quoted already, or words.
    """
    low_ms, high_ms = timing.low_ms, timing.high_ms
    least_ms, most_ms = (1 - margin) * target_ms, (1 + margin) * target_ms
    if timing.reason or low_ms is None or high_ms is None:
        return _unknown(timing, again)
    found = f"{low_ms:.4f} to {high_ms:.4f} ms"
    asked = f"{least_ms:.4f} to {most_ms:.4f} ms"
    if least_ms <= low_ms and high_ms <= most_ms:
        return Verdict(True, f"the whole interval {found} lies within {asked}", "")
    if high_ms < least_ms or low_ms > most_ms:
        side = "faster" if high_ms < least_ms else "slower"
        fix = f"choose another model, or ask for {timing.latency_ms:.4f} ms"
        return Verdict(False, f"the whole interval {found} is {side} than {asked}", fix)
    if high_ms - low_ms > most_ms - least_ms:
        reason = f"the interval {found} is wider than the margin, {asked}"
        return Verdict(None, reason, f"{QUIET}, then run more processes: {again}")
    edge_ms = least_ms if low_ms < least_ms else most_ms
    reason = f"the interval {found} straddles the margin's edge, {edge_ms:.4f} ms"
    return Verdict(None, reason, f"run more processes, or allow a wider margin: {again}")


def _unknown(timing: Timing, again: str) -> Verdict:
    """Cannot tell, whatever was asked."""
    reason = timing.reason or "the interval is unknown"
    if is_slower(timing.speeds):
        clock = latency_command("clock")
        return Verdict(None, reason, f"let it cool or end its power saving; see {clock}")
    return Verdict(None, reason, f"{QUIET}, then: {again}")
