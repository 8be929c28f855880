"""An inverted residual that holds all its options in one set of weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from nas.layers.batch_norm import BatchNorm, Statistics
from nas.layers.fast import Tensor, first, pointwise_conv
from nas.layers.squeeze_excite import SqueezeExcite

EXECUTIONS = ("masked", "sampled")
# Where shapes may depend on values, one set of operations serves every option. A switch, which JAX
# needs, has a branch for each: 7 times the time to the first step on TensorFlow.
SLICES = keras.backend.backend() != "jax"


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

    Two executions give the same output and, up to rounding, the same gradients of weights:

    - `masked` computes all channels with the largest kernel. Gates get gradients, and all running
      statistics move, those of channels and blocks that were not drawn too.
    - `sampled` computes the drawn kernel and channels alone. Gates get no gradient, weights that
      were not drawn get exactly zero, and running statistics of what was not drawn stay: they
      hold means over the networks that had the channel. Neither kind belongs to a network;
      re-estimate them before an accuracy is read.

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
        execution: str = "masked",
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
            execution: One of `EXECUTIONS`; see the class. `sampled` takes one-hot gates.
        """
        run = self._masked
        if execution == "sampled":
            run = self._sliced if SLICES else self._switched
        y, statistics = run(x, kernel_gate, expansion_gate, keep_gate, training)
        if training and update_statistics:
            for norm, values in zip(self._norms(), statistics, strict=True):
                norm.set_statistics(values)
        return y

    def _norms(self) -> list[BatchNorm]:
        norms = (self.expand_bn, self.depthwise_bn, self.project_bn)
        return [norm for norm in norms if norm is not None]

    def _masked(
        self,
        x: Tensor,
        kernel_gate: Tensor,
        expansion_gate: Tensor,
        keep_gate: Tensor | None,
        training: bool,
    ) -> tuple[Tensor, list[Statistics]]:
        masks = ops.convert_to_tensor(self.channel_masks, expansion_gate.dtype)
        mask = ops.sum(expansion_gate[:, None] * masks, axis=0)
        masks = ops.convert_to_tensor(self.kernel_masks, kernel_gate.dtype)
        kernel_mask = ops.sum(ops.reshape(kernel_gate, (-1, 1, 1, 1, 1)) * masks, axis=0)
        kernel = self.depthwise_kernel * ops.cast(kernel_mask, self.compute_dtype)
        y, statistics = self._body(x, kernel, training, mask=ops.cast(mask, self.compute_dtype))
        return self._add(x, y, keep_gate), statistics

    def _sliced(
        self,
        x: Tensor,
        kernel_gate: Tensor,
        expansion_gate: Tensor,
        keep_gate: Tensor | None,
        training: bool,
    ) -> tuple[Tensor, list[Statistics]]:
        """Sampled, with shapes that depend on the gates.

        A skipped block runs on one image of the batch, whose output is multiplied by 0 and
        broadcast: a branch would cost as much, and kernels leave gradients of empty batches
        undefined.
        """
        kernels, expansions = self.config["kernels"], self.config["expansions"]
        largest = max(kernels)
        margins = np.array([(largest - kernel) // 2 for kernel in kernels], np.int32)
        widths = np.array([expansion * x.shape[-1] for expansion in expansions], np.int32)
        margin = ops.take(margins, ops.argmax(kernel_gate))
        channels = ops.take(widths, ops.argmax(expansion_gate))
        kernel = self._centre(margin, channels)
        if keep_gate is None:
            y, statistics = self._body(x, kernel, training, channels)
            return self._add(x, y, None), statistics
        kept = keep_gate > 0.5
        images = first(x, ops.where(kept, ops.shape(x)[0], 1), axis=0)
        y, moved = self._body(images, kernel, training, channels)
        statistics = [
            (ops.where(kept, mean, norm.mean), ops.where(kept, variance, norm.variance))
            for (mean, variance), norm in zip(moved, self._norms(), strict=True)
        ]
        return self._add(x, y, keep_gate), statistics

    def _switched(
        self,
        x: Tensor,
        kernel_gate: Tensor,
        expansion_gate: Tensor,
        keep_gate: Tensor | None,
        training: bool,
    ) -> tuple[Tensor, list[Statistics]]:
        """Sampled, with one branch an option, on every backend."""
        kernels, expansions = self.config["kernels"], self.config["expansions"]
        largest = max(kernels)

        def branch(kernel: int, expansion: int) -> tuple[Tensor, list[Statistics]]:
            channels = expansion * x.shape[-1]
            part = self._centre((largest - kernel) // 2, channels)
            y, statistics = self._body(x, part, training, channels)
            return self._add(x, y, None), statistics

        branches: list[Callable[[], Any]] = [
            partial(branch, kernel, expansion) for kernel in kernels for expansion in expansions
        ]
        index = ops.argmax(kernel_gate) * len(expansions) + ops.argmax(expansion_gate)
        index = ops.cast(index, "int32")
        if keep_gate is not None:
            index = ops.where(keep_gate > 0.5, index, len(branches))
            branches.append(lambda: (x, [norm.statistics for norm in self._norms()]))
        return ops.switch(index, branches)

    def _body(
        self,
        x: Tensor,
        depthwise_kernel: Tensor,
        training: bool,
        channels: Tensor | int | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, list[Statistics]]:
        """Expand to project, with the first hidden channels or with all of them, masked."""
        statistics = []
        y = x
        if self.expand_bn is not None:
            y = pointwise_conv(y, first(self.expand_kernel, channels, axis=3))
            y, moved = self.expand_bn.normalise(y, training, channels)
            y = self.activation(y)
            statistics.append(moved)
        y = ops.depthwise_conv(y, depthwise_kernel, self.stride, "same")
        y, moved = self.depthwise_bn.normalise(y, training, channels)
        y = self.activation(y)
        statistics.append(moved)
        if self.se is not None:
            y = self.se(y, channel_mask=mask, channels=channels)
        project = first(self.project_kernel, channels, axis=2)
        if mask is not None:
            project = project * mask[:, None]
        y, moved = self.project_bn.normalise(pointwise_conv(y, project), training)
        return y, [*statistics, moved]

    def _centre(self, margin: Tensor | int, channels: Tensor | int) -> Tensor:
        """The depthwise kernel without a margin on each side, its first channels."""
        kernel = ops.convert_to_tensor(self.depthwise_kernel)
        size = kernel.shape[0] - 2 * margin
        return ops.slice(kernel, (margin, margin, 0, 0), (size, size, channels, 1))

    def _add(self, x: Tensor, y: Tensor, keep_gate: Tensor | None) -> Tensor:
        if not self.residual:
            return y
        return x + (y if keep_gate is None else y * ops.cast(keep_gate, self.compute_dtype))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, _ = input_shape
        sizes = [None if n is None else -(-n // self.stride) for n in (height, width)]
        return (batch, *sizes, self.config["channels"])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.config}
