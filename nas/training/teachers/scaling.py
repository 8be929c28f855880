"""Ways in which teachers want their pixels, and how the numbers in a graph tell which one it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# Means and deviations of the colours of ImageNet, of pixels from 0 to 1, as torchvision has them.
MEANS = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATIONS = np.array([0.229, 0.224, 0.225], np.float32)

# Pixels (..., 3) from 0 to 255, float32 -> what the teacher is fed.
SCALINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "pixels": lambda images: images,
    "unit": lambda images: images / np.float32(255),
    "symmetric": lambda images: images / np.float32(127.5) - np.float32(1),
    "imagenet": lambda images: (images / np.float32(255) - MEANS) / DEVIATIONS,
}
# Factors that bring 0 to 255 into a small range are 1/255 or, divided by deviations, up to 1/50.
MOST_OF_PIXELS = 0.05
# Means of pixels from 0 to 255 are about 120, those of pixels from 0 to 1 are below 1.
LEAST_MEAN_OF_PIXELS = 2.0


def told_by_factor(factor: np.ndarray) -> str | None:
    """What a graph takes that multiplies its input first; None where that does not tell.

    Args:
        factor: One number, or one a colour.
    """
    size = np.abs(np.asarray(factor, np.float64))
    if size.size == 0 or not np.isfinite(size).all() or size.min() == 0:
        return None
    if size.max() <= MOST_OF_PIXELS:
        return "pixels"
    # A graph that brings 0 to 1 back to 0 to 255.
    return "unit" if size.min() >= 1 / MOST_OF_PIXELS else None


def told_by_mean(mean: np.ndarray) -> str | None:
    """What a graph takes that subtracts from its input first; None where that does not tell.

    Args:
        mean: One number, or one a colour.
    """
    size = np.asarray(mean, np.float64)
    if size.size == 0 or not np.isfinite(size).all() or size.min() <= 0:
        return None
    if size.min() >= LEAST_MEAN_OF_PIXELS:
        return "pixels" if size.max() <= 255 else None
    return "unit" if size.max() < 1 else None
