"""Fast forms of single operations, one function a backend; each equals its `keras.ops` form.

Keras 3 composes batch normalisation on TensorFlow from a dozen elementwise operations; the
fused kernel reads the map three times less often. `tests/layers/test_layers.py` compares the forms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any  # a tensor of whichever backend Keras runs on
# JAX has 64 bits only where a whole program asks for them. What is in double precision elsewhere is
# in single precision there, and its sums above 2^24 are rounded as those of any float network.
DOUBLE = "float32" if keras.backend.backend() == "jax" else "float64"


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
    # Sums over a whole batch lose their digits in half precision, and so does the difference of
    # a large value and a large mean.
    exact = ops.cast(x, gamma.dtype)
    mean, variance = ops.moments(exact, axes=axes)
    scale = gamma * ops.rsqrt(variance + epsilon)
    return ops.cast(exact * scale + (beta - mean * scale), x.dtype), mean, variance


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


def pointwise_conv(x: Tensor, kernel: Tensor) -> Tensor:
    """A 1x1 convolution with stride 1.

    As one matrix product on TensorFlow: its gradients of a convolution on CPU do not notice that
    the kernel is one pixel, and take up to twice the time of the products they are. On JAX as well:
    XLA tries out cuDNN's kernels for each convolution, which takes long for networks of many.

    Args:
        x: (batch, height, width, in channels).
        kernel: (1, 1, in channels, out channels).
    """
    if keras.backend.backend() == "jax":
        return ops.matmul(x, ops.convert_to_tensor(kernel)[0, 0])
    if keras.backend.backend() != "tensorflow":
        return ops.conv(x, kernel, 1, "same")
    import tensorflow as tf

    kernel = ops.convert_to_tensor(kernel)
    shape = tf.shape(x)
    pixels = tf.reshape(x, (-1, shape[3]))
    y = tf.matmul(pixels, kernel[0, 0])
    y = tf.reshape(y, tf.concat([shape[:3], tf.shape(kernel)[3:]], axis=0))
    y.set_shape([*x.shape[:3], kernel.shape[3]])
    return y


def mean_in_double(x: Tensor, axes: Sequence[int], keepdims: bool = False) -> Tensor:
    """A mean of float32 numbers that does not depend on the order of their sum.

    Its rounding to float32 is that of the exact mean, but for one in 2^28 numbers or so. Keras
    itself means in single precision on PyTorch, whatever type it is given.

    Args:
        x: Float32.
        axes: That are reduced.
        keepdims: Whether they stay, with length 1.
    """
    if keras.backend.backend() == "torch":
        return x.double().mean(tuple(axes), keepdims).float()
    return ops.cast(ops.mean(ops.cast(x, DOUBLE), axes, keepdims=keepdims), "float32")


def kept_divisor(value: float) -> Tensor:
    """A constant that no compiler looks into, so that x / constant stays a division.

    TensorFlow and XLA would multiply by 1 / constant instead, whose results differ in the last bit:
    a number in the middle between two codes would then get another code than in NumPy.

    Args:
        value: Above 0.
    """
    constant = ops.convert_to_tensor(value, "float32")
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.raw_ops.PlaceholderWithDefault(input=constant, shape=())
    if keras.backend.backend() == "jax":
        import jax

        return jax.lax.optimization_barrier(constant)
    return constant


def pass_within(gradient: Tensor, x: Tensor, low: float, high: float) -> Tensor:
    """A gradient where low <= x <= high, and 0 elsewhere.

    TensorFlow has this as one kernel, the gradient of its own fake quantisation, which reads the
    maps once; comparing and choosing take four times as long. It knows symmetric ranges, ranges
    from 0, and those of fixed point with up to 16 bits.

    Args:
        gradient: Of the output.
        x: The input, of the same shape, in float32.
        low: At most 0.
        high: Above 0.
    """
    bits = _bits_of_range(low, high)
    if keras.backend.backend() != "tensorflow" or bits is None:
        return reference_pass_within(gradient, x, low, high)
    import tensorflow as tf

    return tf.quantization.fake_quant_with_min_max_args_gradient(
        gradient, x, low, high, num_bits=bits, narrow_range=low == -high
    )


def pass_within_scaled(
    gradient: Tensor,
    x: Tensor,
    low: Tensor | float,
    high: Tensor | float,
    scale: Tensor,
    is_symmetric: bool,
) -> Tensor:
    """A gradient where low * scale <= x <= high * scale, and 0 elsewhere.

    Args:
        gradient: Of the output.
        x: The input, of the same shape, in float32.
        low: -high or 0.
        high: Above 0.
        scale: One number above 0.
        is_symmetric: Whether `low` is -high.
    """
    if keras.backend.backend() != "tensorflow":
        inside = ops.logical_and(x >= low * scale, x <= high * scale)
        return ops.where(inside, gradient, 0.0)
    import tensorflow as tf

    found, _, _ = tf.quantization.fake_quant_with_min_max_vars_gradient(
        gradient, x, low * scale, high * scale, num_bits=8, narrow_range=is_symmetric
    )
    return found


def dot(one: Tensor, other: Tensor) -> Tensor:
    """The sum of products of tensors of one shape; PyTorch has it for one axis alone.

    TensorFlow takes a row times a column for a general product of matrices, and reads large maps
    at a third of the speed that it has for two rows.
    """
    if keras.backend.backend() != "tensorflow":
        return ops.vdot(ops.reshape(one, (-1,)), ops.reshape(other, (-1,)))
    import tensorflow as tf

    rows = (tf.reshape(tensor, (1, -1)) for tensor in (one, other))
    return tf.reshape(tf.matmul(*rows, transpose_b=True), ())


def _bits_of_range(low: float, high: float) -> int | None:
    """Bits with which 0 is one of the equal steps of a range, so that TensorFlow keeps its ends."""
    if low in (0.0, -high):
        return 8
    return next((bits for bits in range(2, 17) if high == -low * (1.0 - 2.0 ** (1 - bits))), None)


def reference_pass_within(gradient: Tensor, x: Tensor, low: float, high: float) -> Tensor:
    """The same in `keras.ops`, for every backend and range."""
    return ops.where(ops.logical_and(x >= low, x <= high), gradient, 0.0)


def first(x: Tensor, count: Tensor | int | None, axis: int) -> Tensor:
    """The first entries of x along an axis; x itself if `count` is None.

    Equals x[:count], whose gradient TensorFlow assigns on one thread: 3 % of a supernet's step,
    where that of a slice by sizes pads in a tenth of the time.

    Args:
        x: Any tensor or variable.
        count: How many entries.
        axis: From 0.
    """
    if count is None:
        return x
    x = ops.convert_to_tensor(x)
    shape = list(ops.shape(x))
    shape[axis] = count
    return ops.slice(x, [0] * len(shape), shape)
