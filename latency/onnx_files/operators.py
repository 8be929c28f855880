"""Operators of a graph by what decides their kind of cost: what the rows of a table speak for."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from math import prod
from typing import Any

from latency.onnx_files.features import FREE, is_fused
from latency.onnx_files.shaped_graph import ShapedGraph, malformed_refused

# What these say is counted by the features, or takes no time.
UNTIMED = frozenset(
    ("pads", "auto_pad", "ceil_mode", "count_include_pad", "storage_order", "training_mode")
    + ("output_padding", "output_shape", "allowzero", "spatial", "seed", "to", "saturate")
)
# Free operators that change a type: they cost nothing where a neighbour takes them in, and only
# rows of the same types can tell.
RETYPING = frozenset(("QuantizeLinear", "DequantizeLinear", "Cast"))
CONVOLUTIONS = frozenset(("Conv", "ConvTranspose"))
PRODUCTS = frozenset(("Gemm", "MatMul"))
BROADCASTING = frozenset(
    ("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mean", "Sum", "Mod", "PRelu", "Where")
    + ("And", "Or", "Xor", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")
)


def row_operators(long: bytes, short: bytes | None) -> tuple[str, ...]:
    """Returns the kinds of operators that a row consists of, sorted.

    A kind is an operator with everything that changes what one multiply-add or byte of it costs:
    groups, dilation, axis, data type and so on, but not sizes. A row is a difference of graphs, and
    so are its operators: those that both have alike are no part of it.

    Args:
        long: The graph with the row.
        short: The graph without it, or with fewer copies; None for nothing.

    Raises:
        FeatureError: A shape is not fixed.
    """
    difference = _kinds(long)
    difference.subtract(_kinds(short) if short is not None else ())
    return tuple(sorted(kind for kind, count in difference.items() if count))


def _kinds(model: bytes) -> Counter[str]:
    with malformed_refused():
        graph = ShapedGraph(model)
        kinds = (_kind(graph, node) for node in graph.nodes)
        return Counter(kind for kind in kinds if kind)


def _kind(graph: ShapedGraph, node: Any) -> str:
    """Such as 'Conv group=4 dilations=[2, 2]'; empty for what only renames or reshapes."""
    if node.op_type in FREE - RETYPING:
        return ""
    name = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
    words = [name, *_words(graph, node), *_types(graph, node)]
    return " ".join([*words, "fused"] if is_fused(graph, node) else words)


def _words(graph: ShapedGraph, node: Any) -> Iterable[str]:
    if node.op_type in CONVOLUTIONS:
        return _convolution_words(graph, node)
    if node.op_type in PRODUCTS:
        return _product_words(graph, node)
    words = list(_attribute_words(graph, node))
    if node.op_type in BROADCASTING:
        return [*words, *_broadcast_words(graph, node)]
    return [*words, *_constant_words(graph, node)]


def _convolution_words(graph: ShapedGraph, node: Any) -> Iterable[str]:
    weight = graph.shape(node.input[1])
    numbers = {a.name: list(a.ints) for a in node.attribute}
    group = next((a.i for a in node.attribute if a.name == "group"), 1)
    # A transposed convolution's weight begins with the channels that it reads.
    channels = weight[0]
    if group == 1:
        yield "pointwise" if prod(weight[2:]) == 1 else "full"
    else:
        yield "depthwise" if weight[1] == 1 and group == channels else f"group={group}"
    if len(weight) != 4:
        yield f"{len(weight) - 2}-d"
    if len(set(weight[2:])) > 1:
        yield "oblong"
    if any(stride > 1 for stride in numbers.get("strides", ())):
        yield "strided"
    if any(dilation > 1 for dilation in numbers.get("dilations", ())):
        yield f"dilations={numbers['dilations']}"
    if not graph.is_weight(node.input[1]):
        yield "by a computed weight"


def _product_words(graph: ShapedGraph, node: Any) -> Iterable[str]:
    rank = len(graph.shape(node.input[0]))
    if rank != 2:
        yield f"{rank}-d"
    if any(a.name == "transA" and a.i for a in node.attribute):
        yield "transposed"
    if not any(graph.is_weight(name) for name in node.input[:2]):
        yield "of two activations"


def _attribute_words(graph: ShapedGraph, node: Any) -> Iterable[str]:
    """Whole numbers and texts; an axis counted from the front, beside the number of axes."""
    rank = len(graph.shape(node.input[0])) if node.input and node.input[0] else 0
    for attribute in sorted(node.attribute, key=lambda entry: str(entry.name)):
        name = attribute.name
        kind = attribute.AttributeType.Name(attribute.type)
        if name in UNTIMED:
            continue
        if kind in ("GRAPH", "GRAPHS"):
            body = hashlib.sha256(attribute.SerializeToString()).hexdigest()[:8]
            yield f"{name}={body}"
        elif kind == "STRING":
            yield f"{name}={attribute.s.decode(errors='replace')}"
        elif name in ("axis", "axes"):
            axes = [attribute.i] if kind == "INT" else list(attribute.ints)
            yield f"{name}={[axis % rank if rank else axis for axis in axes]} of {rank}"
        elif kind == "INT":
            yield f"{name}={attribute.i}"
        elif kind == "INTS":
            yield f"{name}={list(attribute.ints)}"


def _constant_words(graph: ShapedGraph, node: Any) -> Iterable[str]:
    """Short constant inputs, which newer operators have in place of attributes."""
    from onnx import TensorProto

    for place, name in enumerate(node.input):
        # Other fractions, such as the limits of a Clip, cost what any of them cost.
        is_said = graph.types.get(name) != TensorProto.FLOAT or node.op_type == "Resize"
        if place and name in graph.constants and is_said and node.op_type not in RETYPING:
            yield f"input {place}={[round(v, 6) for v in graph.constants[name]]}"


def _broadcast_words(graph: ShapedGraph, node: Any) -> Iterable[str]:
    """Which axes of an input are repeated, for each that is smaller than the output."""
    output = graph.shape(node.output[0])
    for name in node.input:
        shape = graph.shape(name) if graph.shapes.get(name) != [] else []
        if prod(shape) == prod(output):
            continue
        padded = [1] * (len(output) - len(shape)) + list(shape)
        repeated = [axis for axis, size in enumerate(padded) if size != output[axis]]
        yield "with a number" if prod(shape) == 1 else f"repeated over {repeated}"


def _types(graph: ShapedGraph, node: Any) -> Iterable[str]:
    """Types of the input and the weight; for a change of type, of input and output."""
    names = [name for name in node.input[:2] if name]
    if node.op_type in RETYPING:
        names = [node.input[0], node.output[0]]
        found = [_plain_type(graph, name) for name in names]
    else:
        found = [graph.type_name(name) for name in names]
    return () if set(found) == {"float"} else (" and ".join(dict.fromkeys(found)),)


def _plain_type(graph: ShapedGraph, name: str) -> str:
    from onnx import TensorProto

    return str(TensorProto.DataType.Name(graph.types.get(name, 0))).lower()
