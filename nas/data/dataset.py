"""What a data set is, and how its images are divided."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

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


@dataclass(frozen=True)
class Dataset:
    """A training and an evaluation split of the same classes.

    Args:
        name: For people.
        train: Images to learn from.
        evaluation: Images to report on.
        class_names: Position is the class index.
        image_size: Height and width in pixels.
        fingerprint: 16 hex digits of the content.
        is_sample: Whether it is the embedded sample.
        notes: What a user should know, such as skipped images.
    """

    name: str
    train: Split
    evaluation: Split
    class_names: tuple[str, ...]
    image_size: int
    fingerprint: str
    is_sample: bool
    notes: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)


def checked(dataset: Dataset) -> Dataset:
    """The data set itself, if it can be learned from.

    Raises:
        DataError: One class only, an empty split, or a class without training images.
    """
    if dataset.num_classes < 2:
        raise DataError(
            "images of two classes or more",
            f"{dataset.num_classes} class in {dataset.name}",
            "add images of another class",
        )
    for name, split in (("training", dataset.train), ("evaluation", dataset.evaluation)):
        if len(split.labels) == 0:
            raise DataError(f"{name} images", f"none in {dataset.name}", "add some")
    missing = set(range(dataset.num_classes)) - set(np.unique(dataset.train.labels).tolist())
    if missing:
        names = ", ".join(dataset.class_names[i] for i in sorted(missing)[:5])
        raise DataError(
            "training images of every class", f"none of {names}", "add some, or remove the class"
        )
    return dataset


def content_fingerprint(*splits: Split) -> str:
    """16 hex digits over labels and pixels (of large splits, an even selection of images)."""
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
        if count >= len(members):
            raise DataError(
                "two images or more of every class",
                f"{len(members)} of class {label}",
                "add images of that class",
            )
        held.append(members[:count])
    part = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(n), part), part
