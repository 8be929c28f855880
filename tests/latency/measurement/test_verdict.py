"""Met, not met, or cannot tell: by the whole interval."""

from __future__ import annotations

from dataclasses import replace

import pytest

from latency.device.speed import SLOWER, HostSpeed
from latency.measurement.timing import Timing
from latency.measurement.verdict import judge

AGAIN = "python -m latency certify 'my net.onnx' --target_ms 1.0"


def timing(low_ms: float | None, high_ms: float | None, reason: str = "") -> Timing:
    return Timing(
        latency_ms=1.0 if low_ms is None or high_ms is None else (low_ms + high_ms) / 2,
        low_ms=low_ms,
        high_ms=high_ms,
        p50_ms=1.2,
        p90_ms=1.5,
        p99_ms=1.9,
        share_full_speed=0.4,
        kept_count=100,
        count=200,
        noise=0.001,
        process_ms=(1.0, 1.0, 1.0),
        reason=reason,
    )


@pytest.mark.parametrize(
    ("low_ms", "high_ms", "met", "words"),
    [
        (0.99, 1.01, True, "lies within"),
        (0.98, 1.02, True, "lies within"),
        # The point is within the margin in all of these; the interval decides.
        (0.97, 1.01, None, "straddles the margin's edge, 0.9800 ms"),
        (0.99, 1.021, None, "straddles the margin's edge, 1.0200 ms"),
        (0.95, 1.05, None, "wider than the margin"),
        (1.03, 1.04, False, "is slower than"),
        # A budget is to be used: is_met has always had two sides.
        (0.90, 0.97, False, "is faster than"),
    ],
)
def test_verdicts_go_by_the_whole_interval(
    low_ms: float, high_ms: float, met: bool | None, words: str
) -> None:
    found = judge(timing(low_ms, high_ms), 1.0, again=AGAIN)
    assert found.met is met and words in found.reason
    if met is None:
        assert found.fix.endswith(AGAIN)


def test_a_wider_margin_meets_what_a_narrow_one_cannot_tell() -> None:
    assert judge(timing(0.97, 1.03), 1.0).met is None
    assert judge(timing(0.97, 1.03), 1.0, margin=0.05).met is True


def test_what_cannot_be_told_has_its_reason_whatever_the_interval() -> None:
    found = judge(timing(0.99, 1.01, "too few undisturbed runs"), 1.0, again=AGAIN)
    assert (found.met, found.reason) == (None, "too few undisturbed runs")
    assert found.fix == f"stop other programs, then: {AGAIN}"
    assert judge(timing(None, None), 1.0).reason == "the interval is unknown"


def test_a_slower_host_is_sent_to_its_clock() -> None:
    speed = HostSpeed(SLOWER, "never faster than 1.20 times its best")
    slow = replace(timing(None, None, "the host is slower"), speeds=(speed,) * 3)
    found = judge(slow, 1.0, again=AGAIN)
    assert found.met is None and "python -m latency clock" in found.fix
