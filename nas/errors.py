"""Errors that a user can act on: what was expected, what was received, how to fix it."""

from __future__ import annotations

from latency.errors import LatencyError


class InputError(LatencyError):
    """Bad input from the user: the command line ends with exit code 2."""


class FieldError(InputError):
    """Fields of a record that cannot be; the parts name them as Python writes them.

    Args:
        expected: As of every error.
        received: Likewise.
        fix: Likewise.
        *names: Of the fields that stand in the three parts. Programs write them as their flags.
    """

    def __init__(self, expected: str, received: str, fix: str, *names: str) -> None:
        super().__init__(expected, received, fix)
        self.names = names

    def __reduce__(self) -> tuple[type[FieldError], tuple[str, ...]]:
        return type(self), (self.expected, self.received, self.fix, *self.names)


class WrittenError(InputError):
    """Names in a text with a form of its own, such as that of `--tune`; no flags are meant."""


class ArchitectureError(InputError):
    """A network that cannot be read, or cannot be built as written."""


class SpaceError(InputError):
    """A search space that does not exist, or does not fit what is asked of it."""
