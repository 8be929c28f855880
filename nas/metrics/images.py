"""What a network's scores say of each image by itself; every metric is made of these numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nas.errors import InputError


@dataclass(frozen=True)
class ScoredImages:
    """Images with what their scores say, one number an image in each array.

    Args:
        labels: (n,) class indices.
        places: (n,) how many other classes score as high as the image's own, or higher: 0 where
            the own class is the best one, and a tie counts against the network.
        losses: (n,) cross-entropy of the softmax probabilities, in nats.
        log_odds: (n,) ln(p / (1 - p)) of the signal class' softmax probability p; None where no
            class is the signal. It orders images as p does, and does not round to 1 as p would:
            images of different scores never become equal.
        signal: Index of the signal class; None for none.
    """

    labels: np.ndarray
    places: np.ndarray
    losses: np.ndarray
    log_odds: np.ndarray | None = None
    signal: int | None = None

    @classmethod
    def of(cls, scores: np.ndarray, labels: np.ndarray, signal: int | None = None) -> ScoredImages:
        """From the scores of a network.

        Args:
            scores: (n, classes) numbers whose softmax are the probabilities; two classes or more.
            labels: (n,) class indices.
            signal: Index of the class that is looked for; None where none is.

        Raises:
            InputError: There are no images, the shapes do not fit, or a score is not finite.
        """
        from scipy.special import logsumexp  # takes a moment to load

        scores, labels = np.asarray(scores, np.float64), np.asarray(labels)
        _check(scores, labels)
        own = scores[np.arange(len(labels)), labels]
        places = (scores >= own[:, None]).sum(axis=1) - 1
        losses = logsumexp(scores, axis=1) - own
        if signal is None:
            return cls(labels, places, losses)
        others = logsumexp(np.delete(scores, signal, axis=1), axis=1)
        return cls(labels, places, losses, scores[:, signal] - others, signal)

    @property
    def is_signal(self) -> np.ndarray:
        """(n,) whether each image is of the signal class; of none where there is no such class."""
        return np.asarray(self.labels == (-1 if self.signal is None else self.signal))

    def by_class(self, values: np.ndarray) -> tuple[np.ndarray, ...]:
        """Numbers of the images of each class that has any.

        Args:
            values: (n,) one for each image.
        """
        return tuple(values[self.labels == label] for label in np.unique(self.labels))


def _check(scores: np.ndarray, labels: np.ndarray) -> None:
    fits = scores.ndim == 2 and labels.shape == scores.shape[:1] and scores.shape[-1] >= 2
    if not fits or not len(labels):
        raise InputError(
            "scores of one image or more for two classes or more, and a label for each image",
            f"scores of shape {scores.shape} and labels of shape {labels.shape}",
            "hand over scores as (images, classes) and labels as (images,)",
        )
    if labels.min() < 0 or labels.max() >= scores.shape[1]:
        raise InputError(
            f"labels from 0 to {scores.shape[1] - 1}, the classes that have scores",
            f"labels from {labels.min()} to {labels.max()}",
            "hand over the class index of each image",
        )
    broken = int((~np.isfinite(scores)).any(axis=1).sum())
    if broken:
        raise InputError(
            "finite scores for every image",
            f"{broken:,} of {len(labels):,} images with a score that is NaN or infinite",
            "train with a lower learning rate",
        )
