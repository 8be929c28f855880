"""What the graph of an ONNX file tells of its two ends, and the same graph for any batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from nas.training.teachers.scaling import told_by_factor, told_by_mean

# Operators that change neither which numbers there are nor what they mean.
_CARRIERS = ("Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose")
_FIRST: dict[str, Callable[[np.ndarray], str | None]] = {
    "Mul": told_by_factor,
    "Div": lambda value: told_by_factor(1 / value) if np.all(value) else None,
    "Sub": told_by_mean,
    "Add": lambda value: told_by_mean(-value),
}
_WORDS = {
    "Mul": "multiplies them first",
    "Div": "divides them first",
    "Sub": "subtracts from them first",
    "Add": "adds to them first",
}


def last_operator(model: Any) -> str:
    """The operator that makes a graph's first output, without those that only carry it.

    Args:
        model: `onnx.ModelProto`.
    """
    made = {name: node for node in model.graph.node for name in node.output}
    name = model.graph.output[0].name
    for _ in range(len(model.graph.node)):
        node = made.get(name)
        if node is None or node.op_type not in _CARRIERS:
            break
        name = node.input[0]
    node = made.get(name)
    return "" if node is None else str(node.op_type)


def scaling_of_graph(model: Any, name: str) -> tuple[str, str] | None:
    """How pixels are scaled for a graph, by the first thing that it does to them.

    Args:
        model: `onnx.ModelProto`.
        name: Of the input.

    Returns:
        Name of the scaling and where it is known from; None where the graph does not tell.
    """
    for _ in range(len(model.graph.node)):
        users = [node for node in model.graph.node if name in node.input]
        if len(users) != 1:
            return None
        node = users[0]
        if node.op_type not in _CARRIERS:
            return _told(model, node, name)
        name = node.output[0]
    return None


def _told(model: Any, node: Any, name: str) -> tuple[str, str] | None:
    tell = _FIRST.get(node.op_type)
    others = [other for other in node.input if other != name]
    # A difference or quotient in the other direction says something else.
    if (
        tell is None
        or len(others) != 1
        or (node.input[0] != name and node.op_type in ("Sub", "Div"))
    ):
        return None
    value = _constant(model, others[0])
    scaling = None if value is None else tell(value)
    return None if scaling is None else (scaling, f"its graph {_WORDS[node.op_type]}")


def _constant(model: Any, name: str) -> np.ndarray | None:
    for tensor in model.graph.initializer:
        if tensor.name == name:
            return np.asarray(onnx.numpy_helper.to_array(tensor))
    for node in model.graph.node:
        if node.op_type == "Constant" and name in node.output:
            values = [a.t for a in node.attribute if a.name == "value"]
            return np.asarray(onnx.numpy_helper.to_array(values[0])) if values else None
    return None


def with_free_batch(model: Any, name: str) -> bytes:
    """The same graph for any number of images; whether it computes the same has to be tried.

    Args:
        model: `onnx.ModelProto`; it is not changed.
        name: Of the input of images.
    """
    free = onnx.ModelProto()
    free.CopyFrom(model)
    for value in free.graph.input:
        if value.name == name:
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
    # Stored shapes of the old batch would be believed.
    del free.graph.value_info[:]
    for value in free.graph.output:
        value.type.tensor_type.ClearField("shape")
    data: bytes = free.SerializeToString()
    return data
