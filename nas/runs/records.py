"""Records that certificates and comparisons are made of."""

from __future__ import annotations

from typing import Any

from nas.architecture.spec import Architecture
from nas.cost.counts import architecture_cost
from nas.hardware.measurement import NetworkTiming

# A certificate's relative margin around the asked milliseconds.
MET_MARGIN = 0.02


def is_met(measured_ms: float | None, target_ms: float | None) -> bool | None:
    """Whether a measurement keeps the budget within 2 %; None if nothing was asked."""
    if measured_ms is None or target_ms is None:
        return None
    return (1 - MET_MARGIN) * target_ms <= measured_ms <= (1 + MET_MARGIN) * target_ms


def network_record(
    architecture: Architecture,
    measurement: NetworkTiming | None,
    predicted_ms: float | None,
    asked_ms: float | None,
) -> dict[str, Any]:
    """The keys that certificates and comparisons share; see docs/design.md."""
    cost = architecture_cost(architecture)
    m = measurement
    return {
        "asked_ms": asked_ms,
        "predicted_ms": predicted_ms,
        "measured_ms": m.latency_ms if m else None,
        "measured_low_ms": m.low_ms if m else None,
        "measured_high_ms": m.high_ms if m else None,
        "measured_p50_ms": m.p50_ms if m else None,
        "measured_p90_ms": m.p90_ms if m else None,
        "measured_noise": m.noise if m else None,
        "measured_process_ms": list(m.process_ms) if m else None,
        "measured_quantiles": list(m.quantiles) if m else None,
        "met": is_met(m.latency_ms if m else None, asked_ms),
        "params": cost.params,
        "macs": cost.macs,
        "size_bytes": cost.size_bytes,
        "top1": None,
        "top5": None,
    }
