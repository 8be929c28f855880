"""Batch normalisation with named statistics that can be averaged anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from nas.errors import InputError
from nas.layers.fast import Tensor, batch_norm_training

Statistics = tuple[Tensor, Tensor]  # running mean and variance, (channels,) each


@keras.saving.register_keras_serializable("stopwatch_nas")
class BatchNorm(keras.layers.Layer):
    """Batch normalisation over the last axis.

    In contrast to `keras.layers.BatchNormalization`, the running statistics can be left
    untouched in training mode, and the forward pass uses the backend's fused kernel.

    Args:
        momentum: Share of the old running statistics kept at each step, 0 to 1.
        epsilon: Added to the variance.
    """

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= momentum < 1:
            raise InputError(
                "`momentum` from 0 to below 1",
                f"momentum={momentum}",
                "0.9 is usual; PyTorch's 0.1 is 0.9 here",
            )
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes scale, offset and running statistics of (channels,) each."""
        shape = (input_shape[-1],)
        # All in float32 under mixed precision, as the backends' fused kernels want it.
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones", autocast=False)
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros", autocast=False)
        self.mean = self.add_weight(
            name="mean", shape=shape, initializer="zeros", trainable=False, autocast=False
        )
        self.variance = self.add_weight(
            name="variance", shape=shape, initializer="ones", trainable=False, autocast=False
        )

    def call(self, x: Tensor, training: bool = False, update_statistics: bool = True) -> Tensor:
        """Normalises x of shape (batch, ..., channels).

        Args:
            x: Input.
            training: Use the batch's statistics instead of the running ones.
            update_statistics: In training mode, whether the running statistics move.
        """
        y, statistics = self.normalise(x, training)
        if training and update_statistics:
            self.set_statistics(statistics)
        return y

    def normalise(
        self, x: Tensor, training: bool, channels: Tensor | int | None = None
    ) -> tuple[Tensor, Statistics]:
        """The layer without its side effect, for the first channels or for all.

        Args:
            x: (batch, ..., channels).
            training: Use the batch's statistics instead of the running ones.
            channels: How many of the layer's x has; None for all of them.

        Returns:
            Normalised x, and what the running statistics become; those of the other channels
            stay as they are.
        """
        old = self.statistics
        gamma, beta, mean, variance = (
            values if channels is None else values[:channels]
            for values in (self.gamma, self.beta, *old)
        )
        if not training:
            return self.by_running(x, gamma, beta, mean, variance), old
        y, *batch = self._by_batch(x, gamma, beta)
        moved = self._moved((mean, variance), batch)
        if channels is not None:
            moved = [
                ops.concatenate([new, rest[channels:]])
                for new, rest in zip(moved, old, strict=True)
            ]
        return y, (moved[0], moved[1])

    def _moved(self, running: Sequence[Tensor], batch: Sequence[Tensor]) -> list[Tensor]:
        """What running statistics become."""
        keep = self.momentum
        return [
            kept * keep + ops.cast(new, "float32") * (1.0 - keep)
            for kept, new in zip(running, batch, strict=True)
        ]

    def by_running(
        self, x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor
    ) -> Tensor:
        """Normalises by given statistics.

        Args:
            x: (batch, ..., channels).
            gamma: (channels,) scale.
            beta: (channels,) offset.
            mean: (channels,).
            variance: (channels,).
        """
        scale = gamma * ops.rsqrt(variance + self.epsilon)
        exact = ops.cast(x, gamma.dtype)
        return ops.cast(exact * scale + (beta - mean * scale), x.dtype)

    def _by_batch(self, x: Tensor, gamma: Tensor, beta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised x, and the batch's mean and variance."""
        return batch_norm_training(x, gamma, beta, self.epsilon)

    @property
    def statistics(self) -> Statistics:
        """Running mean and variance, (channels,) each."""
        return ops.convert_to_tensor(self.mean), ops.convert_to_tensor(self.variance)

    def set_statistics(self, statistics: Statistics) -> None:
        """Moves the running statistics to what `normalise` returned."""
        self.mean.assign(statistics[0])
        self.variance.assign(statistics[1])

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        config = super().get_config()
        return {**config, "momentum": self.momentum, "epsilon": self.epsilon}
