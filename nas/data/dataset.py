"""What a data set is, and how its images are divided."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from nas.data.preparation import Preparation
from nas.errors import InputError


class DataError(InputError):
    """Images that are missing, broken, or not in a layout that is known."""


@dataclass(frozen=True)
class Split:
    """Images with labels.

    Args:
        images: (n, height, width, 3) uint8, possibly a read-only memory map.
        labels: (n,) int32 class indices.
    """

    images: np.ndarray
    labels: np.ndarray

    def part(self, indices: np.ndarray) -> Split:
        """Some of the images, copied.

        Args:
            indices: Of these images.
        """
        return Split(self.images[indices], self.labels[indices])


@dataclass(frozen=True)
class Dataset:
    """A training and an evaluation split of the same classes.

    Args:
        name: For people.
        train: Images to learn from.
        evaluation: Images to report on.
        class_names: Position is the class index.
        image_size: Height and width in pixels.
        fingerprint: 16 hex digits over labels and pixels of every image.
        is_sample: Whether it is an embedded sample.
        notes: What a user should know, such as skipped images.
        preparation: How later images become arrays like these; None where nobody knows.
    """

    name: str
    train: Split
    evaluation: Split
    class_names: tuple[str, ...]
    image_size: int
    fingerprint: str
    is_sample: bool
    notes: tuple[str, ...] = ()
    preparation: Preparation | None = None

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def has_fingerprint(self, fingerprint: str) -> bool:
        """Whether a fingerprint is of these images; it may be an earlier version's.

        Args:
            fingerprint: As the run's data.json has it.
        """
        if fingerprint == self.fingerprint:
            return True
        return fingerprint == selection_fingerprint(self.train, self.evaluation)


def check_labels(
    name: str, class_names: tuple[str, ...], train: np.ndarray, evaluation: np.ndarray
) -> None:
    """Refuses labels that cannot be learned from; cheap, so that it can come before decoding.

    Args:
        name: Of the data set.
        class_names: Position is the class index.
        train: (n,) class indices.
        evaluation: (m,) class indices.

    Raises:
        DataError: One class only, an empty split, an index without a class, or a class without
            training images.
    """
    classes = len(class_names)
    if classes < 2:
        raise DataError(
            "images of two classes or more",
            f"{classes} class in {name}",
            "add images of another class",
        )
    for part, labels in (("training", train), ("evaluation", evaluation)):
        if len(labels) == 0:
            raise DataError(
                f"{part} images",
                f"none that can be used in {name}",
                "add some, or repair those that were skipped",
            )
        if labels.min() < 0 or labels.max() >= classes:
            wrong = labels.min() if labels.min() < 0 else labels.max()
            raise DataError(
                f"labels from 0 to {classes - 1} in the {part} images",
                f"{wrong} in {name}",
                "make the file again, or unpack it again",
            )
    missing = set(range(classes)) - set(np.unique(train).tolist())
    if missing:
        names = ", ".join(class_names[i] for i in sorted(missing)[:5])
        raise DataError(
            "training images of every class",
            f"none of {names} in {name}",
            "add some, or remove the class",
        )


def evaluation_notes(class_names: tuple[str, ...], labels: np.ndarray) -> tuple[str, ...]:
    """A sentence on the classes that no evaluation image is of, or none.

    Args:
        class_names: Position is the class index.
        labels: (n,) class indices of the evaluation images.
    """
    absent = sorted(set(range(len(class_names))) - set(np.unique(labels).tolist()))
    if not absent:
        return ()
    names = ", ".join(class_names[i] for i in absent[:5])
    more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
    return (f"No evaluation images of {names}{more}: no figure says anything of these classes.",)


def selection_fingerprint(*splits: Split) -> str:
    """The fingerprint of earlier versions, over pixels of an even selection of at most 1000 images.

    Args:
        splits: In order.
    """
    digest = hashlib.sha256()
    for split in splits:
        digest.update(str(split.images.shape).encode())
        digest.update(np.ascontiguousarray(split.labels, np.int32).tobytes())
        step = max(1, len(split.labels) // 500)
        digest.update(np.ascontiguousarray(split.images[::step]).tobytes())
    return digest.hexdigest()[:16]


def split_holdout(
    n: int, labels: np.ndarray, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Divides images into a large and a held-out part with equal shares of every class.

    Args:
        n: Number of images.
        labels: (n,) class indices.
        fraction: Share that is held out, above 0 and below 1.
        seed: Of the division.

    Returns:
        Indices of the large and of the held-out part, each ascending.

    Raises:
        DataError: A class has too few images for both parts.
    """
    if not 0 < fraction < 1:
        raise DataError("a share above 0 and below 1", f"{fraction}", "use 0.1 or 0.2")
    rng = np.random.default_rng((seed, 2))
    held: list[np.ndarray] = []
    for label in np.unique(labels[:n]):
        members = rng.permutation(np.flatnonzero(labels[:n] == label))
        count = max(1, round(fraction * len(members)))
        if len(members) < 2:
            raise DataError(
                "two images or more of every class",
                f"{len(members)} of class {label}",
                "add images of that class",
            )
        if count >= len(members):
            raise DataError(
                "a held-out share that leaves an image of every class to learn from",
                f"{fraction:g} of {len(members)} images of class {label}, which is all of them",
                f"hold out less than {1 - 1 / len(members):.2g}, or add images of that class",
            )
        held.append(members[:count])
    part = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(n), part), part
