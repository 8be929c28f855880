"""Errors that a user can act on: what was expected, what was received, how to fix it."""

from __future__ import annotations


class InputError(ValueError):
    """Bad input from the user: the command line ends with exit code 2.

    Args:
        expected: What the program needs, in words.
        received: What it got.
        fix: What to do about it.
    """

    def __init__(self, expected: str, received: str, fix: str) -> None:
        super().__init__(f"Expected {expected}.\nReceived: {received}.\nFix: {fix}.")
        self.expected = expected
        self.received = received
        self.fix = fix

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str]]:
        # Worker processes hand exceptions back by their arguments, not by their text.
        return type(self), (self.expected, self.received, self.fix)


class ArchitectureError(InputError):
    """A network that cannot be read, or cannot be built as written."""


class SpaceError(InputError):
    """A search space that does not exist, or does not fit what is asked of it."""
