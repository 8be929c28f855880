"""Shapes, types and sources of the tensors of an ONNX graph."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from math import prod
from typing import Any

from latency.errors import LatencyError


class FeatureError(LatencyError):
    """A graph whose shapes cannot be known."""


# Longer arrays of whole numbers are indices; shorter ones say what an operator does.
MOST_CONSTANTS = 8


@contextlib.contextmanager
def malformed_refused() -> Iterator[None]:
    """Makes one error of what a graph raises whose nodes lack inputs, sizes or known types.

    Raises:
        FeatureError: As said.
    """
    try:
        yield
    except LatencyError:
        raise
    except Exception as error:  # the exceptions of onnx and of missing inputs share no base class
        line = (str(error).splitlines() or [""])[0]
        raise FeatureError(
            "a graph in which every node has what its operator needs",
            f"{type(error).__name__}: {line}",
            "check the file with onnx.checker, and export the model again",
        ) from error


class ShapedGraph:
    """Shapes, types and initializers of a graph by tensor name; functions of a model are inlined.

    Args:
        model: A serialised ONNX model.
    """

    def __init__(self, model: bytes) -> None:
        import onnx
        import onnx.inliner

        proto = onnx.load_model_from_string(model)
        if proto.functions:
            proto = onnx.inliner.inline_local_functions(proto)
        # Shapes that a graph computes from shapes are known as well.
        graph = onnx.shape_inference.infer_shapes(proto, data_prop=True).graph
        self.nodes = list(graph.node)
        self.inputs = tuple(value.name for value in graph.input)
        self.outputs = tuple(value.name for value in graph.output)
        self.shapes: dict[str, list[int]] = {}
        self.types: dict[str, int] = {}
        self.weights = {tensor.name for tensor in graph.initializer}
        self.source = {name: node for node in self.nodes for name in node.output}
        for value in (*graph.input, *graph.value_info, *graph.output):
            tensor = value.type.tensor_type
            # Without a shape the number of dimensions is unknown; a number has a shape of none.
            if tensor.HasField("shape"):
                self.shapes[value.name] = [dim.dim_value for dim in tensor.shape.dim]
            self.types[value.name] = tensor.elem_type
        for tensor in graph.initializer:
            self.shapes[tensor.name] = list(tensor.dims)
            self.types[tensor.name] = tensor.data_type
        self.constants = _small_constants(graph)
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
        return prod(self.shape(name)) * _element_bytes(self.kept_type(name))

    def kept_type(self, name: str) -> int:
        """The type that a tensor is kept in, as ONNX numbers them: quantised or not."""
        kept = self.origin(name)
        for consumer in self._consumers.get(name, ()):
            if consumer.op_type == "QuantizeLinear":
                kept = consumer.output[0]
        return self.types.get(kept, 0)

    def type_name(self, name: str) -> str:
        """Such as 'float' or 'uint8'; 'undefined' where it is not known."""
        from onnx import TensorProto

        return str(TensorProto.DataType.Name(self.kept_type(name))).lower()

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


def _small_constants(graph: Any) -> dict[str, list[float]]:
    """Name -> values of short constant vectors, such as axes and scales, stored or by a node."""
    from onnx import TensorProto, numpy_helper

    kinds = (TensorProto.INT64, TensorProto.INT32, TensorProto.FLOAT)
    tensors = [(tensor.name, tensor) for tensor in graph.initializer]
    for node in graph.node:
        if node.op_type == "Constant":
            values = [entry.t for entry in node.attribute if entry.name == "value"]
            tensors += [(node.output[0], tensor) for tensor in values]
    return {
        name: [float(value) for value in numpy_helper.to_array(tensor).ravel()]
        for name, tensor in tensors
        if tensor.data_type in kinds
        and tensor.data_location != TensorProto.EXTERNAL
        and len(tensor.dims) <= 1
        and prod(tensor.dims) <= MOST_CONSTANTS
    }
