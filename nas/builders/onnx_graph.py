"""The graph of an ONNX file while it is written: nodes, initializers, and the model of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from nas.architecture.shapes import Shape
from nas.errors import ArchitectureError

# Smaller weights are denormal in float32: they cost a CPU a hundred times a normal one.
LEAST_NORMAL = 1.2e-38


class Graph:
    """Collects nodes and initializers.

    Args:
        opset: Version of the operators.
        ir_version: Of the file's format.
    """

    def __init__(self, opset: int, ir_version: int) -> None:
        self._opset, self._ir_version = opset, ir_version
        self.tensors: list[onnx.TensorProto] = []
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, np.ndarray] = {}

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Adds a node and returns its output's name.

        Args:
            kind: Operator, as ONNX names it.
            inputs: Names of tensors.
            attributes: Of the operator.
        """
        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        """Adds an initializer and returns its name; denormal values become 0.

        Args:
            name: Of its own in the graph.
            value: Of any shape and type.
        """
        value = np.ascontiguousarray(value)
        if value.dtype == np.float32:
            value = np.where(np.abs(value) < LEAST_NORMAL, np.float32(0), value)
        self.initializers[name] = value
        return name

    def scalar(self, name: str, value: Any, kind: Any = np.float32) -> str:
        """Adds an initializer of one number, without an axis, and returns its name.

        Args:
            name: Of its own in the graph.
            value: The number.
            kind: Its type in NumPy.
        """
        self.initializers[name] = np.array(value, kind)
        return name

    def tensor(self, value: onnx.TensorProto) -> str:
        """Adds an initializer of a type that NumPy lacks, and returns its name.

        Args:
            value: With a name of its own in the graph.
        """
        self.tensors.append(value)
        return str(value.name)

    def model(
        self,
        source: tuple[str, list[int]],
        output: str,
        last: str,
        shape: Shape,
        metadata: Mapping[str, str],
    ) -> onnx.ModelProto:
        """The finished model; the last node's output gets the public name.

        Args:
            source: Name and shape of the input.
            output: Name of the output.
            last: What the output is called among the nodes.
            shape: Of one image's output, channels last.
            metadata: Texts stored in the file.

        Raises:
            ArchitectureError: There is no node.
        """
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
            [*(numpy_helper.from_array(v, n) for n, v in self.initializers.items()), *self.tensors],
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", self._opset)],
            ir_version=self._ir_version,
            producer_name="stopwatch-nas",
        )
        helper.set_model_props(model, dict(metadata))
        return model
