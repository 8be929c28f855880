"""Measures ONNX models on this device: keys and milliseconds, and no search space.

    import latency

    latency.measure(["a.onnx", "b.onnx"], threads=1)["a.onnx"].latency_ms
    latency.certify("a.onnx", target_ms=0.5)[0].met
    latency.Table.load("table.json").predict_ms(["stem", "block", "head"])

Importing the package starts neither numpy nor onnxruntime; the first use of a name below does.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latency.interface import (
        LatencyError,
        Measurement,
        MeasurePlan,
        SessionSettings,
        Table,
        Timing,
        Verdict,
        certify,
        measure,
    )

__all__ = [
    "LatencyError",
    "MeasurePlan",
    "Measurement",
    "SessionSettings",
    "Table",
    "Timing",
    "Verdict",
    "certify",
    "measure",
]

# onnxruntime sends telemetry unless told not to before its first import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def __getattr__(name: str) -> Any:
    """Finds the public names when they are first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("latency.interface"), name)
