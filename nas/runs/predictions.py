"""What an exported network says of images of a user's own: predictions/predictions.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from latency.errors import LatencyError
from nas.data.preparation import Preparation


@dataclass(frozen=True)
class ClassShare:
    """One class that an image may be of.

    Args:
        name: Of the class.
        index: Of the class, from 0.
        probability: From 0 to 1; those of all classes add up to 1.
    """

    name: str
    index: int
    probability: float


@dataclass(frozen=True)
class PredictedImage:
    """What the network says of one image.

    Args:
        path: Of the file, as it was named or found.
        classes: The most probable ones, best first: five, or all where there are fewer.
    """

    path: str
    classes: tuple[ClassShare, ...]

    @property
    def best(self) -> ClassShare:
        """The most probable class."""
        return self.classes[0]


@dataclass(frozen=True)
class FailedImage:
    """A path that nothing could be said of.

    Args:
        path: As it was named or found.
        expected: What should have been there.
        received: What was there.
        fix: What to do about it.
    """

    path: str
    expected: str
    received: str
    fix: str

    @classmethod
    def of(cls, path: str, error: LatencyError, fix: str = "") -> FailedImage:
        """From what was raised.

        Args:
            path: Of the image.
            error: Three parts.
            fix: What to do in place of what the error says; empty for that.
        """
        return cls(path, error.expected, error.received, fix or error.fix)

    @property
    def text(self) -> str:
        """The three parts in one line."""
        return f"Expected {self.expected}. Received: {self.received}. Fix: {self.fix}."


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """predictions/predictions.json: what `main.py --predict` said last.

    Args:
        date: When, ISO 8601 in UTC.
        model: The file of the run that was used, `model.onnx` or the one of 8 bits.
        model_sha256: Of that file, 64 hex digits.
        preparation: How the images became arrays.
        is_preparation_known: Whether these are the settings of the images that the network learned
            from; false where the run does not know them, as of arrays and of the embedded sample.
        images: In the order in which they were named; those of a folder by name.
        failed: Paths that nothing could be said of.
    """

    FILE: ClassVar[str] = "predictions/predictions.json"
    SCHEMA_VERSION: ClassVar[int] = 1

    date: str
    model: str
    model_sha256: str
    preparation: Preparation
    is_preparation_known: bool
    images: tuple[PredictedImage, ...]
    failed: tuple[FailedImage, ...]
