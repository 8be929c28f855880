"""An inverted residual that holds all its options in one set of weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from nas.layers.batch_norm import BatchNorm
from nas.layers.fast import Tensor
from nas.layers.squeeze_excite import SqueezeExcite


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


@keras.saving.register_keras_serializable("stopwatch_nas")
class SuperBlock(keras.layers.Layer):
    """Expand, depthwise, squeeze-excite and project, with kernel, width and existence gated.

    Smaller options are the centre of the depthwise kernel and the first channels. A hidden
    channel contributes exactly zero: its row of the project kernel is multiplied by 0, which
    equals a mask after normalisation and activation but costs nothing per pixel.

    Args:
        kernels: Kernel sizes, ascending.
        expansions: Expansions, ascending.
        channels: Output channels.
        stride: Of the depthwise convolution.
        activation: A Keras activation name.
        squeeze_channels: Width of squeeze-excite, 0 for none.
        residual: Whether the input is added.
        momentum: Of the normalisations' statistics.
        epsilon: Of the normalisations.
    """

    def __init__(
        self,
        kernels: tuple[int, ...],
        expansions: tuple[int, ...],
        channels: int,
        stride: int,
        activation: str,
        squeeze_channels: int,
        residual: bool,
        momentum: float = 0.9,
        epsilon: float = 1e-3,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.config: dict[str, Any] = {
            "kernels": tuple(kernels),
            "expansions": tuple(expansions),
            "channels": channels,
            "stride": stride,
            "activation": activation,
            "squeeze_channels": squeeze_channels,
            "residual": residual,
            "momentum": momentum,
            "epsilon": epsilon,
        }
        self.activation = keras.activations.get(activation)
        self.residual = residual
        self.stride = stride
        norm = {"momentum": momentum, "epsilon": epsilon}
        self.expand_bn = BatchNorm(name="expand_bn", **norm) if max(expansions) > 1 else None
        self.depthwise_bn = BatchNorm(name="depthwise_bn", **norm)
        self.project_bn = BatchNorm(name="project_bn", **norm)
        self.se = SqueezeExcite(squeeze_channels, name="se") if squeeze_channels else None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        inputs = input_shape[-1]
        if inputs is None:
            raise ValueError(
                "Expected a fixed number of input channels. Received: None. Fix: build the "
                "network with a fixed input shape."
            )
        kernels, expansions = self.config["kernels"], self.config["expansions"]
        largest = max(kernels)
        hidden = inputs * max(expansions)
        self.kernel_masks = kernel_masks(kernels)[:, :, :, None, None]
        self.channel_masks = channel_masks(expansions, inputs)
        if self.expand_bn is not None:
            self.expand_kernel = self.add_weight(
                name="expand_kernel", shape=(1, 1, inputs, hidden), initializer="he_normal"
            )
            self.expand_bn.build((None, None, None, hidden))
        # The centre must start at the scale that a 3x3 kernel of its own would have.
        deviation = (2.0 / min(kernels) ** 2) ** 0.5
        self.depthwise_kernel = self.add_weight(
            name="depthwise_kernel",
            shape=(largest, largest, hidden, 1),
            initializer=keras.initializers.TruncatedNormal(stddev=deviation),
        )
        self.project_kernel = self.add_weight(
            name="project_kernel",
            shape=(1, 1, hidden, self.config["channels"]),
            initializer="he_normal",
        )
        self.depthwise_bn.build((None, None, None, hidden))
        if self.se is not None:
            self.se.build((None, None, None, hidden))
        self.project_bn.build((None, None, None, self.config["channels"]))

    def call(
        self,
        x: Tensor,
        kernel_gate: Tensor,
        expansion_gate: Tensor,
        keep_gate: Tensor | None,
        training: bool = False,
        update_statistics: bool = True,
    ) -> Tensor:
        """Runs the block on x of shape (batch, height, width, channels).

        Args:
            x: Input.
            kernel_gate: (kernels,), one-hot for a network that exists.
            expansion_gate: (expansions,), likewise.
            keep_gate: Scalar, 1 to compute the block and 0 to leave it out; None if it
                cannot be left out.
            training: As in Keras.
            update_statistics: Whether running statistics move in training mode.
        """
        norm = {"training": training, "update_statistics": update_statistics}
        dtype = self.compute_dtype
        mask = ops.sum(expansion_gate[:, None] * self.channel_masks, axis=0)
        kernel_mask = ops.sum(
            ops.reshape(kernel_gate, (-1, 1, 1, 1, 1)) * self.kernel_masks, axis=0
        )
        y = x
        if self.expand_bn is not None:
            y = ops.conv(y, self.expand_kernel, 1, "same")
            y = self.activation(self.expand_bn(y, **norm))
        kernel = self.depthwise_kernel * ops.cast(kernel_mask, dtype)
        y = ops.depthwise_conv(y, kernel, self.stride, "same")
        y = self.activation(self.depthwise_bn(y, **norm))
        if self.se is not None:
            y = self.se(y, ops.cast(mask, dtype))
        project = self.project_kernel * ops.cast(mask[:, None], dtype)
        y = self.project_bn(ops.conv(y, project, 1, "same"), **norm)
        if not self.residual:
            return y
        return x + (y if keep_gate is None else y * ops.cast(keep_gate, dtype))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, _ = input_shape
        sizes = [None if n is None else -(-n // self.stride) for n in (height, width)]
        return (batch, *sizes, self.config["channels"])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.config}
