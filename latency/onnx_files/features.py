"""What an ONNX graph computes and moves: the physical features that latencies depend on."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from latency.onnx_files.shaped_graph import ShapedGraph, malformed_refused

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
        FeatureError: A shape is not fixed, or a node lacks what its operator needs.
    """
    total = dict.fromkeys(FEATURES, 0.0)
    with malformed_refused():
        graph = ShapedGraph(model)
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


def _node_features(graph: ShapedGraph, node: Any, vector: int) -> Mapping[str, float]:
    if node.op_type in FREE or is_fused(graph, node):
        return {}
    inputs = [name for name in node.input if name]
    moved = sum(graph.size_bytes(name) for name in inputs if not graph.is_weight(name))
    moved += sum(graph.size_bytes(name) for name in node.output if name)
    weights = sum(graph.size_bytes(name) for name in inputs if graph.is_weight(name))
    found = {"nodes": 1.0, "weight_bytes": weights}
    if node.op_type == "Conv":
        kind, macs = _conv_macs(graph, node, vector)
        return {**found, kind: macs, "activation_bytes": moved}
    if node.op_type == "ConvTranspose":
        # Each pixel of the input meets the whole weight of its group.
        image, weight = graph.shape(inputs[0]), graph.shape(inputs[1])
        macs = float(image[0] * prod(image[2:]) * prod(weight))
        return {**found, "conv_macs": macs, "activation_bytes": moved}
    if node.op_type in ("Gemm", "MatMul"):
        inner = graph.shape(inputs[0])[-1]
        outputs = prod(graph.shape(node.output[0]))
        return {**found, "dense_macs": float(inner * outputs), "activation_bytes": moved}
    return {**found, "elementwise_bytes": moved}


def is_fused(graph: ShapedGraph, node: Any) -> bool:
    """Whether an activation is computed by the convolution or addition before it."""
    if node.op_type not in FUSED:
        return False
    source = graph.source.get(graph.origin(node.input[0]))
    for _ in graph.nodes:  # a graph that runs in a circle is no reason to do so, too
        if source is None or source.op_type not in FREE:
            break
        source = graph.source.get(source.input[0])
    return source is not None and source.op_type in ("Conv", "Gemm", "Add")


def _conv_macs(graph: ShapedGraph, node: Any, vector: int) -> tuple[str, float]:
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
