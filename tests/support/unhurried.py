"""Short measurements: few rounds, no waiting for full speed, no process made twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from latency.device.job import Model
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.device.startup import Startup
from latency.measurement import startup
from latency.measurement.measure import Readings
from latency.measurement.processes import Repeating

# For tests of what is made of a measurement: looking for the full speed of a machine that runs two
# processes of tests, and waiting for it, takes seconds for milliseconds of measuring.
TWO_ROUNDS = MeasurePlan(min_rounds=2, max_rounds=2, max_wait_seconds=0.0)
TWO_ROUNDS_FLAGS = ("--min_rounds", "2", "--max_rounds", "2", "--max_wait_seconds", "0")
# What a process of its own said of a model with these settings and this seed.
_started: dict[object, Startup | startup.StartError] = {}


def start_each_model_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts a model in a process of its own for the first test that asks, and tells the others.

    For tests of what commands do with it: half a second for every model of every command.

    Args:
        monkeypatch: Of the test.
    """
    start = startup.start_fresh_process

    def remembered(model: Model, settings: SessionSettings, seed: int = 0) -> Startup:
        asked = (model, repr(settings), seed)
        if asked not in _started:
            try:
                _started[asked] = start(model, settings, seed)
            except startup.StartError as error:
                _started[asked] = error
        found = _started[asked]
        if isinstance(found, startup.StartError):
            raise found
        return found

    monkeypatch.setattr(startup, "start_fresh_process", remembered)


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
