"""What the readers of a user's ONNX file share: their error, and text out of protobuf."""

from __future__ import annotations


class ModelFileError(ValueError):
    """An ONNX file, or a shape for it, that cannot be measured with."""

    def __init__(self, expected: str, received: str, fix: str) -> None:
        super().__init__(f"Expected {expected}. Received: {received}. Fix: {fix}.")


def text_of(value: str | bytes) -> str:
    """Returns text; protobuf hands out bytes where a string is no UTF-8."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
