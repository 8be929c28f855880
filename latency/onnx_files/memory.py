"""The peak activation memory of an ONNX graph: the greatest sum of tensors alive at once.

The figure is of the file as it was exported, node by node in the order of the file, and of no
runtime. What counts:

- The graph's inputs, from the start to their last reader; everything that nodes compute, from the
  node that writes it to its last reader; the graph's outputs, from their node to the end.
- Not what is stored in the file, nor what follows from that alone: weights, constants, shapes.
- Reshape, Flatten and the like are views: they have the memory of their input.
- An activation such as Relu or Clip writes over its input if nobody reads that later, as it does
  in ONNX Runtime. Any other node needs its inputs and its outputs at the same time, also an
  addition.
- Values between a QuantizeLinear and the DequantizeLinear nodes that read it are kept in the
  quantised type, and so is what only a QuantizeLinear reads: integer kernels run it that way.
- Not the working memory inside of a kernel.

A runtime that fuses nodes may need less, and one that does not pack memory perfectly needs more;
docs/measuring.md says how ONNX Runtime compares.
"""

from __future__ import annotations

from math import prod
from typing import Any

from latency.onnx_files.liveness import ActivationPeak, Step, Storage, Tensor, activation_peak
from latency.onnx_files.shaped_graph import FeatureError, ShapedGraph, malformed_refused

VIEWS = frozenset(("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"))
# Functions of one value, which ONNX Runtime writes over their input. It does not do so for sums,
# products and further functions, and neither are they counted so.
ACTIVATIONS = frozenset(
    ("Relu", "Clip", "LeakyRelu", "Elu", "Selu", "Celu", "ThresholdedRelu", "HardSwish")
    + ("Sigmoid", "HardSigmoid", "Tanh", "Softplus", "Softsign")
)
RANDOM = frozenset(
    ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
    + ("Bernoulli", "Multinomial")
)
# Of these the shape is read, which is fixed.
SHAPES = frozenset(("Shape", "Size"))
BITS_OF_SMALL_TYPES = {"INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4, "INT2": 2, "UINT2": 2}


def peak_activation_bytes(model: bytes) -> int:
    """The greatest sum of tensors that are alive at once; see the top of this file.

    Args:
        model: A serialised ONNX model with fixed input shapes; `read_model` gives one.

    Raises:
        FeatureError: A shape or type is not known, or a node has a graph inside.
    """
    return onnx_activation_peak(model).peak_bytes


def onnx_activation_peak(model: bytes) -> ActivationPeak:
    """Where the most is alive, and what; see the top of this file.

    Args:
        model: A serialised ONNX model with fixed input shapes; `read_model` gives one.

    Raises:
        FeatureError: A shape or type is not known, or a node has a graph inside.
    """
    with malformed_refused():
        return _MemoryGraph(model).peak()


class _MemoryGraph:
    """A graph's nodes as steps.

    Args:
        model: A serialised ONNX model.
    """

    def __init__(self, model: bytes) -> None:
        self._graph = ShapedGraph(model)
        self._outputs = frozenset(self._graph.outputs)
        self._readers = self._readers_by_tensor()
        self._constants = self._constant_tensors()
        self._kept = self._kept_tensors()

    def peak(self) -> ActivationPeak:
        """The step at which most is alive."""
        inputs = [self._tensor(n) for n in self._graph.inputs if n not in self._constants]
        nodes = [n for n in enumerate(self._graph.nodes) if not self._is_constant(n[1])]
        return activation_peak(inputs, [self._step(*node) for node in nodes], self._outputs)

    def _readers_by_tensor(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for number, node in enumerate(self._graph.nodes):
            if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
                raise FeatureError(
                    "a graph without graphs inside of its nodes",
                    f"{_label(number, node)}, a {node.op_type} node with one",
                    "export the model without branches and loops",
                )
            for name in node.input:
                found.setdefault(name, []).append(node)
        return found

    def _constant_tensors(self) -> set[str]:
        """What the file stores, and what follows from that alone."""
        found = set(self._graph.weights)
        for node in self._graph.nodes:
            sources = [name for name in node.input if name]
            known = node.op_type in SHAPES or all(name in found for name in sources)
            if known and node.op_type not in RANDOM:
                found.update(name for name in node.output if name)
        return found

    def _is_constant(self, node: Any) -> bool:
        return all(name in self._constants for name in node.output if name)

    def _kept_tensors(self) -> dict[str, str]:
        """Tensor -> the one in whose type it is kept, where that is not its own."""
        kept: dict[str, str] = {}
        for node in self._graph.nodes:
            if node.op_type == "DequantizeLinear" and node.output[0] not in self._outputs:
                kept[node.output[0]] = node.input[0]
        for node in reversed(self._graph.nodes):
            written = node.output[0]
            if node.op_type == "QuantizeLinear" and self._is_read_by_one_kind(node.input[0], node):
                kept[node.input[0]] = written
            # An activation behind a convolution is a part of its kernel.
            is_activation = node.op_type in ACTIVATIONS and len(self._moving(node)) == 1
            if is_activation and written in kept:
                source = self._moving(node)[0]
                if source not in kept and self._is_read_by_one_kind(source, node):
                    kept[source] = kept[written]
        return kept

    def _is_read_by_one_kind(self, name: str, node: Any) -> bool:
        """Whether nothing but such a node reads a tensor that is handed neither in nor out."""
        handed = name in self._outputs or name in self._graph.inputs
        return not handed and all(n.op_type == node.op_type for n in self._readers[name])

    def _moving(self, node: Any) -> list[str]:
        """The tensors that a node reads and that are no constants."""
        return [name for name in node.input if name and name not in self._constants]

    def _step(self, number: int, node: Any) -> Step:
        writes = tuple(self._tensor(name) for name in node.output if name)
        label = _label(number, node)
        return Step(label, node.op_type, tuple(self._moving(node)), writes, self._storage(node))

    def _storage(self, node: Any) -> Storage:
        first = node.input[0] if node.input else ""
        if node.op_type == "QuantizeLinear":
            shares = self._kept.get(first) == node.output[0]
        elif node.op_type == "DequantizeLinear":
            shares = node.output[0] in self._kept
        else:
            shares = node.op_type in VIEWS
        if shares and first not in self._constants:
            return Storage.VIEW
        return Storage.OVERWRITES if node.op_type in ACTIVATIONS else Storage.NEW

    def _tensor(self, name: str) -> Tensor:
        kept = self._kept.get(name, name)
        return Tensor(name, _size_bytes(self._graph, name, self._graph.types.get(kept, 0)))


def _label(number: int, node: Any) -> str:
    """The name of a node; by its place where it has none."""
    return str(node.name) or f"{node.op_type} {number}"


def _size_bytes(graph: ShapedGraph, name: str, data_type: int) -> int:
    """Bytes of a tensor in a type; types of less than a byte are packed."""
    from onnx import TensorProto, helper

    kind = str(TensorProto.DataType.Name(data_type))
    count = prod(graph.shape(name))
    if kind in BITS_OF_SMALL_TYPES:
        return -(-count * BITS_OF_SMALL_TYPES[kind] // 8)
    if kind in ("UNDEFINED", "STRING"):
        raise FeatureError(
            "tensors of numbers",
            f"{name!r} of type {kind.lower()}",
            "export the model again with types, by a tool that writes them",
        )
    return count * int(helper.tensor_dtype_to_np_dtype(data_type).itemsize)
