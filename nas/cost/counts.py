"""Exact parameters, MACs, bits and sizes, counted on primitive operations.

One multiply-add is one MAC. Batch normalisation folds into the convolution before it and
counts 0, as do pooling, activations and skipped blocks. One that follows no convolution stays, and
counts one a value. What cannot be counted is an error.
"""

from __future__ import annotations

import functools
import math
from dataclasses import astuple, dataclass

from nas.architecture.lowering import LoweredLayer, lower_architecture
from nas.architecture.operations import (
    FLOAT,
    ActivationOp,
    ConvOp,
    DenseOp,
    DropoutOp,
    FlattenOp,
    NormOp,
    Op,
    PoolOp,
    ResidualOp,
    SqueezeExciteOp,
    all_ops,
)
from nas.architecture.shapes import Shape
from nas.architecture.spec import Architecture
from nas.architecture.text import layer_to_text
from nas.architecture.weights import STATISTICS, op_weights
from nas.cost.bits import bits_of_product, formats_of_op, kernel_bits, other_bits, size_bytes
from nas.cost.memory import network_peak_bytes


@dataclass(frozen=True)
class Cost:
    """Counts of one or more operations.

    Args:
        params: Trainable numbers.
        params_with_statistics: With the running statistics of batch normalisation.
        macs: Multiply-adds for one image.
        weight_bits: Of the kernels; see `nas.cost.bits`.
        bops: Bit operations for one image; likewise.
        other_bits: Of everything that is stored beside kernels.
        size_bytes: Of what is stored, whole bytes for each tensor.
    """

    params: int = 0
    params_with_statistics: int = 0
    macs: int = 0
    weight_bits: int = 0
    bops: int = 0
    other_bits: int = 0
    size_bytes: int = 0

    def __add__(self, other: Cost) -> Cost:
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Cost(*(mine + its for mine, its in pairs))


@dataclass(frozen=True)
class LayerCost:
    """One row of a summary."""

    index: int
    name: str
    type: str
    params: int
    params_with_statistics: int
    macs: int
    output_shape: Shape
    weight_bits: int
    bops: int


@dataclass(frozen=True)
class ArchitectureCost:
    """A whole network's counts.

    Args:
        layers: Each layer's own.
        params: Trainable numbers.
        params_with_statistics: With the running statistics of batch normalisation.
        macs: Multiply-adds for one image.
        size_bytes: Of the weights with normalisations folded, each tensor in its format.
        memory_bytes: Peak activation memory of one image; see `nas.cost.memory`.
        weight_bits: Of the kernels; see `nas.cost.bits`.
        bops: Bit operations for one image; likewise.
        other_bits: Of biases, scales and normalisations.
        has_formats: Whether any number is not float32.
    """

    layers: tuple[LayerCost, ...]
    params: int
    params_with_statistics: int
    macs: int
    size_bytes: int
    memory_bytes: int
    weight_bits: int
    bops: int
    other_bits: int
    has_formats: bool


@functools.singledispatch
def op_macs(op: Op) -> int:
    """Multiply-adds of one operation, for one image.

    Raises:
        TypeError: The operation is unknown; it is never taken as free.
    """
    raise TypeError(
        f"Expected an operation of nas.architecture.operations. Received: {type(op).__name__}. "
        "Fix: register its count with `nas.cost.counts.op_macs.register`."
    )


@op_macs.register
def _conv_macs(op: ConvOp) -> int:
    height, width, _ = op.output_shape
    inputs = 1 if op.depthwise else op.in_channels
    return height * width * op.kernel**2 * inputs * op.out_channels


@op_macs.register
def _dense_macs(op: DenseOp) -> int:
    return op.in_units * op.out_units


@op_macs.register
def _squeeze_excite_macs(op: SqueezeExciteOp) -> int:
    # Two dense layers, and one multiplication a pixel to scale the map.
    return 2 * op.in_channels * op.squeeze_channels + math.prod(op.input_shape)


@op_macs.register(PoolOp)
@op_macs.register(FlattenOp)
@op_macs.register(DropoutOp)
@op_macs.register(ActivationOp)
def _no_macs(_op: Op) -> int:
    return 0


@op_macs.register
def _residual_macs(op: ResidualOp) -> int:
    return _inside(op).macs


@op_macs.register
def _norm_macs(op: NormOp) -> int:
    return math.prod(op.input_shape)


def _inside(op: ResidualOp) -> Cost:
    return ops_cost(op.body) + ops_cost(op.shortcut)


def ops_cost(ops: tuple[Op, ...]) -> Cost:
    """Counts of a chain of operations, the inside of residuals included."""
    total = Cost()
    for op in ops:
        total += _inside(op) if isinstance(op, ResidualOp) else _op_cost(op)
    return total


def _op_cost(op: Op) -> Cost:
    weights = list(op_weights(op))
    trainable = sum(w.size for w in weights if w.trainable)
    statistics = sum(w.size for w in weights if w.kind in STATISTICS)
    macs = op_macs(op)
    return Cost(
        trainable,
        trainable + statistics,
        macs,
        kernel_bits(op),
        macs * bits_of_product(op),
        other_bits(op),
        size_bytes(op),
    )


def layer_cost(layer: LoweredLayer) -> Cost:
    """Counts of one lowered layer."""
    return ops_cost(layer.ops)


def architecture_cost(architecture: Architecture) -> ArchitectureCost:
    """Counts of a network, by layer and in total.

    >>> from nas.architecture.text import parse
    >>> architecture_cost(parse("in_s8 cn_k3_s2_c8 gap fc_c2")).macs
    3472
    """
    rows = []
    total = Cost()
    lowered = lower_architecture(architecture)
    for layer in lowered:
        cost = layer_cost(layer)
        total += cost
        rows.append(
            LayerCost(
                layer.index,
                layer_to_text(layer.layer),
                type(layer.layer).__name__,
                cost.params,
                cost.params_with_statistics,
                cost.macs,
                layer.output_shape,
                cost.weight_bits,
                cost.bops,
            )
        )
    every = (op for layer in lowered for op in all_ops(layer.ops))
    return ArchitectureCost(
        tuple(rows),
        total.params,
        total.params_with_statistics,
        total.macs,
        total.size_bytes,
        network_peak_bytes(architecture.image_size, lowered),
        total.weight_bits,
        total.bops,
        total.other_bits,
        has_formats=any(formats_of_op(op) != FLOAT for op in every),
    )
