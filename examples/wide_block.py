"""A block of one's own, and its width as a decision: `nas.py --blocks examples/wide_block.py`.

The record and `lower_wide` are all that cost, Keras, ONNX, the latency table and architecture text
need. With them alone a space of `WideBlock` options can be searched: each option is a branch. The
layer below learns faster: all widths share one set of weights, an option is its first channels.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nas.architecture.lowering import lower
from nas.architecture.operations import ConvOp, Op
from nas.architecture.shapes import Shape
from nas.architecture.spec import Field, Layer, register_layer
from nas.search_space.choice import OneOf
from nas.supernet.super_layers import super_layer

if TYPE_CHECKING:
    from nas.builders.keras_layers import LayerSettings


@register_layer
@dataclass(frozen=True)
class WideBlock(Layer):
    """Two convolutions, 3x3 to `width` channels and 1x1 to `channels`."""

    width: int
    stride: int
    channels: int

    TOKEN: ClassVar[str] = "wide"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("w", "width"),
        Field("s", "stride"),
        Field("c", "channels"),
    )


@lower.register
def lower_wide(layer: WideBlock, prefix: str, shape: Shape) -> tuple[Op, ...]:
    """The block as primitive operations."""
    first = ConvOp(
        f"{prefix}.first",
        shape,
        3,
        layer.stride,
        layer.width,
        batch_norm=True,
        activation="relu6",
    )
    inner = first.output_shape
    return first, ConvOp(f"{prefix}.second", inner, 1, 1, layer.channels, batch_norm=True)


@super_layer.register(WideBlock)
def wide_super_layer(
    block: WideBlock, choice: OneOf, shape: Shape, settings: LayerSettings, name: str
) -> Any:
    """All widths in one layer; Keras starts here and not when this file is read."""
    del shape  # Keras tells it when the layer is built
    return _layer_class()(block, choice, settings, name=name)


@functools.cache
def _layer_class() -> Any:
    from keras import ops

    from nas.layers.fast import first, pointwise_conv
    from nas.layers.super_layer import (
        SuperLayer,
        gate_of,
        keep_gate,
        kept,
        norm_weights,
        to_numpy,
    )

    class WideSuperLayer(SuperLayer):
        """All widths: an option is the first channels of the weights of the widest."""

        def __init__(self, block: Any, choice: Any, settings: Any, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            decided = {d.name: d.options for d in choice.block_decisions}
            self.widths, self.block = decided.get("width", (block.width,)), block
            self.bn = [settings.norm("first"), settings.norm("second")]

        def build(self, input_shape: Any) -> None:
            widest, channels = max(self.widths), self.block.channels
            shapes = {"first": (3, 3, input_shape[-1], widest), "second": (1, 1, widest, channels)}
            self.kernels = [
                self.add_weight(name=name, shape=shape, initializer="he_normal")
                for name, shape in shapes.items()
            ]
            for norm, kernel in zip(self.bn, self.kernels, strict=True):
                norm.build((None, None, None, kernel.shape[-1]))

        def norms(self) -> list[Any]:
            return self.bn

        def _run(self, x: Any, training: bool, width: int | None, mask: Any = None) -> Any:
            narrow, wide = self.kernels
            y = ops.conv(x, first(narrow, width, axis=3), self.block.stride, "same")
            y, moved = self.bn[0].normalise(y, training, width)
            wide = first(wide, width, axis=2)
            # A hidden channel that is not drawn contributes exactly nothing.
            wide = wide if mask is None else wide * mask[:, None]
            y, last = self.bn[1].normalise(pointwise_conv(ops.relu6(y), wide), training)
            return y, [moved, last]

        def masked(self, x: Any, gates: Any, training: bool) -> Any:
            gate = gate_of(gates, "width")
            masks = np.arange(max(self.widths)) < np.array(self.widths)[:, None]
            mask = ops.sum(gate[:, None] * ops.cast(masks, gate.dtype), axis=0)
            y, statistics = self._run(x, training, None, ops.cast(mask, self.compute_dtype))
            return kept(x, y, gates), statistics

        def sampled(self, x: Any, gates: Any, training: bool) -> Any:
            branches = [functools.partial(self._run, x, training, w) for w in self.widths]
            index = ops.argmax(gate_of(gates, "width"))
            keep = keep_gate(gates)
            if keep is not None:
                index = ops.where(keep > 0.5, index, len(branches))
                branches.append(lambda: (x, [norm.statistics for norm in self.bn]))
            return ops.switch(ops.cast(index, "int32"), branches)

        def weights_of(self, values: Mapping[str, Any]) -> dict[str, Any]:
            width = values.get("width", self.widths[0])
            narrow, wide = (to_numpy(kernel) for kernel in self.kernels)
            return {
                "first.kernel": narrow[..., :width],
                "second.kernel": wide[:, :, :width],
                **norm_weights("first", self.bn[0], width),
                **norm_weights("second", self.bn[1], None),
            }

    return WideSuperLayer
