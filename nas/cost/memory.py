"""Peak activation memory of networks, counted on primitive operations and equal to the file's.

The rules are those of `latency.onnx_files.memory`, and the steps those of the exported graph.
Between two layers one tensor is alive. What is alive inside of a layer therefore depends on the
layer and its input's shape alone, and a network's peak is the greatest of its layers' peaks.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable

from latency.onnx_files.liveness import Step, Storage, Tensor, activation_peak
from latency.onnx_files.memory import ACTIVATIONS, VIEWS
from nas.architecture.activations import activation
from nas.architecture.lowering import LoweredLayer
from nas.architecture.operations import (
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
)
from nas.architecture.shapes import Shape
from nas.architecture.spec import IMAGE_CHANNELS

FLOAT32_BYTES = 4


class Steps:
    """Collects the nodes that operations become in the exported graph.

    Args:
        shape: Of the tensor that comes in.
    """

    def __init__(self, shape: Shape) -> None:
        self.input = Tensor("input", FLOAT32_BYTES * math.prod(shape))
        self.steps: list[Step] = []

    def node(self, operator: str, reads: Iterable[str], shape: Shape) -> str:
        """Adds a node and returns its output's name.

        Args:
            operator: Of ONNX.
            reads: Names of what it reads, weights left out.
            shape: Of its output.
        """
        name = f"{operator} {len(self.steps)}"
        storage = Storage.VIEW if operator in VIEWS else Storage.NEW
        storage = Storage.OVERWRITES if operator in ACTIVATIONS else storage
        output = Tensor(name, FLOAT32_BYTES * math.prod(shape))
        self.steps.append(Step(name, operator, tuple(reads), (output,), storage))
        return name

    def activation(self, name: str, x: str, shape: Shape) -> str:
        """Adds the nodes of an activation; returns the name of its output.

        Args:
            name: Of `nas.architecture.activations`.
            x: What it reads.
            shape: Of that.
        """
        found = activation(name)
        if not found.onnx:
            return x
        y = self.node(found.onnx, [x], shape)
        return self.node("Mul", [x, y], shape) if found.is_gate else y

    def chain(self, ops: tuple[Op, ...], x: str) -> str:
        """Adds operations one after the other; returns the name of the last one's output.

        Args:
            ops: In order.
            x: What the first one reads.
        """
        for op in ops:
            x = add_steps(op, self, x)
        return x

    def peak_bytes(self, output: str) -> int:
        """The greatest sum of what is alive at once; 0 without any step.

        Args:
            output: Name of what is handed on.
        """
        if not self.steps:
            return 0
        return activation_peak([self.input], self.steps, [output]).peak_bytes


@functools.singledispatch
def add_steps(op: Op, steps: Steps, x: str) -> str:
    """Adds the nodes that one operation becomes; returns the name of its output.

    Args:
        op: The operation.
        steps: Where to.
        x: What it reads.

    Raises:
        TypeError: The operation is unknown; it is never taken as free.
    """
    del steps, x
    raise TypeError(
        f"Expected an operation of nas.architecture.operations. Received: {type(op).__name__}. "
        "Fix: register its nodes with `nas.cost.memory.add_steps.register`."
    )


@add_steps.register
def _conv_steps(op: ConvOp, steps: Steps, x: str) -> str:
    x = steps.node("Conv", [x], op.output_shape)
    return steps.activation(op.activation, x, op.output_shape)


@add_steps.register
def _dense_steps(op: DenseOp, steps: Steps, x: str) -> str:
    x = steps.node("Gemm", [x], op.output_shape)
    return steps.activation(op.activation, x, op.output_shape)


@add_steps.register
def _squeeze_excite_steps(op: SqueezeExciteOp, steps: Steps, x: str) -> str:
    wide: Shape = (op.in_channels,)
    narrow: Shape = (op.squeeze_channels,)
    y = steps.node("Conv", [steps.node("GlobalAveragePool", [x], wide)], narrow)
    y = steps.activation(op.activation, y, narrow)
    gate = "Sigmoid" if op.gate == "sigmoid" else "HardSigmoid"
    y = steps.node(gate, [steps.node("Conv", [y], wide)], wide)
    return steps.node("Mul", [x, y], op.output_shape)


@add_steps.register
def _pool_steps(op: PoolOp, steps: Steps, x: str) -> str:
    if op.kind == "mean":
        x = steps.node("GlobalAveragePool", [x], op.output_shape)
        return steps.node("Flatten", [x], op.output_shape)
    kind = "MaxPool" if op.kind == "max" else "AveragePool"
    return steps.node(kind, [x], op.output_shape)


@add_steps.register
def _flatten_steps(op: FlattenOp, steps: Steps, x: str) -> str:
    x = steps.node("Transpose", [x], op.output_shape)
    return steps.node("Flatten", [x], op.output_shape)


@add_steps.register
def _dropout_steps(_op: DropoutOp, _steps: Steps, x: str) -> str:
    return x  # the identity outside training


@add_steps.register
def _residual_steps(op: ResidualOp, steps: Steps, x: str) -> str:
    ways = [steps.chain(op.shortcut, x), steps.chain(op.body, x)]
    return steps.node("Add", ways, op.output_shape)


@add_steps.register
def _activation_steps(op: ActivationOp, steps: Steps, x: str) -> str:
    return steps.activation(op.activation, x, op.output_shape)


@add_steps.register
def _norm_steps(op: NormOp, steps: Steps, x: str) -> str:
    return steps.node("BatchNormalization", [x], op.output_shape)


def layer_peak_bytes(layer: LoweredLayer) -> int:
    """The most that is alive while a layer of a network runs, its input included.

    Args:
        layer: With its operations; a skipped block has none and needs nothing.
    """
    steps = Steps(layer.input_shape)
    return steps.peak_bytes(steps.chain(layer.ops, steps.input.name))


def image_peak_bytes(image_size: int) -> int:
    """The most that is alive before the first layer: the image as it comes, and turned.

    Args:
        image_size: Height and width in pixels.
    """
    shape: Shape = (image_size, image_size, IMAGE_CHANNELS)
    steps = Steps(shape)
    return steps.peak_bytes(steps.node("Transpose", [steps.input.name], shape))


def network_peak_bytes(image_size: int, layers: Iterable[LoweredLayer]) -> int:
    """The peak activation memory of a whole network, for one image in float32.

    Args:
        image_size: Height and width in pixels.
        layers: From the first to the last.
    """
    return max(image_peak_bytes(image_size), *map(layer_peak_bytes, layers))
