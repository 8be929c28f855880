"""Names, shapes and random values of an architecture's weights.

Batch normalisation owns `gamma`, `beta` (trained) and `mean`, `variance` (statistics).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nas.architecture.lowering import lower_architecture
from nas.architecture.operations import (
    ConvOp,
    DenseOp,
    Formats,
    NormOp,
    Op,
    SqueezeExciteOp,
    all_ops,
)
from nas.architecture.scales import is_learned
from nas.architecture.spec import Architecture

STATISTICS = ("mean", "variance")


@dataclass(frozen=True)
class WeightSpec:
    """One array: full name, shape, and whether training changes it by gradient."""

    name: str
    shape: tuple[int, ...]
    trainable: bool = True

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def kind(self) -> str:
        """Last part of the name: kernel, bias, gamma, beta, mean, variance or scale."""
        return self.name.rsplit(".", 1)[1]


def op_weights(op: Op) -> Iterator[WeightSpec]:
    """Weights of one operation (those inside of residuals are others)."""
    match op:
        case ConvOp():
            inputs = 1 if op.depthwise else op.in_channels
            yield WeightSpec(f"{op.name}.kernel", (op.kernel, op.kernel, inputs, op.out_channels))
            yield from _bias_and_norm(op.name, op.out_channels, op.bias, op.batch_norm)
            yield from _scales(op.name, op.out_channels, op.formats)
        case DenseOp():
            yield WeightSpec(f"{op.name}.kernel", (op.in_units, op.out_units))
            yield from _bias_and_norm(op.name, op.out_units, op.bias, op.batch_norm)
            yield from _scales(op.name, op.out_units, op.formats)
        case NormOp():
            yield from _bias_and_norm(op.name, op.channels, bias=False, batch_norm=True)
        case SqueezeExciteOp():
            yield WeightSpec(f"{op.name}.reduce.kernel", (op.in_channels, op.squeeze_channels))
            yield WeightSpec(f"{op.name}.reduce.bias", (op.squeeze_channels,))
            yield WeightSpec(f"{op.name}.expand.kernel", (op.squeeze_channels, op.in_channels))
            yield WeightSpec(f"{op.name}.expand.bias", (op.in_channels,))


def _bias_and_norm(name: str, channels: int, bias: bool, batch_norm: bool) -> Iterator[WeightSpec]:
    if bias:
        yield WeightSpec(f"{name}.bias", (channels,))
    if batch_norm:
        yield WeightSpec(f"{name}.gamma", (channels,))
        yield WeightSpec(f"{name}.beta", (channels,))
        yield WeightSpec(f"{name}.mean", (channels,), trainable=False)
        yield WeightSpec(f"{name}.variance", (channels,), trainable=False)


def _scales(name: str, outputs: int, formats: Formats) -> Iterator[WeightSpec]:
    """Learned scales, as multiples of what `nas.architecture.scales` calls their unit."""
    if is_learned(formats.weights):
        yield WeightSpec(f"{name}.weights.scale", (outputs,))
    if is_learned(formats.activations):
        yield WeightSpec(f"{name}.activations.scale", ())


def architecture_weights(architecture: Architecture) -> tuple[WeightSpec, ...]:
    """All weights of a network in the order of execution."""
    return tuple(
        weight
        for layer in lower_architecture(architecture)
        for op in all_ops(layer.ops)
        for weight in op_weights(op)
    )


def random_op_weights(op: Op, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """He-scaled float32 kernels, random biases and statistics: no zeros, no denormals.

    A graph is timed with these: zeros and denormal numbers change a CPU's speed.
    """
    values: dict[str, np.ndarray] = {}
    for weight in op_weights(op):
        draw = rng.standard_normal(weight.shape)
        if weight.kind == "kernel":
            draw *= math.sqrt(2.0 / math.prod(weight.shape[:-1]))
        elif weight.kind in ("gamma", "variance", "scale"):
            draw = 1.0 + 0.1 * np.abs(draw)
        else:
            draw *= 0.1
        values[weight.name] = draw.astype(np.float32)
    return values


def random_weights(architecture: Architecture, seed: int = 0) -> dict[str, np.ndarray]:
    """Random values for every weight of a network; see `random_op_weights`."""
    rng = np.random.default_rng(seed)
    values: dict[str, np.ndarray] = {}
    for layer in lower_architecture(architecture):
        for op in all_ops(layer.ops):
            values |= random_op_weights(op, rng)
    return values
