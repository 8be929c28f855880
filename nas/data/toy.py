"""The images that are left of a data set at toy size."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from nas.data.dataset import Dataset
from nas.data.look import Looks

TRAIN_IMAGES = 480
EVALUATION_IMAGES = 120
# Some of the training images are held out, whatever the number of classes.
LEAST_OF_A_CLASS = 4


def kept_indices(
    train_labels: np.ndarray, evaluation_labels: np.ndarray, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Which images of both splits are left: the first ones of each class, all of small splits.

    Args:
        train_labels: (n,) class indices.
        evaluation_labels: (m,) class indices.
        num_classes: Number of classes.
    """
    return (
        _first(train_labels, num_classes, TRAIN_IMAGES, LEAST_OF_A_CLASS),
        _first(evaluation_labels, num_classes, EVALUATION_IMAGES, 1),
    )


def _first(labels: np.ndarray, num_classes: int, count: int, least: int) -> np.ndarray:
    if len(labels) <= count:
        return np.arange(len(labels))
    each = max(least, count // num_classes)
    order = np.argsort(labels, kind="stable")
    firsts = np.searchsorted(labels[order], np.arange(num_classes))
    of_class = np.arange(len(labels)) - firsts[labels[order]]
    return np.sort(order[of_class < each])


def toy_part(dataset: Dataset) -> Dataset:
    """A data set of toy size, whose name and classes stay.

    Args:
        dataset: Any; one that is small enough, or a sample that was drawn small, is returned as it
            is.
    """
    if dataset.is_sample:
        return dataset
    labels = dataset.train.labels, dataset.evaluation.labels
    train, evaluation = kept_indices(*labels, dataset.num_classes)
    if (len(train), len(evaluation)) == (len(labels[0]), len(labels[1])):
        return dataset
    digest = hashlib.sha256(dataset.fingerprint.encode())
    for indices in (train, evaluation):
        digest.update(indices.astype("<i8").tobytes())
    note = (
        f"Toy size: {len(train)} of {len(labels[0])} training and {len(evaluation)} of "
        f"{len(labels[1])} evaluation images, the first of each class."
    )
    return replace(
        dataset,
        train=dataset.train.part(train),
        evaluation=dataset.evaluation.part(evaluation),
        fingerprint=digest.hexdigest()[:16],
        notes=(*dataset.notes, note),
    )


def toy_looks(looks: Looks) -> Looks:
    """What `toy_part` will leave of images that were only looked at.

    Args:
        looks: Of all images.
    """
    if looks.is_sample:
        return looks
    labels = looks.train_labels, looks.evaluation_labels
    train, evaluation = kept_indices(*labels, looks.num_classes)
    return replace(looks, train_labels=labels[0][train], evaluation_labels=labels[1][evaluation])
