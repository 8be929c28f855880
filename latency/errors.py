"""The errors that a user is told, in three parts; the base class stands where the device is."""

from __future__ import annotations

from latency.device.errors import FileFormatError, LatencyError

__all__ = ["FileFormatError", "LatencyError", "ModelFileError", "text_of"]


class ModelFileError(LatencyError):
    """An ONNX file, or a shape for it, that cannot be measured with."""


def text_of(value: str | bytes) -> str:
    """Returns text; protobuf hands out bytes where a string is no UTF-8."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
