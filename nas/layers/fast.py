"""Fast forms of single operations, one function a backend; each equals its `keras.ops` form.

Keras 3 composes batch normalisation on TensorFlow from a dozen elementwise operations; the
fused kernel reads the map three times less often. `tests/test_layers.py` compares the forms.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

Tensor = Any  # a tensor of whichever backend Keras runs on


def batch_norm_training(
    x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalises by the batch's own statistics over all axes but the last.

    Args:
        x: (batch, height, width, channels) or (batch, channels).
        gamma: (channels,) scale.
        beta: (channels,) offset.
        epsilon: Added to the variance.

    Returns:
        Normalised x, the mean (channels,) and the biased variance (channels,).

    Source: Ioffe and Szegedy 2015, arXiv 1502.03167, algorithm 1.
    """
    if keras.backend.backend() == "tensorflow" and len(x.shape) == 4:
        return _tensorflow_batch_norm(x, gamma, beta, epsilon)
    return reference_batch_norm_training(x, gamma, beta, epsilon)


def reference_batch_norm_training(
    x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The same in `keras.ops`, for every backend."""
    axes = tuple(range(len(x.shape) - 1))
    mean, variance = ops.moments(x, axes=axes)
    scale = gamma * ops.rsqrt(variance + epsilon)
    return x * scale + (beta - mean * scale), mean, variance


def _tensorflow_batch_norm(
    x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    import tensorflow as tf

    normalised, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        x, gamma, beta, epsilon=epsilon, is_training=True
    )
    # The kernel reports n / (n - 1) times the variance it normalises with (Bessel).
    height, width = x.shape[1], x.shape[2]
    if None in (height, width):
        count = tf.cast(tf.size(x) // tf.shape(x)[-1], variance.dtype)
    else:
        count = tf.cast(tf.shape(x)[0] * math.prod((height, width)), variance.dtype)
    return normalised, mean, variance * (count - 1.0) / count
