"""Peak activation memory of networks, counted on primitive operations and equal to the file's.

The rules are those of `latency.onnx_files.memory`, and the steps those of the exported graph.
Between two layers one tensor is alive. What is alive inside of a layer therefore depends on the
layer, its input's shape and the format that its output is kept in, and a network's peak is the
greatest of its layers' peaks. `nas.cost.stored_formats` says in which format a tensor is kept; all
of them are float32 in a network without formats.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence

from latency.onnx_files.liveness import Step, Storage, Tensor, activation_peak
from latency.onnx_files.memory import ACTIVATIONS, VIEWS
from nas.architecture.activations import activation
from nas.architecture.lowering import LoweredLayer
from nas.architecture.number_formats import NumberFormat, bits_of
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
from nas.cost.bits import tensor_bytes
from nas.cost.stored_formats import format_before

Format = NumberFormat | None


class Steps:
    """Collects the nodes that operations become in the exported graph.

    Args:
        shape: Of the tensor that comes in.
        kept: The format that it is kept in; None for float32.
    """

    def __init__(self, shape: Shape, kept: Format = None) -> None:
        self.input = Tensor("input", _bytes(shape, kept))
        self.steps: list[Step] = []

    def node(self, operator: str, reads: Iterable[str], shape: Shape, kept: Format = None) -> str:
        """Adds a node and returns its output's name.

        Args:
            operator: Of ONNX.
            reads: Names of what it reads, weights left out.
            shape: Of its output.
            kept: The format that its output is kept in; None for float32.
        """
        name = f"{operator} {len(self.steps)}"
        storage = Storage.VIEW if operator in VIEWS else Storage.NEW
        storage = Storage.OVERWRITES if operator in ACTIVATIONS else storage
        output = Tensor(name, _bytes(shape, kept))
        self.steps.append(Step(name, operator, tuple(reads), (output,), storage))
        return name

    def activation(self, name: str, x: str, shape: Shape, kept: Format = None) -> str:
        """Adds the nodes of an activation; returns the name of its output.

        Args:
            name: Of `nas.architecture.activations`.
            x: What it reads.
            shape: Of that.
            kept: The format that its output is kept in; None for float32.
        """
        found = activation(name)
        if not found.onnx:
            return x
        if not found.is_gate:
            return self.node(found.onnx, [x], shape, kept)
        return self.node("Mul", [x, self.node(found.onnx, [x], shape)], shape, kept)

    def activated(
        self, operator: str, x: str, shape: Shape, activation_name: str, kept: Format
    ) -> str:
        """Adds a node and the activation behind it; returns the name of the output.

        Args:
            operator: Of ONNX.
            x: What the node reads.
            shape: Of the node's output.
            activation_name: Of `nas.architecture.activations`.
            kept: The format that the output is kept in; that of the node is the same, unless the
                activation multiplies with it.
        """
        inner = None if activation(activation_name).is_gate else kept
        y = self.node(operator, [x], shape, inner)
        return self.activation(activation_name, y, shape, kept)

    def chain(self, ops: tuple[Op, ...], x: str, after: Format = None) -> str:
        """Adds operations one after the other; returns the name of the last one's output.

        Args:
            ops: In order.
            x: What the first one reads.
            after: The format that the last one's output is kept in; None for float32.
        """
        for number, op in enumerate(ops):
            x = add_steps(op, self, x, format_before(ops[number + 1 :], after))
        return x

    def peak_bytes(self, output: str) -> int:
        """The greatest sum of what is alive at once; 0 without any step.

        Args:
            output: Name of what is handed on.
        """
        if not self.steps:
            return 0
        return activation_peak([self.input], self.steps, [output]).peak_bytes


def _bytes(shape: Shape, kept: Format) -> int:
    return tensor_bytes(math.prod(shape), bits_of(kept))


@functools.singledispatch
def add_steps(op: Op, steps: Steps, x: str, kept: Format) -> str:
    """Adds the nodes that one operation becomes; returns the name of its output.

    Args:
        op: The operation.
        steps: Where to.
        x: What it reads.
        kept: The format that its output is kept in; None for float32.

    Raises:
        TypeError: The operation is unknown; it is never taken as free.
    """
    del steps, x, kept
    raise TypeError(
        f"Expected an operation of nas.architecture.operations. Received: {type(op).__name__}. "
        "Fix: register its nodes with `nas.cost.memory.add_steps.register`."
    )


@add_steps.register
def _conv_steps(op: ConvOp, steps: Steps, x: str, kept: Format) -> str:
    return steps.activated("Conv", x, op.output_shape, op.activation, kept)


@add_steps.register
def _dense_steps(op: DenseOp, steps: Steps, x: str, kept: Format) -> str:
    return steps.activated("Gemm", x, op.output_shape, op.activation, kept)


@add_steps.register
def _squeeze_excite_steps(op: SqueezeExciteOp, steps: Steps, x: str, kept: Format) -> str:
    wide: Shape = (op.in_channels,)
    narrow: Shape = (op.squeeze_channels,)
    y = steps.node("Conv", [steps.node("GlobalAveragePool", [x], wide)], narrow)
    y = steps.activation(op.activation, y, narrow)
    gate = "Sigmoid" if op.gate == "sigmoid" else "HardSigmoid"
    y = steps.node(gate, [steps.node("Conv", [y], wide)], wide)
    return steps.node("Mul", [x, y], op.output_shape, kept)


@add_steps.register
def _pool_steps(op: PoolOp, steps: Steps, x: str, kept: Format) -> str:
    if op.kind == "mean":
        x = steps.node("GlobalAveragePool", [x], op.output_shape, kept)
        return steps.node("Flatten", [x], op.output_shape, kept)
    kind = "MaxPool" if op.kind == "max" else "AveragePool"
    return steps.node(kind, [x], op.output_shape, kept)


@add_steps.register
def _flatten_steps(op: FlattenOp, steps: Steps, x: str, kept: Format) -> str:
    x = steps.node("Transpose", [x], op.output_shape, kept)
    return steps.node("Flatten", [x], op.output_shape, kept)


@add_steps.register
def _dropout_steps(_op: DropoutOp, _steps: Steps, x: str, _kept: Format) -> str:
    return x  # the identity outside training


@add_steps.register
def _residual_steps(op: ResidualOp, steps: Steps, x: str, kept: Format) -> str:
    ways = [steps.chain(op.shortcut, x), steps.chain(op.body, x)]
    return steps.node("Add", ways, op.output_shape, kept)


@add_steps.register
def _activation_steps(op: ActivationOp, steps: Steps, x: str, kept: Format) -> str:
    return steps.activation(op.activation, x, op.output_shape, kept)


@add_steps.register
def _norm_steps(op: NormOp, steps: Steps, x: str, kept: Format) -> str:
    return steps.node("BatchNormalization", [x], op.output_shape, kept)


def layer_peak_bytes(layer: LoweredLayer, after: Format = None) -> int:
    """The most that is alive while a layer of a network runs, its input included.

    Args:
        layer: With its operations; a skipped block has none and needs nothing.
        after: The format that its output is kept in; None for float32.
    """
    steps = Steps(layer.input_shape, format_before(layer.ops, after))
    return steps.peak_bytes(steps.chain(layer.ops, steps.input.name, after))


def image_peak_bytes(image_size: int, kept: Format = None) -> int:
    """The most that is alive before the first layer: the image as it comes, and turned.

    Args:
        image_size: Height and width in pixels.
        kept: The format that the first layer reads; None for float32.
    """
    shape: Shape = (image_size, image_size, IMAGE_CHANNELS)
    steps = Steps(shape, kept)
    return steps.peak_bytes(steps.node("Transpose", [steps.input.name], shape, kept))


def network_peak_bytes(image_size: int, layers: Sequence[LoweredLayer]) -> int:
    """The peak activation memory of a whole network, for one image.

    Args:
        image_size: Height and width in pixels.
        layers: From the first to the last.
    """
    kept: Format = None  # of the class scores
    peaks = []
    for layer in reversed(layers):
        peaks.append(layer_peak_bytes(layer, kept))
        kept = format_before(layer.ops, kept)
    return max(image_peak_bytes(image_size, kept), *peaks)
