"""The errors that a user is told, in three parts; the base class stands where the device is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from latency.device.errors import FileFormatError, LatencyError

__all__ = ["FileFormatError", "LatencyError", "ModelFileError", "SeveralError", "all_of"]


T = TypeVar("T")


class SeveralError(LatencyError):
    """Several things that cannot be worked with, told together."""


def all_of(calls: Mapping[str, Callable[[], T]]) -> dict[str, T]:
    """Makes every call, and returns what they give; errors are collected and told at once.

    Args:
        calls: Name -> what is called.

    Raises:
        LatencyError: The only error of a call, or all of them in one.
    """
    tried = {name: _tried(call) for name, call in calls.items()}
    errors = [found for found in tried.values() if isinstance(found, LatencyError)]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        parts = zip(*((error.expected, error.received, error.fix) for error in errors), strict=True)
        raise SeveralError(*map(_joined, parts))
    return {name: found for name, found in tried.items() if not isinstance(found, LatencyError)}


def _joined(texts: Iterable[str]) -> str:
    """Puts texts together; what several of them say is said once."""
    return "; ".join(dict.fromkeys(part for text in texts for part in text.split("; ")))


def _tried(call: Callable[[], T]) -> T | LatencyError:
    try:
        return call()
    except LatencyError as error:
        return error


class ModelFileError(LatencyError):
    """An ONNX file, or a shape for it, that cannot be measured with."""
