"""The time of day in records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from latency.device.clock import now_text


def test_records_tell_utc_to_the_second() -> None:
    text = now_text()
    at = datetime.fromisoformat(text)
    assert at.utcoffset() == timedelta(0) and at.microsecond == 0
    # It was read after this process began, and before this line.
    assert at <= datetime.now(UTC)
    assert len(text) == len("2026-01-01T00:00:00+00:00")
