"""Physical features of graphs, counted by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from latency.onnx_files.features import FEATURES, graph_features, row_features, vector_channels

FLOAT = 4


def graph(
    nodes: list[NodeProto],
    input_shape: list[int | str],
    output_shape: list[int],
    weights: Mapping[str, tuple[int, ...]],
    dtypes: dict[str, type] | None = None,
) -> bytes:
    tensors = [
        numpy_helper.from_array(np.ones(shape, (dtypes or {}).get(name, np.float32)), name)
        for name, shape in weights.items()
    ]
    proto = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, input_shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, output_shape)],
        initializer=tensors,
    )
    opsets = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(proto, opset_imports=opsets, ir_version=8).SerializeToString())


def counted(model: bytes, **expected: float) -> None:
    found = graph_features(model, vector=8)
    assert found == {**dict.fromkeys(FEATURES, 0.0), **expected}


def test_a_pointwise_convolution_with_its_activation() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Relu", ["c"], ["y"]),
    ]
    counted(
        graph(nodes, [1, 16, 4, 4], [1, 24, 4, 4], {"w": (24, 16, 1, 1)}),
        pointwise_macs=16 * 24 * 16,
        activation_bytes=(16 * 16 + 24 * 16) * FLOAT,
        weight_bytes=24 * 16 * FLOAT,
        nodes=1,
    )


def test_channels_count_in_whole_vectors() -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    model = graph([node], [1, 33, 2, 2], [1, 20, 2, 2], {"w": (20, 33, 1, 1)})
    assert graph_features(model, vector=8)["pointwise_macs"] == 4 * 40 * 24
    assert graph_features(model, vector=16)["pointwise_macs"] == 4 * 48 * 32


def test_a_depthwise_convolution() -> None:
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], group=8, pads=[1] * 4, strides=[2, 2])
    counted(
        graph([node], [1, 8, 4, 4], [1, 8, 2, 2], {"w": (8, 1, 3, 3), "b": (8,)}),
        depthwise_macs=4 * 8 * 9,
        activation_bytes=(8 * 16 + 8 * 4) * FLOAT,
        weight_bytes=(72 + 8) * FLOAT,
        nodes=1,
    )


def test_a_full_convolution_of_an_image() -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1] * 4)
    # Three image channels are no vector and are not padded to one.
    counted(
        graph([node], [2, 3, 4, 4], [2, 8, 4, 4], {"w": (8, 3, 3, 3)}),
        conv_macs=2 * 16 * 8 * 3 * 9,
        activation_bytes=2 * (3 + 8) * 16 * FLOAT,
        weight_bytes=8 * 27 * FLOAT,
        nodes=1,
    )


def test_dense_pooling_addition_and_what_is_free() -> None:
    nodes = [
        helper.make_node("Add", ["x", "x"], ["a"]),
        helper.make_node("GlobalAveragePool", ["a"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "w"], ["y"]),
    ]
    counted(
        graph(nodes, [1, 8, 2, 2], [1, 5], {"w": (8, 5)}),
        dense_macs=40,
        activation_bytes=(8 + 5) * FLOAT,
        elementwise_bytes=(3 * 32 + 32 + 8) * FLOAT,
        weight_bytes=40 * FLOAT,
        nodes=3,
    )


def test_an_int8_graph_counts_the_same_work_and_a_quarter_of_the_bytes() -> None:
    def scale(name: str) -> tuple[list[str], dict[str, tuple[int, ...]]]:
        return [f"{name}_s", f"{name}_z"], {f"{name}_s": (), f"{name}_z": ()}

    inputs, weights = scale("q")
    nodes = [
        helper.make_node("QuantizeLinear", ["x", *inputs], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", *inputs], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "w_s", "w_z"], ["wd"]),
        helper.make_node("Conv", ["xd", "wd"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", *inputs], ["cq"]),
        helper.make_node("DequantizeLinear", ["cq", *inputs], ["y"]),
    ]
    sizes = {"w": (16, 8, 1, 1), **weights, **scale("w")[1]}
    dtypes: dict[str, Any] = {"w": np.int8, "w_z": np.int8, "q_z": np.uint8}
    counted(
        graph(nodes, [1, 8, 2, 2], [1, 16, 2, 2], sizes, dtypes),
        pointwise_macs=4 * 8 * 16,
        activation_bytes=8 * 4 + 16 * 4,
        weight_bytes=16 * 8,
        nodes=1,
    )


def test_a_row_is_the_difference_of_its_graphs() -> None:
    def chain(count: int) -> bytes:
        names = ["x", *[f"t{i}" for i in range(count - 1)], "y"]
        nodes = [
            helper.make_node("Conv", [names[i], f"w{i}"], [names[i + 1]]) for i in range(count)
        ]
        weights: dict[str, tuple[int, ...]] = {f"w{i}": (8, 8, 1, 1) for i in range(count)}
        return graph(nodes, [1, 8, 4, 4], [1, 8, 4, 4], weights)

    one = graph_features(chain(1))
    assert row_features(chain(4), chain(1), 3) == one
    assert row_features(chain(1), None, 1) == one


def test_unknown_shapes_are_refused() -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    model = graph([node], ["n", 8, 2, 2], [1, 8, 2, 2], {"w": (8, 8, 1, 1)})
    with pytest.raises(ValueError, match="Expected tensors of known shape.\nReceived: 'x'.*\nFix:"):
        graph_features(model)


def test_the_vector_width_follows_the_instruction_set() -> None:
    assert vector_channels(("avx", "avx2", "avx512f")) == 16
    assert vector_channels(("avx", "fma")) == 8
    assert vector_channels(("asimd", "neon")) == 4
