"""Kinds of operators: what costs differently per multiply-add or byte has another name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from latency.onnx_files.operators import row_operators
from tests.support.latency_graphs import chain
from tests.support.model_files import branching, edited, with_function

IMAGE = [1, 16, 8, 8]


def model(nodes: Sequence[NodeProto], opset: int = 17, **weights: np.ndarray) -> bytes:
    """A graph from `x`, an image of 16 channels, to `y`, whose shape the nodes decide."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, IMAGE)],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(onnx.shape_inference.infer_shapes(proto).SerializeToString())


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def conv(weight: np.ndarray, kind: str = "Conv", **attributes: Any) -> bytes:
    return model([helper.make_node(kind, ["x", "w"], ["y"], **attributes)], w=weight)


def single(kind: str, opset: int = 17, **attributes: Any) -> bytes:
    return model([helper.make_node(kind, ["x"], ["y"], **attributes)], opset)


def added(*shape: int) -> bytes:
    return model([helper.make_node("Add", ["x", "w"], ["y"])], w=ones(*shape))


KINDS = {
    "Conv pointwise": conv(ones(8, 16, 1, 1)),
    "Conv full": conv(ones(8, 16, 3, 3)),
    "Conv full oblong": conv(ones(8, 16, 1, 3)),
    "Conv depthwise": conv(ones(16, 1, 3, 3), group=16),
    "Conv group=4": conv(ones(8, 4, 3, 3), group=4),
    "Conv group=8": conv(ones(8, 2, 3, 3), group=8),
    "Conv full strided": conv(ones(8, 16, 3, 3), strides=[2, 2]),
    "Conv full dilations=[2, 2]": conv(ones(8, 16, 3, 3), dilations=[2, 2]),
    "ConvTranspose full strided": conv(ones(16, 8, 3, 3), "ConvTranspose", strides=[2, 2]),
    "ConvTranspose depthwise": conv(ones(16, 1, 3, 3), "ConvTranspose", group=16),
    "Softmax axis=[1] of 4": single("Softmax", axis=1),
    "Softmax axis=[3] of 4": single("Softmax", axis=-1),
    "Transpose perm=[0, 2, 3, 1]": single("Transpose", perm=[0, 2, 3, 1]),
    "MaxPool kernel_shape=[3, 3]": single("MaxPool", kernel_shape=[3, 3]),
    "MaxPool kernel_shape=[7, 7]": single("MaxPool", kernel_shape=[7, 7]),
    "ReduceMean axes=[2, 3] of 4": single("ReduceMean", axes=[2, 3]),
    "Erf": single("Erf"),
    "Add": added(*IMAGE),
    "Add with a number": added(1),
    "Add repeated over [2, 3]": added(1, 16, 1, 1),
    "Add repeated over [1, 2]": added(8),
    "MatMul 4-d": model([helper.make_node("MatMul", ["x", "w"], ["y"])], w=ones(8, 8)),
    "MatMul 4-d of two activations": model([helper.make_node("MatMul", ["x", "x"], ["y"])]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_operator_is_named_with_what_changes_its_cost(kind: str) -> None:
    assert row_operators(KINDS[kind], None) == (kind,)


def test_sizes_padding_and_fractions_make_no_other_kind() -> None:
    padded = conv(ones(24, 16, 5, 5), pads=[2] * 4)
    assert row_operators(padded, None) == row_operators(KINDS["Conv full"], None)
    sharp, flat = single("LeakyRelu", alpha=0.2), single("LeakyRelu", alpha=0.1)
    assert row_operators(sharp, None) == row_operators(flat, None)


def test_what_renames_is_no_operator_and_what_is_fused_says_so() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2]),
        helper.make_node("Relu", ["p"], ["q"]),
        helper.make_node("Flatten", ["q"], ["y"]),
    ]
    found = row_operators(model(nodes, w=ones(8, 16, 1, 1)), None)
    assert found == ("Conv pointwise", "MaxPool kernel_shape=[2, 2]", "Relu", "Relu fused")


def test_axes_and_scales_that_are_inputs_count_as_attributes() -> None:
    def reduced(*axes: int) -> bytes:
        node = helper.make_node("ReduceMean", ["x", "a"], ["y"])
        return model([node], 18, a=np.array(axes, np.int64))

    assert row_operators(reduced(1), None) != row_operators(reduced(2, 3), None)

    def resized(factor: float) -> bytes:
        node = helper.make_node("Resize", ["x", "", "s"], ["y"], mode="nearest")
        return model([node], s=np.array([1, 1, factor, factor], np.float32))

    assert row_operators(resized(2), None) != row_operators(resized(3), None)


def test_types_are_part_of_a_kind() -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "s", "wz"], ["wd"]),
        helper.make_node("Conv", ["xd", "wd"], ["c"]),
        helper.make_node("Cast", ["c"], ["y"], to=TensorProto.FLOAT16),
    ]
    scale = {"s": np.float32(1), "z": np.uint8(0), "wz": np.int8(0)}
    weights = {name: np.asarray(value) for name, value in scale.items()}
    weights["w"] = np.ones((8, 16, 1, 1), np.int8)
    found = row_operators(model(nodes, 17, **weights), None)
    assert found == (
        "Cast float and float16",
        "Conv pointwise uint8 and int8",
        "DequantizeLinear int8 and float",
        "DequantizeLinear uint8 and float",
        "QuantizeLinear float and uint8",
    )


def test_a_row_has_only_the_operators_that_its_graphs_do_not_share() -> None:
    # Both end in a pooling, which is no part of the row.
    assert row_operators(chain(4), chain(1)) == ("Conv full", "Relu fused")
    assert "GlobalAveragePool" in row_operators(chain(4), None)
    # Less of something is a difference, too.
    assert row_operators(chain(1), chain(4)) == ("Conv full", "Relu fused")


def test_functions_are_looked_into_and_branches_have_a_name_of_their_own() -> None:
    def fix(proto: onnx.ModelProto) -> None:
        for value in (*proto.graph.input, *proto.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = 1

    fixed = edited(with_function("Relu", ""), fix)
    assert row_operators(fixed, None) == ("Relu",)
    (body,) = {kind for kind in row_operators(branching(), None) if kind.startswith("If")}
    proto = onnx.load_model_from_string(branching())
    other = proto.graph.node[1].attribute[0].g.node[0].attribute[0].t
    other.CopyFrom(numpy_helper.from_array(np.full(3, 9, np.float32), "c"))
    assert body not in row_operators(bytes(proto.SerializeToString()), None)
