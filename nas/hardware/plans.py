"""How long tables, choices and certificates are measured."""

from __future__ import annotations

from typing import Any

from latency.measurement.measure import MeasurePlan
from nas.hardware.measurement import (
    CERTIFICATE_PLAN,
    CERTIFICATE_PRECISION,
    CERTIFICATE_PROCESSES,
    CHOICE_PLAN,
    SMOKE_PLAN,
)

CALIBRATION_NETWORKS = 10


HELD_OUT_NETWORKS = 20


def table_plan(seed: int, smoke: bool) -> MeasurePlan:
    """Rounds for a latency table."""
    if smoke:
        return MeasurePlan(min_rounds=3, max_rounds=3, runs_per_visit=1, seed=seed)
    # Most rows stop at 12 rounds; the noisiest networks need up to these to reach 1 %.
    return MeasurePlan(max_rounds=90, seed=seed)


def choice_plan(smoke: bool) -> MeasurePlan:
    """Rounds for candidates while a network is chosen."""
    return SMOKE_PLAN if smoke else CHOICE_PLAN


def certificate_plan(smoke: bool) -> MeasurePlan:
    """Rounds for the measurement that is certified."""
    return SMOKE_PLAN if smoke else CERTIFICATE_PLAN


def certificate_processes(smoke: bool) -> dict[str, Any]:
    """New processes that a certificate is measured in, as `measure_networks` takes them."""
    if smoke:
        return {"processes": 1}
    return {"processes": CERTIFICATE_PROCESSES, "precision": CERTIFICATE_PRECISION}
