"""The graph of a serialised ONNX model as far as drawing its inputs needs it.

Numbers of fields are those of onnx.proto. Functions of the model are put in the place of their
calls, and bodies of loops and branches stand beside the nodes around them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Optional

import numpy as np

from . import protobuf

GRAPH, FUNCTIONS = 7, 25  # of a model
NODE, INITIALIZER, INPUT, OUTPUT, VALUE_INFO = 1, 5, 11, 12, 13  # of a graph
OP_TYPE = 4  # of a node
INT32, INT64 = 6, 7  # types of a tensor
# Deeper calls of functions are left as they are; a function that calls itself ends here.
MOST_CALLS = 20
# Of integers whose values are looked at, such as a depth, or an offset for each column.
MOST_VALUES = 1 << 16

Sizes = tuple[Optional[int], ...]

# Types of elements, as onnxruntime writes them, by their numbers in onnx.proto.
TYPES = {
    **{1: "float", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", INT32: "int32", INT64: "int64"},
    **{8: "string", 9: "bool", 10: "float16", 11: "double", 12: "uint32", 13: "uint64"},
    **{14: "complex64", 15: "complex128", 16: "bfloat16"},
}


@dataclass(frozen=True)
class Node:
    """One operation.

    Args:
        operator: Such as 'Gather'.
        domain: Of the operator; empty for ONNX's own.
        inputs: Names; an empty one stands for an input that is left out.
        outputs: Names.
        numbers: Attribute -> whole number; None where a function's caller sets it.
    """

    operator: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    numbers: Mapping[str, Optional[int]]


@dataclass
class Graph:
    """What a model computes, without its weights.

    Args:
        nodes: Every operation, also inside of bodies.
        sizes: Tensor -> its sizes, None for one that is not fixed; only of those that say it.
        integers: Tensor -> least and greatest value, of stored whole numbers that are few.
    """

    nodes: list[Node] = field(default_factory=list)
    sizes: dict[str, Sizes] = field(default_factory=dict)
    integers: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Input:
    """What a model is fed, described as a session of onnxruntime describes it.

    Args:
        name: Of the input.
        type: Such as 'tensor(float)'.
        shape: Its sizes; None for one that is not fixed.
    """

    name: str
    type: str
    shape: Sizes


@dataclass(frozen=True)
class _Function:
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    body: Graph


def read_graph(model: bytes) -> Graph:
    """Reads a model's graph; what is broken or unknown in it is left out.

    Args:
        model: A serialised ONNX model.
    """
    graph, view = Graph(), memoryview(model)
    functions = {}
    for body in protobuf.parts(view, FUNCTIONS):
        key = (protobuf.text(body, 10), protobuf.text(body, 1))
        inside = Graph()
        inside.nodes += _nodes(protobuf.parts(body, 7), inside)
        functions[key] = _Function(protobuf.texts(body, 4), protobuf.texts(body, 5), inside)
    for part in protobuf.parts(view, GRAPH):
        for node in _body(part, graph):
            graph.nodes += _expanded(node, functions, graph, 0)
    return graph


def model_inputs(model: bytes) -> tuple[Input, ...]:
    """Returns the inputs that a session asks for: tensors without a value in the file.

    Args:
        model: A serialised ONNX model.
    """
    found = []
    for graph in protobuf.parts(memoryview(model), GRAPH):
        filled = {protobuf.text(tensor, 8) for tensor in protobuf.parts(graph, INITIALIZER)}
        for value in protobuf.parts(graph, INPUT):
            name, own = protobuf.text(value, 1), Graph()
            _note_sizes(value, own)
            kinds = [
                number
                for kind in protobuf.parts(value, 2)
                for tensor in protobuf.parts(kind, 1)
                for number in protobuf.numbers(tensor, 1)
            ]
            if name not in filled and kinds:
                kind = TYPES.get(kinds[-1], f"type {kinds[-1]}")
                found.append(Input(name, f"tensor({kind})", own.sizes.get(name, ())))
    return tuple(found)


def _body(part: memoryview, graph: Graph) -> list[Node]:
    """The nodes of a graph or body; notes its tensors."""
    for number in (INPUT, OUTPUT, VALUE_INFO):
        for value in protobuf.parts(part, number):
            _note_sizes(value, graph)
    for tensor in protobuf.parts(part, INITIALIZER):
        _note_tensor(protobuf.text(tensor, 8), tensor, graph)
    return list(_nodes(protobuf.parts(part, NODE), graph))


def _note_sizes(value: memoryview, graph: Graph) -> None:
    for kind in protobuf.parts(value, 2):
        for tensor in protobuf.parts(kind, 1):
            for shape in protobuf.parts(tensor, 2):
                dims = (protobuf.numbers(dim, 1) for dim in protobuf.parts(shape, 1))
                found = tuple(sizes[0] if sizes and sizes[0] > 0 else None for sizes in dims)
                graph.sizes[protobuf.text(value, 1)] = found


def _note_tensor(name: str, tensor: memoryview, graph: Graph) -> None:
    sizes = tuple(protobuf.numbers(tensor, 1))
    graph.sizes[name] = sizes
    values = _integers(tensor) if prod(sizes) <= MOST_VALUES else []
    if len(values):
        graph.integers[name] = (min(values), max(values))


def _integers(tensor: memoryview) -> Sequence[int]:
    """The values of a tensor of whole numbers; none of another one, or where they lie outside."""
    kind = (protobuf.numbers(tensor, 2) or [0])[-1]
    if kind not in (INT32, INT64):
        return []
    for raw in protobuf.parts(tensor, 9):
        width = 4 if kind == INT32 else 8
        if len(raw) % width or len(raw) > width * MOST_VALUES:
            return []
        values: list[int] = np.frombuffer(raw, "<i4" if kind == INT32 else "<i8").tolist()
        return values
    return protobuf.numbers(tensor, 5 if kind == INT32 else 7)


def _nodes(parts: Sequence[memoryview], graph: Graph) -> Iterator[Node]:
    for part in parts:
        numbers: dict[str, Optional[int]] = {}
        operator, outputs = protobuf.text(part, OP_TYPE), protobuf.texts(part, 2)
        for attribute in protobuf.parts(part, 5):
            name = protobuf.text(attribute, 1)
            found = protobuf.numbers(attribute, 3)
            is_set_by_caller = bool(protobuf.parts(attribute, 21))
            if found or is_set_by_caller:
                numbers[name] = None if is_set_by_caller else found[-1]
            for tensor in protobuf.parts(attribute, 5)[:1]:
                if operator == "Constant" and outputs:
                    _note_tensor(outputs[0], tensor, graph)
            for number in (6, 11):
                for body in protobuf.parts(attribute, number):
                    yield from _body(body, graph)
        domain = protobuf.text(part, 7)
        if operator == "Constant" and outputs and numbers.get("value_int") is not None:
            value = int(numbers["value_int"] or 0)
            graph.integers[outputs[0]] = (value, value)
        domain = "" if domain == "ai.onnx" else domain
        yield Node(operator, domain, protobuf.texts(part, 1), outputs, numbers)


def _expanded(
    node: Node, functions: Mapping[tuple[str, str], _Function], graph: Graph, calls: int
) -> list[Node]:
    """The nodes of the function that a node calls, or the node itself."""
    function = functions.get((node.domain, node.operator))
    if function is None or calls >= MOST_CALLS:
        return [node]
    names = {**dict(zip(function.inputs, node.inputs)), **dict(zip(function.outputs, node.outputs))}
    # No name of a file has a zero byte within.
    prefix = f"{node.outputs[0] if node.outputs else ''}\0"

    def here(inside: str) -> str:
        return names.get(inside, prefix + inside) if inside else ""

    graph.sizes.update({here(name): sizes for name, sizes in function.body.sizes.items()})
    graph.integers.update({here(name): ends for name, ends in function.body.integers.items()})
    found = []
    for inner in function.body.nodes:
        inputs, outputs = (tuple(map(here, own)) for own in (inner.inputs, inner.outputs))
        called = replace(inner, inputs=inputs, outputs=outputs)
        found += _expanded(called, functions, graph, calls + 1)
    return found
