"""What an ONNX graph computes and moves: the physical features that latencies depend on."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from latency.errors import LatencyError

# Operators that ONNX Runtime fuses into the convolution before them: they move nothing.
FUSED = frozenset(("Relu", "Clip", "HardSwish", "HardSigmoid", "Sigmoid", "LeakyRelu", "Tanh"))
# Operators that only rename, reshape or stand for a data type.
FREE = frozenset(
    ("Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Constant", "Dropout")
    + ("QuantizeLinear", "DequantizeLinear", "Cast")
)
FEATURES = (
    "pointwise_macs",
    "depthwise_macs",
    "conv_macs",
    "dense_macs",
    "activation_bytes",
    "elementwise_bytes",
    "weight_bytes",
    "nodes",
)
# Channels of one vector register in float32, by instruction set, widest first.
VECTOR_CHANNELS = (("avx512", 16), ("avx", 8), ("sve", 8))
NARROW_VECTOR = 4


class FeatureError(LatencyError):
    """A graph whose shapes cannot be known."""


def vector_channels(isa_flags: tuple[str, ...]) -> int:
    """Returns how many float32 channels a processor's vector register holds."""
    for prefix, channels in VECTOR_CHANNELS:
        if any(flag.startswith(prefix) for flag in isa_flags):
            return channels
    return NARROW_VECTOR


def graph_features(model: bytes, vector: int = 8) -> dict[str, float]:
    """Counts work and traffic of a graph for one run, summed over its nodes.

    MACs are counted with channels rounded up to whole vectors, as blocked layouts compute them.
    `activation_bytes` are read and written by convolutions and dense layers, `elementwise_bytes` by
    additions, products and pooling. Quantise and dequantise nodes stand for a type and count 0.

    Args:
        model: A serialised ONNX model with fixed input shapes.
        vector: Channels of one vector register.

    Raises:
        FeatureError: A shape is not fixed.
    """
    graph = _Graph(model)
    total = dict.fromkeys(FEATURES, 0.0)
    for node in graph.nodes:
        for name, value in _node_features(graph, node, vector).items():
            total[name] += value
    return total


def row_features(
    long: bytes, short: bytes | None, divisor: float, vector: int = 8
) -> dict[str, float]:
    """Returns a row's features: (long - short) / divisor, as its latency is.

    A difference may be negative where the block shrinks the map that a final pooling reads: that
    much the measured difference is shorter, too.

    Args:
        long: The graph with the row.
        short: The graph without it, or with fewer copies; None for nothing.
        divisor: Copies more in the long graph.
        vector: Channels of one vector register.

    Raises:
        FeatureError: A shape is not fixed.
    """
    more = graph_features(long, vector)
    less = graph_features(short, vector) if short is not None else dict.fromkeys(FEATURES, 0.0)
    return {name: (more[name] - less[name]) / divisor for name in FEATURES}


class _Graph:
    """Shapes, element sizes and initializers of a graph by tensor name."""

    def __init__(self, model: bytes) -> None:
        import onnx

        proto = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(model))
        graph = proto.graph
        self.nodes = list(graph.node)
        self.shapes: dict[str, list[int]] = {}
        self.bytes_each: dict[str, float] = {}
        self.weights = {tensor.name for tensor in graph.initializer}
        self.source = {name: node for node in self.nodes for name in node.output}
        for value in (*graph.input, *graph.value_info, *graph.output):
            tensor = value.type.tensor_type
            self.shapes[value.name] = [dim.dim_value for dim in tensor.shape.dim]
            self.bytes_each[value.name] = _element_bytes(tensor.elem_type)
        for tensor in graph.initializer:
            self.shapes[tensor.name] = list(tensor.dims)
            self.bytes_each[tensor.name] = _element_bytes(tensor.data_type)
        self._consumers: dict[str, list[Any]] = {}
        for node in self.nodes:
            for name in node.input:
                self._consumers.setdefault(name, []).append(node)

    def shape(self, name: str) -> list[int]:
        """Sizes of a tensor.

        Raises:
            FeatureError: They are not known.
        """
        shape = self.shapes.get(name)
        if shape is None or any(size <= 0 for size in shape):
            raise FeatureError(
                "tensors of known shape",
                f"{name!r} of shape {shape}",
                "fix the input shapes (--input_shape) and export the model again",
            )
        return shape

    def origin(self, name: str) -> str:
        """The stored tensor behind a dequantised one; the name itself for any other."""
        node = self.source.get(name)
        return node.input[0] if node is not None and node.op_type == "DequantizeLinear" else name

    def size_bytes(self, name: str) -> float:
        """Bytes that a tensor moves, in the type that it is kept in."""
        kept = self.origin(name)
        for consumer in self._consumers.get(name, ()):
            if consumer.op_type == "QuantizeLinear":
                kept = consumer.output[0]
        return prod(self.shape(name)) * self.bytes_each.get(kept, 4.0)

    def is_weight(self, name: str) -> bool:
        """Whether a tensor is stored in the model, dequantised or not."""
        return self.origin(name) in self.weights


def _element_bytes(data_type: int) -> float:
    from onnx import TensorProto

    one = (TensorProto.INT8, TensorProto.UINT8, TensorProto.BOOL)
    two = (TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.INT16, TensorProto.UINT16)
    eight = (TensorProto.DOUBLE, TensorProto.INT64, TensorProto.UINT64)
    if data_type in one:
        return 1.0
    return 2.0 if data_type in two else 8.0 if data_type in eight else 4.0


def _node_features(graph: _Graph, node: Any, vector: int) -> Mapping[str, float]:
    if node.op_type in FREE or (node.op_type in FUSED and _follows_conv(graph, node)):
        return {}
    inputs = [name for name in node.input if name]
    moved = sum(graph.size_bytes(name) for name in inputs if not graph.is_weight(name))
    moved += sum(graph.size_bytes(name) for name in node.output if name)
    weights = sum(
        prod(graph.shape(name)) * graph.bytes_each[graph.origin(name)]
        for name in inputs
        if graph.is_weight(name)
    )
    found = {"nodes": 1.0, "weight_bytes": weights}
    if node.op_type == "Conv":
        kind, macs = _conv_macs(graph, node, vector)
        return {**found, kind: macs, "activation_bytes": moved}
    if node.op_type in ("Gemm", "MatMul"):
        inner = graph.shape(inputs[0])[-1]
        outputs = prod(graph.shape(node.output[0]))
        return {**found, "dense_macs": float(inner * outputs), "activation_bytes": moved}
    return {**found, "elementwise_bytes": moved}


def _follows_conv(graph: _Graph, node: Any) -> bool:
    source = graph.source.get(graph.origin(node.input[0]))
    while source is not None and source.op_type in FREE:
        source = graph.source.get(source.input[0])
    return source is not None and source.op_type in ("Conv", "Gemm", "Add")


def _conv_macs(graph: _Graph, node: Any, vector: int) -> tuple[str, float]:
    output, weight = graph.shape(node.output[0]), graph.shape(node.input[1])
    group = next((a.i for a in node.attribute if a.name == "group"), 1)
    window = prod(weight[2:])
    pixels = output[0] * prod(output[2:])
    padded_out = -(-output[1] // vector) * vector
    if group == output[1] and weight[1] == 1:
        return "depthwise_macs", float(pixels * padded_out * window)
    padded_in = -(-weight[1] // vector) * vector if weight[1] > vector else weight[1]
    kind = "pointwise_macs" if window == 1 else "conv_macs"
    return kind, float(pixels * padded_out * padded_in * window)
