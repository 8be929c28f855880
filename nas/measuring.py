"""Whole networks measured together in fresh processes, and certificates from that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from latency.measure import Measurement, MeasurePlan, Model, measure_fresh_process
from latency.session import SessionSettings
from nas.cost import architecture_cost
from nas.onnx_model import to_onnx_bytes
from nas.spec import Architecture
from nas.weights import random_weights

# A certificate's relative margin around the asked milliseconds.
MET_MARGIN = 0.02

CERTIFICATE_PLAN = MeasurePlan(min_rounds=20, max_rounds=40, runs_per_visit=4)
# A certificate's number is the median of so many new processes.
CERTIFICATE_PROCESSES = 3
CHOICE_PLAN = MeasurePlan(min_rounds=15, max_rounds=30)
SMOKE_PLAN = MeasurePlan(min_rounds=3, max_rounds=3, runs_per_visit=2)


def network_bytes(architecture: Architecture) -> bytes:
    """The ONNX file of a network with random weights: the graph that ships, other numbers."""
    return to_onnx_bytes(architecture, random_weights(architecture))


@dataclass(frozen=True)
class NetworkTiming:
    """A network's milliseconds over one or more processes; see docs/decisions/0009.

    Args:
        latency_ms: Median over processes of the plan's quantile.
        low_ms: Least lower end of the processes' 95 % intervals.
        high_ms: Greatest upper end.
        p50_ms: Median over processes of the median.
        p90_ms: Likewise of the 90 % quantile.
        noise: Median over processes of the split-half noise, a share.
        process_ms: The quantile in each process.
    """

    latency_ms: float
    low_ms: float
    high_ms: float
    p50_ms: float
    p90_ms: float
    noise: float
    process_ms: tuple[float, ...]

    @classmethod
    def of(cls, measurements: Sequence[Measurement]) -> NetworkTiming:
        """From one measurement a process."""
        process_ms = tuple(m.latency_ms for m in measurements)
        return cls(
            median(process_ms),
            min(m.low_ms for m in measurements),
            max(m.high_ms for m in measurements),
            median(m.p50_ms for m in measurements),
            median(m.p90_ms for m in measurements),
            median(m.noise for m in measurements),
            process_ms,
        )


def measure_networks(
    networks: Mapping[str, bytes],
    settings: SessionSettings,
    plan: MeasurePlan,
    processes: int = 1,
) -> dict[str, NetworkTiming]:
    """Measures whole networks, visits interleaved at random, in new processes one after another.

    Args:
        networks: Name -> ONNX file.
        settings: Of the session.
        plan: Rounds in each process.
        processes: How many; memory lies elsewhere in each, which alone changes a few percent.
    """
    models = [Model(key, data, key) for key, data in networks.items()]
    runs = [measure_fresh_process(models, settings, plan) for _ in range(processes)]
    return {key: NetworkTiming.of([run[key] for run in runs]) for key in networks}


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
        "met": is_met(m.latency_ms if m else None, asked_ms),
        "params": cost.params,
        "macs": cost.macs,
        "size_bytes": cost.size_bytes,
        "top1": None,
        "top5": None,
    }
