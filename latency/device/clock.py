"""Seconds for timing, and the time of day for records."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

Clock = Callable[[], float]  # seconds from any start, never backwards


def now_text() -> str:
    """Returns the time of day in UTC, ISO 8601 to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
