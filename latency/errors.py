"""The errors that a user is told, in three parts; the base class stands where the device is."""

from __future__ import annotations

from latency.device.errors import FileFormatError, LatencyError

__all__ = ["FileFormatError", "LatencyError", "ModelFileError"]


class ModelFileError(LatencyError):
    """An ONNX file, or a shape for it, that cannot be measured with."""
