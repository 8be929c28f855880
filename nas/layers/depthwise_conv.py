"""Depthwise convolutions, on JAX as the sums of shifted products that they are.

XLA hands a depthwise convolution to cuDNN as one with as many groups as channels. The kernels for
these are slow on a GPU unless XLA tries out dozens of them for each layer, which takes minutes. On
a processor it has none that are made for them. Products of shifted maps are elementwise operations,
which it fuses to one kernel: docs/log.md, "Depthwise convolutions by shifted products".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import keras
from keras import ops

from nas.layers.fast import Tensor

# Pixels of zeros before and behind, of rows and of columns; they may be negative, and then cut.
Margins = Sequence[tuple[int, int]]


def depthwise_conv(x: Tensor, kernel: Tensor, stride: int, padding: str) -> Tensor:
    """A convolution of each channel with a kernel of its own.

    Args:
        x: (batch, height, width, channels).
        kernel: (size, size, channels, 1).
        stride: In pixels, 1 or more.
        padding: "same" or "valid".
    """
    if keras.backend.backend() != "jax":
        return ops.depthwise_conv(x, kernel, stride, padding)
    return _on_jax()(x, ops.convert_to_tensor(kernel)[..., 0], stride, padding)


def margins(x: Tensor, size: int, stride: int, padding: str) -> Margins:
    """The zeros around a map before a convolution.

    Args:
        x: (batch, height, width, channels).
        size: Of the kernel in pixels.
        stride: In pixels.
        padding: "same" or "valid".
    """
    if padding == "valid":
        return (0, 0), (0, 0)
    found = []
    for length in x.shape[1:3]:
        outputs = -(-length // stride)
        missing = max((outputs - 1) * stride + size - length, 0)
        found.append((missing // 2, missing - missing // 2))
    return found


def shifted_products(x: Tensor, kernel: Tensor, stride: int, around: Margins) -> Tensor:
    """The convolution as a sum over the pixels of the kernel.

    Args:
        x: (batch, height, width, channels).
        kernel: (size, size, channels).
        stride: In pixels.
        around: Of `margins`.
    """
    # Sums of products of half precision are in float32, as those of matrices are.
    total: Tensor = 0.0
    for row, column, seen in _windows(x, len(kernel), stride, around):
        total = total + seen * ops.cast(kernel[row, column], "float32")
    return ops.cast(total, x.dtype)


def gradients(
    x: Tensor, kernel: Tensor, dy: Tensor, stride: int, around: Margins
) -> tuple[Tensor, Tensor]:
    """The gradients of a sum of y * dy, where y are the shifted products.

    JAX would derive one that adds up as many padded maps as the kernel has pixels.

    Args:
        x: (batch, height, width, channels).
        kernel: (size, size, channels).
        dy: Of the shape of y.
        stride: In pixels.
        around: Of `margins`.

    Returns:
        Those of x and of the kernel, in their shapes and types.
    """
    size = len(kernel)
    # Each pixel of x sees the outputs that it has a part in, with `stride` - 1 zeros between them.
    spread = _with_zeros_between(dy, stride)
    mirrored = []
    for axis, (before, _) in enumerate(around, 1):
        first = size - 1 - before
        mirrored.append((first, x.shape[axis] + size - 1 - spread.shape[axis] - first))
    dx = shifted_products(spread, ops.flip(kernel, (0, 1)), 1, mirrored)
    exact = ops.cast(dy, "float32")
    sums = [ops.sum(seen * exact, (0, 1, 2)) for _, _, seen in _windows(x, size, stride, around)]
    return dx, ops.cast(ops.reshape(ops.stack(sums), kernel.shape), kernel.dtype)


def _windows(
    x: Tensor, size: int, stride: int, around: Margins
) -> Iterator[tuple[int, int, Tensor]]:
    """Row and column of each pixel of a kernel, and what it sees of a map, in float32."""
    added = [(max(before, 0), max(behind, 0)) for before, behind in around]
    padded = _computed_once(ops.pad(x, [(0, 0), *added, (0, 0)]))
    firsts = [max(-before, 0) for before, _ in around]
    spans = []
    for length, (before, behind) in zip(x.shape[1:3], around, strict=True):
        spans.append((length + before + behind - size) // stride * stride + 1)
    for row in range(size):
        for column in range(size):
            top, left = firsts[0] + row, firsts[1] + column
            seen = padded[:, top : top + spans[0] : stride, left : left + spans[1] : stride]
            yield row, column, ops.cast(seen, "float32")


def _computed_once(x: Tensor) -> Tensor:
    """A map that XLA does not compute anew wherever it is read: here for each pixel of a kernel."""
    if keras.backend.backend() != "jax":
        return x
    import jax

    return jax.lax.optimization_barrier(x)


def _with_zeros_between(x: Tensor, stride: int) -> Tensor:
    """A map with `stride` - 1 zeros behind each row and each column."""
    if stride == 1:
        return x
    _, height, width, channels = x.shape
    x = ops.reshape(x, (-1, height, 1, width, 1, channels))
    behind = (0, stride - 1)
    x = ops.pad(x, [(0, 0), (0, 0), behind, (0, 0), behind, (0, 0)])
    return ops.reshape(x, (-1, height * stride, width * stride, channels))


@cache
def _on_jax() -> Any:
    """The convolution for JAX: (x, kernel (size, size, channels), stride, padding) -> y."""
    import jax

    def forward(x: Any, kernel: Any, stride: int, padding: str) -> tuple[Any, tuple[Any, Any]]:
        x = _computed_once(x)
        around = margins(x, len(kernel), stride, padding)
        return shifted_products(x, kernel, stride, around), (x, kernel)

    def backward(stride: int, padding: str, kept: tuple[Any, Any], dy: Any) -> tuple[Any, Any]:
        x, kernel = kept
        around = margins(x, len(kernel), stride, padding)
        return gradients(x, kernel, _computed_once(dy), stride, around)

    def convolution(x: Any, kernel: Any, stride: int, padding: str) -> Any:
        return forward(x, kernel, stride, padding)[0]

    made = jax.custom_vjp(convolution, nondiff_argnums=(2, 3))
    made.defvjp(forward, backward)
    return made


@keras.saving.register_keras_serializable("stopwatch_nas")
class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Keras' layer, faster to train on JAX; of one stride, without dilation or a multiplier."""

    def call(self, inputs: Tensor) -> Tensor:
        """The convolution of a map (batch, height, width, channels)."""
        y = depthwise_conv(inputs, self.kernel, self.strides[0], self.padding)
        if self.use_bias:
            y = y + ops.reshape(self.bias, (1, 1, 1, -1))
        return y if self.activation is None else self.activation(y)
