"""Architecture + weights -> ONNX, the same graph for measuring and for deployment.

Written with `onnx.helper`, batch normalisation folded. Opset 17 and IR 8 load in runtimes
from 2022 on. Networks with number formats need opset 21, which has types of 4 and 16 bits; see
`nas.builders.onnx_quantized`. Needs neither Keras nor TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from nas.architecture import spec
from nas.architecture.activations import activation
from nas.architecture.lowering import lower_architecture, lower_chain
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
    has_formats,
    output_shape,
)
from nas.architecture.shapes import Shape, same_padding
from nas.architecture.weights import op_weights, random_op_weights
from nas.builders import onnx_integer, onnx_quantized
from nas.builders.onnx_graph import Graph
from nas.errors import ArchitectureError

OPSET = 17
IR_VERSION = 8


def to_onnx(
    architecture: spec.Architecture,
    weights: Mapping[str, np.ndarray],
    *,
    metadata: Mapping[str, str] | None = None,
    batch: int = 1,
) -> onnx.ModelProto:
    """Writes a network.

    Input `image`: float32 [batch, size, size, 3], RGB pixels 0 to 255. Output `logits`:
    float32 [batch, classes], or the last map of a network without a classifier.

    Args:
        architecture: The network.
        weights: Arrays under the names of `nas.architecture.weights`.
        metadata: Texts stored in the file.
        batch: Images in one run.

    Raises:
        ArchitectureError: A weight is missing or of another shape.
    """
    size = architecture.image_size
    layers = lower_architecture(architecture)
    ops = tuple(op for layer in layers for op in layer.ops)
    writer = _Writer(weights, ops)
    x = writer.node("Transpose", ["image"], perm=[0, 3, 1, 2])
    first = next(iter(ops), None)
    x = writer.scaled_pixels(x, foldable=isinstance(first, ConvOp) and first.formats == FLOAT)
    x = writer.ops(ops, x)
    source = ("image", [batch, size, size, spec.IMAGE_CHANNELS])
    return writer.model(source, "logits", x, layers[-1].output_shape, metadata or {})


def to_onnx_bytes(
    architecture: spec.Architecture,
    weights: Mapping[str, np.ndarray],
    *,
    metadata: Mapping[str, str] | None = None,
    batch: int = 1,
) -> bytes:
    """`to_onnx` as the bytes of a file."""
    return _bytes(to_onnx(architecture, weights, metadata=metadata, batch=batch))


def _bytes(model: onnx.ModelProto) -> bytes:
    data: bytes = model.SerializeToString()
    return data


def chain_to_onnx(
    layers: Sequence[spec.Layer],
    input_shape: Shape,
    *,
    prefix_channels: int = 8,
    seed: int = 0,
    batch: int = 1,
) -> bytes:
    """A chain of layers behind a 1x1 convolution, ending in a global mean; random weights.

    The convolution in front makes ONNX Runtime use its blocked layout, as a whole network
    does; a chain alone would be timed with reorders that no network has.

    Args:
        layers: In order; may be empty.
        input_shape: (height, width, channels) that the first layer sees.
        prefix_channels: Channels of the graph's input.
        seed: Of the weights.
        batch: Images in one run.

    Raises:
        ArchitectureError: A layer has number formats, whose milliseconds would say nothing.
    """
    height, width, channels = input_shape
    before: Shape = (height, width, prefix_channels)
    ops: tuple[Op, ...] = (ConvOp("prefix", before, 1, 1, channels, activation="relu6"),)
    for layer in lower_chain(layers, input_shape):
        ops += layer.ops
    shape = output_shape(ops, input_shape)
    if len(shape) == 3:
        ops += (PoolOp("mean", shape, "mean"),)
    rng = np.random.default_rng(seed)
    weights: dict[str, np.ndarray] = {}
    for op in all_ops(ops):
        check_float(op)
        weights |= random_op_weights(op, rng)
    writer = _Writer(weights, ops)
    x = writer.ops(ops, "x")
    source = ("x", [batch, prefix_channels, height, width])
    return _bytes(writer.model(source, "y", x, ops[-1].output_shape, {}))


def check_float(op: Op) -> None:
    """Refuses to time an operation whose numbers have formats, which ONNX Runtime emulates.

    Args:
        op: The operation.

    Raises:
        ArchitectureError: It has formats.
    """
    if isinstance(op, ConvOp | DenseOp) and op.formats != FLOAT:
        formats = {name: part.text for name, part in vars(op.formats).items() if part is not None}
        found = ", ".join(f"{name} {text}" for name, text in formats.items())
        raise ArchitectureError(
            "numbers of float32 in a graph that is timed",
            f"`{op.name}` with {found}, which ONNX Runtime computes in float32",
            "ask for bit operations or weight bits, or leave the formats out",
        )


class _Writer(Graph):
    """Writes the operations of a network.

    Args:
        weights: Of the network.
        ops: All that will be written.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], ops: tuple[Op, ...]) -> None:
        self.weights = weights
        self.is_quantized = has_formats(ops)
        self.has_bytes = onnx_integer.are_bytes(ops)
        if self.is_quantized:
            super().__init__(onnx_quantized.OPSET, onnx_quantized.IR_VERSION)
        else:
            super().__init__(OPSET, IR_VERSION)
        self.pixel_scale: float | None = None

    def scaled_pixels(self, x: str, foldable: bool) -> str:
        """Scales the pixels; the scale goes into the first convolution where there is one.

        The offset cannot: the convolution pads with zeros after scaling.
        """
        if foldable:
            self.pixel_scale = spec.PIXEL_SCALE
            shift = np.array(spec.PIXEL_OFFSET / spec.PIXEL_SCALE, np.float32)
            return self.node("Add", [x, self.constant("pixel_offset", shift)])
        scale = self.constant("pixel_scale", np.array(spec.PIXEL_SCALE, np.float32))
        offset = self.constant("pixel_offset", np.array(spec.PIXEL_OFFSET, np.float32))
        return self.node("Add", [self.node("Mul", [x, scale]), offset])

    def ops(self, ops: tuple[Op, ...], x: str) -> str:
        """Adds a chain; returns the name of its output."""
        for op in ops:
            self._check_weights(op)
            x = self._op(op, x)
        return x

    def _op(self, op: Op, x: str) -> str:
        match op:
            case ConvOp() | DenseOp():
                x = self._activation(op.activation, self._multiplied(op, x))
            case SqueezeExciteOp():
                x = self._squeeze_excite(op, x)
            case PoolOp():
                x = self._pool(op, x)
            case ActivationOp():
                x = self._activation(op.activation, x)
            case NormOp():
                x = self._norm(op, x)
            case FlattenOp():
                x = self.node("Flatten", [self.node("Transpose", [x], perm=[0, 2, 3, 1])])
            case ResidualOp():
                x = self.node("Add", [self.ops(op.shortcut, x), self.ops(op.body, x)])
            case DropoutOp():
                pass  # the identity outside training
            case _:
                raise TypeError(
                    f"Expected a primitive operation. Received: {op!r}. Fix: add it here."
                )
        return x

    def _pool(self, op: PoolOp, x: str) -> str:
        if self.is_quantized and op.kind != "max":
            return onnx_quantized.pooled(self, op, x)
        if op.kind == "mean":
            return self.node("Flatten", [self.node("GlobalAveragePool", [x])])
        window = [op.size, op.size]
        kind = {"max": "MaxPool", "average": "AveragePool"}[op.kind]
        return self.node(kind, [x], kernel_shape=window, strides=window)

    def _multiplied(self, op: ConvOp | DenseOp, x: str) -> str:
        """A convolution or a matrix product with all up to its activation."""
        if op.formats != FLOAT:
            return onnx_quantized.multiplied(self, op, x, self._product)
        factor = op.scale if isinstance(op, DenseOp) else 1.0
        kernel, bias = self._folded(op.name, op.bias, op.batch_norm, factor)
        return self._product(op, x, kernel, bias)

    def _check_weights(self, op: Op) -> None:
        # A statistic of shape (1,) would broadcast and give a network that is silently wrong.
        for weight in op_weights(op):
            value = self.weights.get(weight.name)
            if value is None or np.shape(value) != weight.shape:
                raise ArchitectureError(
                    f"weight `{weight.name}` of shape {weight.shape}",
                    "none" if value is None else f"shape {np.shape(value)}",
                    "pass the network's own weights",
                )

    def _weight(self, name: str) -> np.ndarray:
        return np.asarray(self.weights[name], np.float64)

    def _folded(
        self, name: str, has_bias: bool, batch_norm: bool, factor: float = 1.0
    ) -> tuple[str, str | None]:
        """Kernel and bias with all that follows multiplied in, in float64 until the end."""
        kernel = self._weight(f"{name}.kernel") * factor
        bias = self._weight(f"{name}.bias") * factor if has_bias else None
        if batch_norm:
            variance = self._weight(f"{name}.variance") + spec.BATCH_NORM_EPSILON
            scale = self._weight(f"{name}.gamma") / np.sqrt(variance)
            shift = self._weight(f"{name}.beta") - self._weight(f"{name}.mean") * scale
            kernel = kernel * scale
            bias = shift if bias is None else bias * scale + shift
        if kernel.ndim == 4:
            if self.pixel_scale is not None:
                kernel, self.pixel_scale = kernel * self.pixel_scale, None
            kernel = kernel.transpose(3, 2, 0, 1)
        names = self.constant(f"{name}.kernel", kernel.astype(np.float32))
        if bias is None:
            return names, None
        return names, self.constant(f"{name}.bias", bias.astype(np.float32))

    def _product(self, op: ConvOp | DenseOp, x: str, kernel: str, bias: str | None = None) -> str:
        """A convolution or a matrix product."""
        inputs = [x, kernel, bias] if bias else [x, kernel]
        if isinstance(op, DenseOp):
            return self.node("Gemm", inputs)
        (top, bottom), (left, right) = (
            (0, 0) if op.valid else same_padding(size, op.kernel, op.stride)
            for size in op.input_shape[:2]
        )
        return self.node(
            "Conv",
            inputs,
            kernel_shape=[op.kernel, op.kernel],
            strides=[op.stride, op.stride],
            pads=[top, left, bottom, right],
            group=op.in_channels if op.depthwise else 1,
        )

    def _activation(self, name: str, x: str) -> str:
        found = activation(name)
        if not found.onnx:
            return x
        constants = [
            self.constant(key, np.array(value, np.float32)) for key, value in found.onnx_inputs
        ]
        y = self.node(found.onnx, [x, *constants], **dict(found.onnx_attributes))
        return self.node("Mul", [x, y]) if found.is_gate else y

    def _norm(self, op: NormOp, x: str) -> str:
        names = [
            self.constant(f"{op.name}.{kind}", self._weight(f"{op.name}.{kind}").astype(np.float32))
            for kind in ("gamma", "beta", "mean", "variance")
        ]
        return self.node("BatchNormalization", [x, *names], epsilon=spec.BATCH_NORM_EPSILON)

    def _squeeze_excite(self, op: SqueezeExciteOp, x: str) -> str:
        y = self.node("GlobalAveragePool", [x])
        for part in ("reduce", "expand"):
            kernel = self._weight(f"{op.name}.{part}.kernel").T[:, :, None, None]
            bias = self._weight(f"{op.name}.{part}.bias")
            names = [
                self.constant(f"{op.name}.{part}.kernel", kernel.astype(np.float32)),
                self.constant(f"{op.name}.{part}.bias", bias.astype(np.float32)),
            ]
            y = self.node("Conv", [y, *names], kernel_shape=[1, 1])
            if part == "reduce":
                y = self._activation(op.activation, y)
            elif op.gate == "sigmoid":
                y = self.node("Sigmoid", [y])
            else:
                y = self.node("HardSigmoid", [y], alpha=1 / 6, beta=0.5)
        return self.node("Mul", [x, y])
