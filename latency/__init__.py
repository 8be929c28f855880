"""Measures ONNX models on this device: keys and milliseconds, and no search space."""

from __future__ import annotations

import os

# onnxruntime sends telemetry unless told not to before its first import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
