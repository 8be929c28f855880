"""Squeeze-and-excite, by default with a hard sigmoid."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nas.layers.fast import Tensor


@keras.saving.register_keras_serializable("stopwatch_nas")
class SqueezeExcite(keras.layers.Layer):
    """Scales each channel by gate(W2 activation(W1 mean(x) + b1) + b2).

    Args:
        squeeze_channels: Width of the bottleneck.
        activation: Name of the function in `keras.activations`.
        gate: Likewise, from 0 to 1.

    Source: Hu et al. 2018, arXiv 1709.01507; hard sigmoid as in MobileNetV3, arXiv 1905.02244.
    """

    def __init__(
        self,
        squeeze_channels: int,
        activation: str = "relu",
        gate: str = "hard_sigmoid",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.squeeze_channels = squeeze_channels
        self.activation, self.gate = activation, gate

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes both dense layers for the channels of the input."""
        channels = input_shape[-1]
        squeeze = self.squeeze_channels
        self.reduce_kernel = self.add_weight(
            name="reduce_kernel", shape=(channels, squeeze), initializer="he_normal"
        )
        self.reduce_bias = self.add_weight(
            name="reduce_bias", shape=(squeeze,), initializer="zeros"
        )
        self.expand_kernel = self.add_weight(
            name="expand_kernel", shape=(squeeze, channels), initializer="glorot_normal"
        )
        self.expand_bias = self.add_weight(
            name="expand_bias", shape=(channels,), initializer="zeros"
        )

    def call(
        self,
        x: Tensor,
        channel_mask: Tensor | None = None,
        channels: Tensor | int | None = None,
    ) -> Tensor:
        """Scales x of shape (batch, height, width, channels).

        Args:
            x: Input.
            channel_mask: (channels,); masked channels are hidden from the squeeze.
            channels: How many of the layer's first channels x has; None for all of them.
        """
        reduce, expand, bias = self.reduce_kernel, self.expand_kernel, self.expand_bias
        if channels is not None:
            reduce, expand, bias = reduce[:channels], expand[:, :channels], bias[:channels]
        squeezed = ops.mean(x, axis=(1, 2))
        if channel_mask is not None:
            squeezed = squeezed * channel_mask
        activation = keras.activations.get(self.activation)
        hidden = activation(ops.matmul(squeezed, reduce) + self.reduce_bias)
        gate = keras.activations.get(self.gate)(ops.matmul(hidden, expand) + bias)
        return x * gate[:, None, None, :]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        own = {
            "squeeze_channels": self.squeeze_channels,
            "activation": self.activation,
            "gate": self.gate,
        }
        return {**super().get_config(), **own}
