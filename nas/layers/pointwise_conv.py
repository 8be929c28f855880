"""A 1x1 convolution that TensorFlow computes as the matrix product it is."""

from __future__ import annotations

from typing import Any

import keras

from nas.layers.fast import Tensor, pointwise_conv


@keras.saving.register_keras_serializable("stopwatch_nas")
class PointwiseConv2D(keras.layers.Conv2D):
    """`Conv2D` with a 1x1 kernel and stride 1, faster to train.

    Args:
        filters: Output channels.
        **kwargs: As for `Conv2D`, without kernel size and strides.
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        kwargs |= {"kernel_size": 1, "strides": 1}
        super().__init__(filters, **kwargs)

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        """The convolution, without bias and activation."""
        return pointwise_conv(inputs, kernel)
