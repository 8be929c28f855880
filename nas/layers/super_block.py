"""An inverted residual that holds all its options in one set of weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from nas.layers.batch_norm import BatchNorm, Statistics
from nas.layers.block_formats import DrawnFormats, block_formats, block_scales, drawn_formats
from nas.layers.depthwise_conv import depthwise_conv
from nas.layers.fast import Tensor, first, pointwise_conv
from nas.layers.mixed_formats import common_range
from nas.layers.option_masks import channel_masks, kernel_masks
from nas.layers.squeeze_excite import SqueezeExcite
from nas.layers.super_layer import (
    Gates,
    SuperLayer,
    gate_of,
    keep_gate,
    norm_weights,
    to_numpy,
)

# Where shapes may depend on values, one set of operations serves every option. A switch, which JAX
# needs, has a branch for each: 7 times the time to the first step on TensorFlow.
SLICES = keras.backend.backend() != "jax"


@keras.saving.register_keras_serializable("stopwatch_nas")
class SuperBlock(SuperLayer):
    """Expand, depthwise, squeeze-excite and project, with kernel, expansion and existence gated.

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
        norm: Arguments of the normalisations, `momentum` and `epsilon`.
        formats: `weights`, `read` and `inside`: formats of the kernels, of what the block reads and
            of what is read behind its first convolution, one an option of `weight_format` or
            `activation_format`; None for float32.
    """

    def __init__(  # noqa: PLR0913 - an inverted residual has as much
        self,
        kernels: tuple[int, ...],
        expansions: tuple[int, ...],
        channels: int,
        stride: int,
        activation: str,
        squeeze_channels: int,
        residual: bool,
        norm: Mapping[str, float] | None = None,
        formats: Mapping[str, Sequence[str]] | None = None,
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
            "norm": dict(norm or {}),
            "formats": formats and {name: tuple(texts) for name, texts in formats.items()},
        }
        self.activation = keras.activations.get(activation)
        self.residual = residual
        self.stride = stride
        numbers = self.config["norm"]
        self.expand_bn = BatchNorm(name="expand_bn", **numbers) if max(expansions) > 1 else None
        self.depthwise_bn = BatchNorm(name="depthwise_bn", **numbers)
        self.project_bn = BatchNorm(name="project_bn", **numbers)
        self.se = SqueezeExcite(squeeze_channels, name="se") if squeeze_channels else None
        self.formats = block_formats(formats, self.expand_bn is not None)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights of the largest option."""
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
        for mixed_formats in self.formats.values():
            mixed_formats.build()
        # Kernels that are rounded are rounded in float32, whatever products are computed in.
        exact: dict[str, Any] = {"autocast": not self.formats}
        if self.formats:
            exact["constraint"] = common_range(self.formats["project"].weights_formats)
        if self.expand_bn is not None:
            self.expand_kernel = self.add_weight(
                name="expand_kernel", shape=(1, 1, inputs, hidden), initializer="he_normal", **exact
            )
            self.expand_bn.build((None, None, None, hidden))
        # The centre must start at the scale that a 3x3 kernel of its own would have.
        deviation = (2.0 / min(kernels) ** 2) ** 0.5
        self.depthwise_kernel = self.add_weight(
            name="depthwise_kernel",
            shape=(largest, largest, hidden, 1),
            initializer=keras.initializers.TruncatedNormal(stddev=deviation),
            **exact,
        )
        self.project_kernel = self.add_weight(
            name="project_kernel",
            shape=(1, 1, hidden, self.config["channels"]),
            initializer="he_normal",
            **exact,
        )
        self.depthwise_bn.build((None, None, None, hidden))
        if self.se is not None:
            self.se.build((None, None, None, hidden))
        self.project_bn.build((None, None, None, self.config["channels"]))

    def norms(self) -> list[BatchNorm]:
        """The normalisations, in the order of execution."""
        norms = (self.expand_bn, self.depthwise_bn, self.project_bn)
        return [norm for norm in norms if norm is not None]

    def masked(self, x: Tensor, gates: Gates, training: bool) -> tuple[Tensor, list[Statistics]]:
        """All channels with the largest kernel, what is not drawn multiplied by 0."""
        kernel_gate, expansion_gate = gate_of(gates, "kernel"), gate_of(gates, "expansion")
        masks = ops.convert_to_tensor(self.channel_masks, expansion_gate.dtype)
        mask = ops.sum(expansion_gate[:, None] * masks, axis=0)
        masks = ops.convert_to_tensor(self.kernel_masks, kernel_gate.dtype)
        kernel_mask = ops.sum(ops.reshape(kernel_gate, (-1, 1, 1, 1, 1)) * masks, axis=0)
        drawn = drawn_formats(self.formats, gates, is_sampled=False)
        kernel = drawn.kernel("depthwise", self.depthwise_kernel, kernel_mask)
        kernel = kernel * ops.cast(kernel_mask, self.compute_dtype)
        mask = ops.cast(mask, self.compute_dtype)
        y, statistics = self._body(x, kernel, drawn, training, mask=mask)
        return self._add(x, y, keep_gate(gates)), statistics

    def sampled(self, x: Tensor, gates: Gates, training: bool) -> tuple[Tensor, list[Statistics]]:
        """The drawn kernel and channels alone."""
        run = self._sliced if SLICES else self._switched
        return run(x, gates, drawn_formats(self.formats, gates, is_sampled=True), training)

    def _sliced(
        self, x: Tensor, gates: Gates, drawn: DrawnFormats, training: bool
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
        margin = ops.take(margins, ops.argmax(gate_of(gates, "kernel")))
        channels = ops.take(widths, ops.argmax(gate_of(gates, "expansion")))
        kernel = drawn.kernel("depthwise", self._centre(margin, channels))
        keep = keep_gate(gates)
        if keep is None:
            y, statistics = self._body(x, kernel, drawn, training, channels)
            return self._add(x, y, None), statistics
        kept = keep > 0.5
        images = first(x, ops.where(kept, ops.shape(x)[0], 1), axis=0)
        y, moved = self._body(images, kernel, drawn, training, channels)
        statistics = [
            (ops.where(kept, mean, norm.mean), ops.where(kept, variance, norm.variance))
            for (mean, variance), norm in zip(moved, self.norms(), strict=True)
        ]
        return self._add(x, y, keep), statistics

    def _switched(
        self, x: Tensor, gates: Gates, drawn: DrawnFormats, training: bool
    ) -> tuple[Tensor, list[Statistics]]:
        """Sampled, with one branch an option, on every backend."""
        kernels, expansions = self.config["kernels"], self.config["expansions"]
        largest = max(kernels)

        def branch(kernel: int, expansion: int) -> tuple[Tensor, list[Statistics]]:
            channels = expansion * x.shape[-1]
            part = drawn.kernel("depthwise", self._centre((largest - kernel) // 2, channels))
            y, statistics = self._body(x, part, drawn, training, channels)
            return self._add(x, y, None), statistics

        branches: list[Callable[[], Any]] = [
            partial(branch, kernel, expansion) for kernel in kernels for expansion in expansions
        ]
        places = [ops.argmax(gate_of(gates, name)) for name in ("kernel", "expansion")]
        index = ops.cast(places[0] * len(expansions) + places[1], "int32")
        keep = keep_gate(gates)
        if keep is not None:
            index = ops.where(keep > 0.5, index, len(branches))
            branches.append(lambda: (x, [norm.statistics for norm in self.norms()]))
        chosen: tuple[Tensor, list[Statistics]] = ops.switch(index, branches)
        return chosen

    def _body(
        self,
        x: Tensor,
        depthwise_kernel: Tensor,
        drawn: DrawnFormats,
        training: bool,
        channels: Tensor | int | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, list[Statistics]]:
        """Expand to project, with the first hidden channels or with all of them, masked."""
        statistics = []
        y = x
        # Of a masked network: what its learned scales are told of.
        width = channels if mask is None else ops.sum(ops.cast(mask, "float32"))
        if self.expand_bn is not None:
            y = drawn.read("expand", y)
            kernel = drawn.kernel("expand", first(self.expand_kernel, channels, axis=3))
            y = pointwise_conv(y, kernel)
            y, moved = self.expand_bn.normalise(y, training, channels)
            y = self.activation(y)
            statistics.append(moved)
        y = drawn.read("depthwise", y, width)
        y = depthwise_conv(y, depthwise_kernel, self.stride, "same")
        y, moved = self.depthwise_bn.normalise(y, training, channels)
        y = self.activation(y)
        statistics.append(moved)
        if self.se is not None:
            y = self.se(y, channel_mask=mask, channels=channels)
        y = drawn.read("project", y, width)
        project = first(self.project_kernel, channels, axis=2)
        if mask is None:
            project = drawn.kernel("project", project)
        else:
            project = drawn.kernel("project", project, mask[:, None]) * mask[:, None]
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

    def weights_of(self, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The centre of the depthwise kernel and the first channels; see `SuperLayer`."""
        kernel = values.get("kernel", self.config["kernels"][0])
        expansion = values.get("expansion", self.config["expansions"][0])
        depthwise = to_numpy(self.depthwise_kernel)
        margin = (depthwise.shape[0] - kernel) // 2
        centre = slice(margin, margin + kernel)
        hidden = expansion * (depthwise.shape[2] // max(self.config["expansions"]))
        found = {
            "depthwise.kernel": depthwise[centre, centre, :hidden].transpose(0, 1, 3, 2),
            "project.kernel": to_numpy(self.project_kernel)[:, :, :hidden],
            **norm_weights("depthwise", self.depthwise_bn, hidden),
            **norm_weights("project", self.project_bn, None),
        }
        if expansion > 1:
            found["expand.kernel"] = to_numpy(self.expand_kernel)[..., :hidden]
            found |= norm_weights("expand", self.expand_bn, hidden)
        if self.se is not None:
            found["se.reduce.kernel"] = to_numpy(self.se.reduce_kernel)[:hidden]
            found["se.reduce.bias"] = to_numpy(self.se.reduce_bias)
            found["se.expand.kernel"] = to_numpy(self.se.expand_kernel)[:, :hidden]
            found["se.expand.bias"] = to_numpy(self.se.expand_bias)[:hidden]
        return found | block_scales(self.formats, self.config["formats"], values)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Shape after the stride."""
        batch, height, width, _ = input_shape
        sizes = [None if n is None else -(-n // self.stride) for n in (height, width)]
        return (batch, *sizes, self.config["channels"])

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        return {**super().get_config(), **self.config}
