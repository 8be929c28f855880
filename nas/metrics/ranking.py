"""Signal against background: AUC, and the signal that passes where little background may.

All functions work along the last axis, so that a bootstrap draws many samples at once.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np


def auc(signal: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Share of all pairs of a signal and a background image that are in order; a tie is half.

    Args:
        signal: (..., n) scores of signal images, higher for more signal.
        background: (..., m) likewise of background images.

    Returns:
        (...) area under the receiver operating characteristic, 0 to 1.

    Source: Mann and Whitney 1947, On a test of whether one of two random variables is
        stochastically larger than the other; Hanley and McNeil 1982, The meaning and use of the
        area under a receiver operating characteristic (ROC) curve.
    """
    from scipy.stats import rankdata  # takes a moment to load

    own, others = signal.shape[-1], background.shape[-1]
    ranks = rankdata(np.concatenate([signal, background], axis=-1), axis=-1)
    rank_sum = ranks[..., :own].sum(axis=-1)
    return np.asarray((rank_sum - own * (own + 1) / 2) / (own * others))


def allowed(share: Fraction, background_images: int) -> int:
    """Background images that may pass: the most whose share is not above the asked one.

    Args:
        share: Asked for, exactly as it was written, 0 to below 1.
        background_images: How many there are.
    """
    return math.floor(share * background_images)


def threshold(background: np.ndarray, passing: int) -> np.ndarray:
    """The score that an image has to exceed, so that no more than `passing` background ones do.

    A threshold cannot split equal scores: those that stand at the limit all stay behind, and fewer
    than allowed pass.

    Args:
        background: (..., m) scores of background images.
        passing: How many may pass, 0 to m - 1.

    Returns:
        (...) the least threshold that keeps the limit.
    """
    place = background.shape[-1] - 1 - passing
    return np.partition(background, place, axis=-1)[..., place]


def true_positive_rate(signal: np.ndarray, background: np.ndarray, passing: int) -> np.ndarray:
    """Share of signal images that pass where no more than `passing` background images do.

    Args:
        signal: (..., n) scores of signal images.
        background: (..., m) likewise of background images.
        passing: Background images that may pass, 0 to m - 1.

    Returns:
        (...) shares, 0 to 1.
    """
    return np.asarray((signal > threshold(background, passing)[..., None]).mean(axis=-1))
