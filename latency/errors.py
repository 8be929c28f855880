"""The errors that a user is told, in three parts; the base class stands where the device is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from latency.device.errors import FileFormatError, LatencyError, StandInError

__all__ = [
    "FileFormatError",
    "LatencyError",
    "ModelFileError",
    "SeveralError",
    "StandInError",
    "all_of",
]


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
    errors = {name: found for name, found in tried.items() if isinstance(found, LatencyError)}
    if len(errors) == 1:
        raise next(iter(errors.values()))
    if errors:
        of_fix: dict[str, list[str]] = {}
        for name, error in errors.items():
            of_fix.setdefault(error.fix, []).append(name)
        raise SeveralError(
            "; ".join(dict.fromkeys(error.expected for error in errors.values())),
            "; ".join(dict.fromkeys(error.received for error in errors.values())),
            "; ".join(f"for {', '.join(names)}: {fix}" for fix, names in of_fix.items()),
        )
    return {name: found for name, found in tried.items() if not isinstance(found, LatencyError)}


def _tried(call: Callable[[], T]) -> T | LatencyError:
    try:
        return call()
    except LatencyError as error:
        return error


class ModelFileError(LatencyError):
    """An ONNX file, or a shape for it, that cannot be measured with."""
