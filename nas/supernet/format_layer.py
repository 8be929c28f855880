"""A layer of one operation whose options differ in their number formats: one kernel for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from nas.architecture import spec
from nas.architecture.activations import activation
from nas.architecture.lowering import lower
from nas.architecture.number_formats import NumberFormat, format_text
from nas.architecture.operations import FLOAT, ConvOp, DenseOp
from nas.architecture.scales import is_learned
from nas.architecture.shapes import Shape
from nas.builders.keras_layers import LayerSettings
from nas.builders.quantized_layers import quantized_layer
from nas.layers import fake_quantization as fake
from nas.layers.batch_norm import BatchNorm, Statistics
from nas.layers.block_formats import READ, WEIGHTS
from nas.layers.fast import Tensor
from nas.layers.mixed_formats import MixedFormats, common_range, mixed
from nas.layers.mixed_norm import MixedBatchNorm
from nas.layers.super_layer import Gates, SuperLayer, gate_of, kept, norm_weights, to_numpy
from nas.search_space.choice import OneOf
from nas.search_space.decisions import SKIP, ordered

# What the names of its weights begin with, where a network has its layer's index.
_PREFIX = "block"


def shares_weights(choice: OneOf) -> bool:
    """Whether the options of a choice are one operation in formats that one kernel can have.

    Formats of a bias and of a normalisation have to follow those of the weights.

    Args:
        choice: Between records of one type.
    """
    if not {decision.name for decision in choice.decisions} <= {WEIGHTS, READ, SKIP}:
        return False
    found = [(getattr(b, WEIGHTS), b) for b in choice.blocks]
    behind = {(weights, *_behind(block)) for weights, block in found}
    return len(behind) == len({weights for weights, _ in found}) and not any(
        is_learned(weights) for weights, _ in found
    )


def _behind(block: Any) -> tuple[NumberFormat | None, NumberFormat | None]:
    """Formats of what stands behind the sums: of the bias, and of the normalisation."""
    return block.bias_format, block.norm_format


class FormatLayer(SuperLayer):
    """One operation with its normalisation and activation, in all formats that may be drawn.

    Args:
        choice: For which `shares_weights` is true, between records of one operation.
        shape: Of the input, without the batch.
        settings: Of the supernet.
    """

    def __init__(self, choice: OneOf, shape: Shape, settings: LayerSettings, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        blocks: tuple[Any, ...] = choice.blocks
        (op,) = lower(blocks[0], _PREFIX, shape)
        if not isinstance(op, ConvOp | DenseOp):
            raise TypeError(f"Expected an operation with a kernel. Received: {op!r}. Fix: add it.")
        self._op = op
        self._weights = ordered(getattr(block, WEIGHTS) for block in blocks)
        self._read = ordered(getattr(block, READ) for block in blocks)
        behind = {getattr(block, WEIGHTS): _behind(block) for block in blocks}
        self._bias_formats = [behind[one][0] for one in self._weights]
        self.main = quantized_layer(replace(op, formats=FLOAT))
        is_depthwise = isinstance(op, ConvOp) and op.depthwise
        axes = (0, 1, 3) if is_depthwise else tuple(range(3 if isinstance(op, ConvOp) else 1))
        texts = [tuple(map(format_text, row)) for row in (self._weights, self._read)]
        self.formats = MixedFormats(texts[0], texts[1], axes, name="formats")
        self.norm = _norm(op, [behind[one] for one in self._weights], settings)
        self.activation = keras.activations.get(activation(op.activation).keras)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes one kernel, bias and normalisation, and a scale for each format that learns one."""
        del input_shape  # the operation carries its shape
        self.main.build((None, *self._op.input_shape))
        self.main.kernel.constraint = common_range(self._weights)
        self.formats.build()
        if self.norm is not None:
            self.norm.build((None, *self._op.output_shape))

    def norms(self) -> list[BatchNorm]:
        """The normalisation, if there is one."""
        return [] if self.norm is None else [self.norm]

    def masked(self, x: Tensor, gates: Gates, training: bool) -> tuple[Tensor, list[Statistics]]:
        """One product with the mixture of what the gates weigh."""
        y, statistics = self._run(x, gates, training, is_sampled=False)
        return kept(x, y, gates), statistics

    def sampled(self, x: Tensor, gates: Gates, training: bool) -> tuple[Tensor, list[Statistics]]:
        """The drawn formats alone; of a block that is left out, statistics stay."""
        y, moved = self._run(x, gates, training, is_sampled=True)
        if SKIP not in gates:
            return y, moved
        is_kept = gates[SKIP][0] > 0.5
        statistics = [
            (ops.where(is_kept, mean, norm.mean), ops.where(is_kept, variance, norm.variance))
            for (mean, variance), norm in zip(moved, self.norms(), strict=True)
        ]
        return kept(x, y, gates), statistics

    def _run(
        self, x: Tensor, gates: Gates, training: bool, is_sampled: bool
    ) -> tuple[Tensor, list[Statistics]]:
        weights, read = gate_of(gates, WEIGHTS), gate_of(gates, READ)
        x = self.formats.read(x, read, is_sampled)
        kernel = self.formats.kernel(ops.convert_to_tensor(self.main.kernel), weights, is_sampled)
        y = self.main.product(x, kernel)
        if self._op.bias:
            options = [partial(_bias, one) for one in self._bias_formats]
            bias = mixed(options, ops.convert_to_tensor(self.main.bias), weights, is_sampled)
            y = y + ops.cast(bias, y.dtype)
        if isinstance(self._op, DenseOp) and self._op.scale != 1:
            y = y * self._op.scale
        statistics: list[Statistics] = []
        if isinstance(self.norm, MixedBatchNorm):
            y, moved = self.norm.normalise_as(y, training, weights, is_sampled)
            statistics = [moved]
        elif self.norm is not None:
            y, moved = self.norm.normalise(y, training)
            statistics = [moved]
        return self.activation(y), statistics

    def weights_of(self, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The weights, which all options share, and the scale of the option; see `SuperLayer`."""
        name = self._op.name.removeprefix(f"{_PREFIX}.")
        kernel = to_numpy(self.main.kernel)
        is_depthwise = isinstance(self._op, ConvOp) and self._op.depthwise
        found = {f"{name}.kernel": kernel.transpose(0, 1, 3, 2) if is_depthwise else kernel}
        if self._op.bias:
            found[f"{name}.bias"] = to_numpy(self.main.bias)
        if self.norm is not None:
            found |= norm_weights(name, self.norm, None)
        place = self._read.index(values[READ]) if READ in values else 0
        return found | self.formats.weights_of(name, place)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Shape after the operation."""
        return (input_shape[0], *self._op.output_shape)

    def get_config(self) -> dict[str, Any]:
        """Refuses: records are no Keras configuration."""
        raise NotImplementedError("A supernet is rebuilt from its space, not from a Keras config.")


def _bias(found: NumberFormat | None, bias: Tensor) -> Tensor:
    return bias if found is None else fake.bias_values(found, bias)


def _norm(
    op: ConvOp | DenseOp,
    behind: Sequence[tuple[NumberFormat | None, NumberFormat | None]],
    settings: LayerSettings,
) -> BatchNorm | None:
    """The normalisation, whose shift has the format of the bias that the operation lacks."""
    if not op.batch_norm:
        return None
    forms = [(format_text(norm), format_text(None if op.bias else bias)) for bias, norm in behind]
    if all(pair == (format_text(None),) * 2 for pair in forms):
        return BatchNorm(settings.momentum, spec.BATCH_NORM_EPSILON, name="bn")
    return MixedBatchNorm(settings.momentum, spec.BATCH_NORM_EPSILON, forms=forms, name="bn")
