"""A teacher that was read: what it is, and the scores that it gives to a batch of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nas.errors import FieldError, InputError
from nas.training.teachers.scaling import SCALINGS

# Probabilities of a softmax add up to 1 but for the rounding of float16.
SUM_TOLERANCE = 1e-2
# The logarithm of 0 is no score; a softmax in float32 gives nothing between this and 0.
LEAST_PROBABILITY = 1e-38
# Images of a trial: several tell whether the images of one batch are kept apart.
TRIAL_IMAGES = 3
HOW_TO_NAME = "name it by --teacher_input pixels, unit, symmetric or imagenet"


@dataclass(frozen=True)
class TeacherInput:
    """What a teacher is fed.

    Args:
        height: In pixels.
        width: In pixels.
        channels_last: Whether the colours stand last, else before height and width.
        is_uint8: Whether it takes whole numbers, else float32.
        scaling: Name in `SCALINGS`.
        told_by: Where the scaling is known from, for people.
    """

    height: int
    width: int
    channels_last: bool
    is_uint8: bool
    scaling: str
    told_by: str

    def of(self, images: np.ndarray) -> np.ndarray:
        """What is fed for some images.

        Args:
            images: (batch, height, width, 3) float32 pixels from 0 to 255.
        """
        size = (self.height, self.width)
        if size != images.shape[1:3]:
            images = _resized(images, size)
        if self.is_uint8:
            fed = np.rint(np.clip(images, 0, 255)).astype(np.uint8)
        else:
            fed = SCALINGS[self.scaling](np.asarray(images, np.float32))
        return np.ascontiguousarray(fed if self.channels_last else fed.transpose(0, 3, 1, 2))

    @property
    def text(self) -> str:
        """Size and scaling in words."""
        return f"{self.width} × {self.height} px, {self.scaling} ({self.told_by})"


def _resized(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Images of another size, bilinear, as a network trained on that size would see them."""
    import keras

    found = keras.ops.image.resize(images, size, interpolation="bilinear", antialias=True)
    return np.asarray(keras.ops.convert_to_numpy(found), np.float32)


@dataclass(frozen=True)
class Teacher:
    """A trained network whose scores a training learns from.

    Args:
        path: Of its file.
        input: What it is fed.
        run: What is fed -> (batch, classes) outputs.
        classes: How many it scores.
        class_names: Position is the class index; None where the file does not say it.
        ends_in_softmax: Whether its outputs are probabilities, as its graph says.
        runs_beside: Whether it may run in a thread of its own while a step trains.
    """

    path: Path
    input: TeacherInput
    run: Callable[[np.ndarray], Any]
    classes: int
    class_names: tuple[str, ...] | None
    ends_in_softmax: bool
    runs_beside: bool

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Scores before a softmax, (batch, classes) float32.

        Args:
            images: (batch, height, width, 3) float32 pixels from 0 to 255.

        Raises:
            InputError: A score is NaN or infinite.
        """
        outputs = np.asarray(self.run(self.input.of(images)), np.float32)
        if not np.isfinite(outputs).all():
            raise FieldError(
                "finite scores of the teacher",
                f"NaN or infinity from {self.path}",
                f"check its input, and {HOW_TO_NAME}",
                "teacher",
            )
        if self.ends_in_softmax or are_probabilities(outputs):
            # A softmax forgets what is added to all scores, so that logarithms are as good.
            return np.log(np.maximum(outputs, np.float32(LEAST_PROBABILITY)))
        return outputs


def are_probabilities(outputs: np.ndarray) -> bool:
    """Whether every row of a batch is a distribution over the classes.

    Args:
        outputs: (batch, classes), of one image or more.
    """
    sums = outputs.sum(axis=1, dtype=np.float64)
    return bool((outputs >= 0).all() and (abs(sums - 1) < SUM_TOLERANCE).all())


def classes_of(path: Path, outputs: np.ndarray, images: int) -> int:
    """The number of classes of a trial; refuses outputs that are no scores, one row an image.

    Args:
        path: Of the teacher's file.
        outputs: Of a trial.
        images: In the trial.

    Raises:
        InputError: They have another shape.
    """
    if outputs.ndim != 2 or outputs.shape[0] != images or outputs.shape[1] < 2:
        raise InputError(
            "a teacher that is a classifier, with an output of shape (images, classes)",
            f"an output of shape {outputs.shape} for {images} images from {path}",
            "name a network that ends in one score for each class",
        )
    return int(outputs.shape[1])


def image_shape(path: Path, shape: tuple[int | None, ...]) -> tuple[int | None, int | None, bool]:
    """Height, width and whether colours stand last, of an input of images.

    Args:
        path: Of the teacher's file.
        shape: Of its input, batch included; None for what is not fixed.

    Raises:
        InputError: It is no input of colour images.
    """
    if len(shape) == 4 and shape[3] == 3 and shape[1] != 3:
        return shape[1], shape[2], True
    if len(shape) == 4 and shape[1] == 3 and shape[3] != 3:
        return shape[2], shape[3], False
    shown = ", ".join("?" if size is None else f"{size}" for size in shape)
    raise InputError(
        "a teacher whose input is colour images: (batch, height, width, 3) or "
        "(batch, 3, height, width)",
        f"({shown}) in {path}",
        "export it with such an input; the number of colours has to be fixed",
    )


def settled_scaling(
    path: Path, told: tuple[str, str] | None, asked: str | None, is_uint8: bool
) -> tuple[str, str]:
    """The scaling of a teacher's input, and where it is known from.

    Args:
        path: Of the teacher's file.
        told: By the file: name of a scaling and where it says so; None where it says nothing.
        asked: By `--teacher_input`; None where nobody asked.
        is_uint8: Whether its input is whole numbers from 0 to 255.

    Raises:
        InputError: Nobody says it, or both say something else.
    """
    if told is None and is_uint8:
        told = ("pixels", "its input is uint8")
    if told is None and asked is None:
        raise InputError(
            "a teacher of which it is known how pixels are scaled for it",
            f"{path}, a file that does not say it",
            HOW_TO_NAME,
        )
    if told is not None and asked not in (None, told[0]):
        raise InputError(
            f"--teacher_input {told[0]}: {told[1]}",
            f"{asked} for {path}",
            "leave --teacher_input out",
        )
    return told or (str(asked), "--teacher_input")


def many_labels(path: Path) -> InputError:
    """The error for a network by which an image may be of several classes.

    Args:
        path: Of the teacher's file.
    """
    return InputError(
        "a teacher that is a classifier, by which an image has one class",
        f"a sigmoid at the end of {path}, by which it may have several or none",
        "name a network that ends in a softmax or in plain scores",
    )
