"""The base class of everything that a user is told: expected, received, fix."""

from __future__ import annotations

from .text import visible


class LatencyError(ValueError):
    """Something that a user can act on; programs print it and end with exit code 2.

    Args:
        expected: What the program needs, in words, without a full stop.
        received: What it got.
        fix: What to do about it: the argument, the allowed values and the one found.
    """

    def __init__(self, expected: str, received: str, fix: str) -> None:
        parts = (f"Expected {expected}", f"Received: {received}", f"Fix: {fix}")
        super().__init__("\n".join(map(_sentence, parts)))
        self.expected = expected
        self.received = received
        self.fix = fix

    def __reduce__(self) -> tuple[type[LatencyError], tuple[str, ...]]:
        # Other processes hand exceptions back by their arguments, not by their text.
        return type(self), (self.expected, self.received, self.fix)


def _sentence(text: str) -> str:
    # Lines that a file or another program brings along cannot pass for one of the three parts.
    text = visible(text).replace("\n", "\n  ")
    # What a library or a file says often brings its own full stop.
    return text if text.endswith((".", "?", "!")) else f"{text}."


class FileFormatError(LatencyError):
    """A file that is broken, or of another form or version than this program writes."""


class StandInError(FileFormatError):
    """Something else lies in the place of a file, such as a pointer of git-LFS or a web page."""


class WorkerError(LatencyError):
    """A model, a setting, a journal or a clock that cannot be measured with."""
