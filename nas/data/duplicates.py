"""Hashes of single images: the fingerprint of a data set, and images that are there twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nas.data.dataset import Split

DIGEST_BYTES = 16
SHOWN = 3


@dataclass(frozen=True)
class Hashed:
    """A split with the hashes of its images.

    Args:
        split: Images with labels.
        digests: (n, 16) uint8.
        names: Row -> what the image is called, for people.
    """

    split: Split
    digests: np.ndarray
    names: Callable[[int], str]

    @property
    def keys(self) -> np.ndarray:
        """(n,) uint64: half of each hash, which is enough to tell a data set's images apart."""
        return np.ascontiguousarray(self.digests[:, :8]).view(np.uint64).ravel()


def image_digest(image: np.ndarray) -> np.ndarray:
    """Hash of one image's pixels, (16,) uint8.

    Args:
        image: (height, width, 3) uint8.
    """
    digest = hashlib.sha256(image.tobytes()).digest()
    return np.frombuffer(digest[:DIGEST_BYTES], np.uint8)


def image_digests(images: np.ndarray) -> np.ndarray:
    """Hashes of all images, (n, 16) uint8.

    Args:
        images: (n, height, width, 3) uint8.
    """
    found = np.empty((len(images), DIGEST_BYTES), np.uint8)
    for row, image in enumerate(images):
        found[row] = image_digest(image)
    return found


def fingerprint(splits: Sequence[Hashed]) -> str:
    """16 hex digits over labels and pixels of every image of every split.

    Args:
        splits: In order.
    """
    digest = hashlib.sha256()
    for hashed in splits:
        digest.update(str(hashed.split.images.shape).encode())
        digest.update(hashed.split.labels.astype(np.int32).tobytes())
        digest.update(hashed.digests.tobytes())
    return digest.hexdigest()[:16]


def duplicate_notes(
    train: Hashed, evaluation: Hashed, class_names: Sequence[str]
) -> tuple[str, ...]:
    """What a user should know of images that are there twice, pixel for pixel.

    Args:
        train: Images to learn from.
        evaluation: Images to report on.
        class_names: Position is the class index.
    """
    notes = (_copies(train, evaluation), _contradictions(train, class_names))
    return tuple(note for note in notes if note)


def _copies(train: Hashed, evaluation: Hashed) -> str:
    """Evaluation images that a network has learned by heart."""
    keys, first = np.unique(train.keys, return_index=True)
    where = np.searchsorted(keys, evaluation.keys).clip(max=len(keys) - 1)
    rows = np.flatnonzero(keys[where] == evaluation.keys)
    if not len(rows):
        return ""
    same = [first[where[row]] for row in rows]
    relabelled = int((train.split.labels[same] != evaluation.split.labels[rows]).sum())
    pairs = [
        f"{evaluation.names(int(row))} is {train.names(int(other))}"
        for row, other in zip(rows[:SHOWN], same, strict=False)
    ]
    other_class = f", {relabelled} of them of another class" if relabelled else ""
    return (
        f"Warning: exact duplicates of training images among the evaluation images: {len(rows)} of "
        f"{len(evaluation.keys)}{other_class} ({_some(pairs, len(rows))}). Accuracy on them says "
        "nothing about new images."
    )


def _contradictions(train: Hashed, class_names: Sequence[str]) -> str:
    """Training images that are several classes at once."""
    _, group = np.unique(train.keys, return_inverse=True)
    labels = train.split.labels
    low = np.full(group.max() + 1, np.iinfo(np.int32).max)
    high = np.full(group.max() + 1, -1)
    np.minimum.at(low, group, labels)
    np.maximum.at(high, group, labels)
    rows = np.flatnonzero((low != high)[group])
    if not len(rows):
        return ""
    by_group: dict[int, list[int]] = {}
    for row in rows.tolist():
        by_group.setdefault(int(group[row]), []).append(row)
    texts = []
    for members in list(by_group.values())[:SHOWN]:
        other = next(row for row in members if labels[row] != labels[members[0]])
        pair = (members[0], other)
        texts.append(" is ".join(f"{train.names(r)} ({class_names[labels[r]]})" for r in pair))
    return (
        f"Warning: exact duplicates in different classes among the training images: "
        f"{len(rows)} ({_some(texts, len(by_group))}). One of the classes is wrong."
    )


def _some(texts: Sequence[str], count: int) -> str:
    more = count - len(texts)
    return ", ".join(texts) + (f" and {more} more" if more else "")
