"""Architecture + weights -> ONNX, the same graph for measuring and for deployment.

Written with `onnx.helper`, batch normalisation folded. Opset 17 and IR 8 load in runtimes
from 2022 on. Needs neither Keras nor TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from nas.architecture import spec
from nas.architecture.lowering import lower, lower_architecture
from nas.architecture.operations import (
    ConvOp,
    DenseOp,
    DropoutOp,
    FlattenOp,
    Op,
    PoolOp,
    ResidualOp,
    SqueezeExciteOp,
    all_ops,
    output_shape,
)
from nas.architecture.shapes import Shape, same_padding
from nas.architecture.weights import op_weights, random_op_weights
from nas.errors import ArchitectureError

OPSET = 17
IR_VERSION = 8
# Smaller weights are denormal in float32: they cost a CPU a hundred times a normal one.
LEAST_NORMAL = 1.2e-38


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
    writer = _Writer(weights)
    shape: Shape = (size, size, spec.IMAGE_CHANNELS)
    layers = lower_architecture(architecture)
    first = next((op for layer in layers for op in layer.ops), None)
    x = writer.node("Transpose", ["image"], perm=[0, 3, 1, 2])
    x = writer.scaled_pixels(x, foldable=isinstance(first, ConvOp))
    for layer in layers:
        x, shape = writer.ops(layer.ops, x, shape)
    return writer.model(
        ("image", [batch, size, size, spec.IMAGE_CHANNELS]), "logits", x, shape, metadata or {}
    )


def to_onnx_bytes(
    architecture: spec.Architecture,
    weights: Mapping[str, np.ndarray],
    *,
    metadata: Mapping[str, str] | None = None,
    batch: int = 1,
) -> bytes:
    """`to_onnx` as the bytes of a file."""
    return to_onnx(architecture, weights, metadata=metadata, batch=batch).SerializeToString()


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
    """
    height, width, channels = input_shape
    ops: list[Op] = [ConvOp("prefix", 1, 1, prefix_channels, channels, activation="relu6")]
    shape: Shape = input_shape
    for index, layer in enumerate(layers):
        lowered = lower(layer, f"{index}", shape)
        shape = output_shape(lowered, shape)
        ops.extend(lowered)
    if len(shape) == 3:
        ops.append(PoolOp("mean", "mean"))
    rng = np.random.default_rng(seed)
    weights: dict[str, np.ndarray] = {}
    for op in all_ops(tuple(ops)):
        weights |= random_op_weights(op, rng)
    writer = _Writer(weights)
    x, out = writer.ops(tuple(ops), "x", (height, width, prefix_channels))
    return writer.model(
        ("x", [batch, prefix_channels, height, width]), "y", x, out, {}
    ).SerializeToString()


