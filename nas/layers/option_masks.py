"""Which weights of the largest option belong to each smaller one."""

from __future__ import annotations

import numpy as np


def kernel_masks(kernels: tuple[int, ...]) -> np.ndarray:
    """(kernels, K, K) ones on the centred k x k part of the largest kernel K."""
    largest = max(kernels)
    offsets = np.abs(np.arange(largest) - largest // 2)
    ring = np.maximum(offsets[:, None], offsets[None, :])
    return np.stack([(ring <= k // 2).astype(np.float32) for k in kernels])


def channel_masks(expansions: tuple[int, ...], in_channels: int) -> np.ndarray:
    """(expansions, channels) ones on the first expansion * in_channels channels."""
    index = np.arange(max(expansions) * in_channels)
    return np.stack([(index < e * in_channels).astype(np.float32) for e in expansions])
