"""Fresh processes that are not spread over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from latency.measurement.measure import Readings
from latency.measurement.processes import Repeating


def begin_processes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the pauses between processes out; `ProcessRule` itself stays as it is.

    Three seconds of waiting say nothing where the figures are made up, or not looked at.

    Args:
        monkeypatch: Of the test.
    """
    runs = Repeating.runs

    def at_once(repeating: Repeating, *rest: Any) -> Sequence[Readings]:
        return runs(replace(repeating, wait=lambda seconds: None), *rest)

    monkeypatch.setattr(Repeating, "runs", at_once)