class _Writer:
    """Collects nodes and initializers."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, np.ndarray] = {}
        self.pixel_scale: float | None = None

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Adds a node and returns its output's name."""
        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        """Adds an initializer; denormal values become 0."""
        value = np.ascontiguousarray(value)
        if value.dtype == np.float32:
            value = np.where(np.abs(value) < LEAST_NORMAL, np.float32(0), value)
        self.initializers[name] = value
        return name

    def scaled_pixels(self, x: str, foldable: bool) -> str:
        """Pixel * scale + offset; the scale goes into the first convolution where there is one.

        The offset cannot: the convolution pads with zeros after scaling.
        """
        if foldable:
            self.pixel_scale = spec.PIXEL_SCALE
            shift = np.array(spec.PIXEL_OFFSET / spec.PIXEL_SCALE, np.float32)
            return self.node("Add", [x, self.constant("pixel_offset", shift)])
        scale = self.constant("pixel_scale", np.array(spec.PIXEL_SCALE, np.float32))
        offset = self.constant("pixel_offset", np.array(spec.PIXEL_OFFSET, np.float32))
        return self.node("Add", [self.node("Mul", [x, scale]), offset])

    def ops(self, ops: tuple[Op, ...], x: str, shape: Shape) -> tuple[str, Shape]:
        """Adds a chain; returns the name and the (height, width, channels) of its output."""
        for op in ops:
            x = self._op(op, x, shape)
            shape = output_shape((op,), shape)
        return x, shape

    def _op(self, op: Op, x: str, shape: Shape) -> str:
        self._check_weights(op)
        match op:
            case ConvOp():
                return self._conv(op, x, shape)
            case DenseOp():
                kernel, bias = self._folded(op.name, op.bias, op.batch_norm)
                x = self.node("Gemm", [x, kernel, bias] if bias else [x, kernel])
                return self._activation(op.activation, x)
            case SqueezeExciteOp():
                return self._squeeze_excite(op, x)
            case PoolOp(kind="mean"):
                return self.node("Flatten", [self.node("GlobalAveragePool", [x])])
            case PoolOp():
                window = [op.size, op.size]
                return self.node("MaxPool", [x], kernel_shape=window, strides=window)
            case FlattenOp():
                return self.node("Flatten", [self.node("Transpose", [x], perm=[0, 2, 3, 1])])
            case DropoutOp():
                return x
            case ResidualOp():
                body, _ = self.ops(op.body, x, shape)
                return self.node("Add", [x, body])
        raise TypeError(f"Expected a primitive operation. Received: {op!r}. Fix: add it here.")

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

    def _folded(self, name: str, has_bias: bool, batch_norm: bool) -> tuple[str, str | None]:
        """Kernel and bias with batch normalisation multiplied in, in float64 until the end."""
        kernel = self._weight(f"{name}.kernel")
        bias = self._weight(f"{name}.bias") if has_bias else None
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

    def _conv(self, op: ConvOp, x: str, shape: Shape) -> str:
        kernel, bias = self._folded(op.name, op.bias, op.batch_norm)
        top, bottom = same_padding(shape[0], op.kernel, op.stride)
        left, right = same_padding(shape[1], op.kernel, op.stride)
        x = self.node(
            "Conv",
            [x, kernel, bias] if bias else [x, kernel],
            kernel_shape=[op.kernel, op.kernel],
            strides=[op.stride, op.stride],
            pads=[top, left, bottom, right],
            group=op.in_channels if op.depthwise else 1,
        )
        return self._activation(op.activation, x)

    def _activation(self, name: str, x: str) -> str:
        match name:
            case "none":
                return x
            case "relu":
                return self.node("Relu", [x])
            case "relu6":
                low = self.constant("relu6_low", np.array(0, np.float32))
                high = self.constant("relu6_high", np.array(6, np.float32))
                return self.node("Clip", [x, low, high])
            case "hard_swish":
                return self.node("HardSwish", [x])
        raise ArchitectureError(f"an activation of {list(spec.ACTIVATIONS)}", name, "choose one")

    def _squeeze_excite(self, op: SqueezeExciteOp, x: str) -> str:
        y = self.node("GlobalAveragePool", [x])
        for part, follow in (("reduce", "Relu"), ("expand", "HardSigmoid")):
            kernel = self._weight(f"{op.name}.{part}.kernel").T[:, :, None, None]
            bias = self._weight(f"{op.name}.{part}.bias")
            names = [
                self.constant(f"{op.name}.{part}.kernel", kernel.astype(np.float32)),
                self.constant(f"{op.name}.{part}.bias", bias.astype(np.float32)),
            ]
            y = self.node("Conv", [y, *names], kernel_shape=[1, 1])
            attributes = {"alpha": 1 / 6, "beta": 0.5} if follow == "HardSigmoid" else {}
            y = self.node(follow, [y], **attributes)
        return self.node("Mul", [x, y])

    def model(
        self,
        source: tuple[str, list[int]],
        output: str,
        last: str,
        shape: Shape,
        metadata: Mapping[str, str],
    ) -> onnx.ModelProto:
        """The finished model; the last node's output gets the public name."""
        if not self.nodes:
            raise ArchitectureError("at least one operation", "none", "add a layer")
        for node in self.nodes:
            for names in (node.input, node.output):
                for place, name in enumerate(names):
                    if name == last:
                        names[place] = output
        batch = source[1][0]
        out_shape = [*shape] if len(shape) == 1 else [shape[2], shape[0], shape[1]]
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info(source[0], TensorProto.FLOAT, source[1])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [batch, *out_shape])],
            [numpy_helper.from_array(v, n) for n, v in self.initializers.items()],
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="stopwatch-nas",
        )
        helper.set_model_props(model, dict(metadata))
        return model
