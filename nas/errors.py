"""Errors that a user can act on: what was expected, what was received, how to fix it."""

from __future__ import annotations

from latency.errors import LatencyError


class InputError(LatencyError):
    """Bad input from the user: the command line ends with exit code 2."""


class ArchitectureError(InputError):
    """A network that cannot be read, or cannot be built as written."""


class SpaceError(InputError):
    """A search space that does not exist, or does not fit what is asked of it."""
