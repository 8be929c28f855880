"""Ranges of ids, as graphs show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from latency.device.graph import model_inputs
from latency.device.index_ranges import index_ranges
from latency.device.runner import ModelRunner
from latency.device.settings import SessionSettings
from tests.support.latency_graphs import chain, finish, gather, hidden_gather
from tests.support.model_files import edited

INT64, FLOAT = TensorProto.INT64, TensorProto.FLOAT
node = helper.make_node


def constant(name: str, values: Any, kind: Any = np.int64) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values, kind), name)


def ranges(model: bytes) -> dict[str, tuple[int, int]]:
    return index_ranges(model, [entry.name for entry in model_inputs(model)])


def runs(model: bytes) -> None:
    """The model runs on drawn ids and on both ends of their range."""
    ModelRunner(model, SessionSettings(), 0)


@pytest.mark.parametrize(
    "ways",
    [
        [],
        [node("Cast", ["image"], ["ids"], to=TensorProto.INT32)],
        [node("Cast", ["image"], ["half"], to=FLOAT), node("Cast", ["half"], ["ids"], to=INT64)],
        [node("Flatten", ["image"], ["ids"])],
        [node("Transpose", ["image"], ["ids"])],
        [node("Identity", ["image"], ["same"]), node("Concat", ["same", "image"], ["ids"], axis=0)],
        [node("Split", ["image"], ["other", "ids"], axis=1)],
        [node("Where", ["yes", "image", "image"], ["ids"])],
    ],
    ids=["plain", "cast", "cast_twice", "flatten", "transpose", "concat", "split", "where"],
)
def test_ids_are_followed_to_the_table_that_they_choose_from(ways: Sequence[NodeProto]) -> None:
    def add(model: onnx.ModelProto) -> None:
        model.graph.initializer.append(constant("yes", [True], bool))

    model = edited(gather(50, ways), add)
    assert ranges(model) == {"image": (0, 49)}
    runs(model)


@pytest.mark.parametrize(
    ("operator", "other", "expected"),
    [("Add", [2], (-2, 47)), ("Sub", [2], (2, 51)), ("Add", [0, 10, 20, 30], (0, 19))],
)
def test_offsets_shift_the_range(
    operator: str, other: Sequence[int], expected: tuple[int, int]
) -> None:
    def add(model: onnx.ModelProto) -> None:
        model.graph.initializer.append(constant("offset", other))

    model = edited(gather(50, [node(operator, ["image", "offset"], ["ids"])]), add)
    assert ranges(model) == {"image": expected}
    runs(model)


def test_two_tables_leave_what_both_have() -> None:
    def add(model: onnx.ModelProto) -> None:
        model.graph.initializer.append(constant("kinds", np.ones((2, 3)), np.float32))
        model.graph.node.insert(0, node("Gather", ["kinds", "image"], ["kind"]))

    assert ranges(edited(gather(50), add)) == {"image": (0, 1)}


def indexed(
    operator: str, data: Sequence[int], where: Sequence[int], more: Sequence[str] = (), **words: Any
) -> bytes:
    """A model of stored data that its input 'image' chooses from."""
    weights = [constant("data", np.ones(data), np.float32)]
    weights += [constant("values", np.ones(where), np.float32), constant("depth", 7)]
    weights += [constant("ends", [0, 1], np.float32)]
    names = [name or "image" for name in more] or ["data", "image"]
    nodes = [node(operator, names, ["chosen"], **words)]
    nodes.append(node("ReduceSum", ["chosen"], ["sum"], keepdims=0))
    nodes.append(node("Cast", ["sum"], ["pooled"], to=INT64))
    return finish(nodes, where, [], weights, input_type=INT64)


@pytest.mark.parametrize(
    ("model", "greatest"),
    [
        (indexed("Gather", [5, 9], [3], axis=1), 8),
        (indexed("Gather", [5, 9], [3], axis=-1), 8),
        (indexed("GatherElements", [5, 9], [5, 2], axis=1), 8),
        (indexed("GatherND", [5, 9], [3, 2]), 4),
        (indexed("ScatterElements", [5, 9], [1, 1], ["data", "", "values"], axis=1), 8),
        (indexed("OneHot", [1], [3], ["", "depth", "ends"]), 6),
    ],
    ids=["axis", "axis_from_the_end", "elements", "nd", "scatter", "one_hot"],
)
def test_every_operator_that_chooses_shows_its_range(model: bytes, greatest: int) -> None:
    assert ranges(model) == {"image": (0, greatest)}
    runs(model)


def test_a_number_of_elements_is_from_one_to_all_of_them() -> None:
    weights = [constant("data", np.arange(9), np.float32)]
    nodes = [
        node("TopK", ["data", "image"], ["best", "places"]),
        node("ReduceSum", ["places"], ["pooled"], keepdims=0),
    ]
    model = finish(nodes, [1], [], weights, input_type=INT64)
    assert ranges(model) == {"image": (1, 9)}
    runs(model)


def fed(
    operator: str, names: Sequence[str], sizes: Mapping[str, Sequence[int]], domain: str = ""
) -> bytes:
    """An operator of stored tensors of these sizes, and of the ids 'image'."""
    weights = [constant(name, np.ones(size), np.float32) for name, size in sizes.items()]
    nodes = [node(operator, names, ["pooled"], domain=domain)]
    return finish(nodes, [4], None, weights, input_type=TensorProto.INT32)


EMBED, ROTARY, OURS = "EmbedLayerNormalization", "RotaryEmbedding", "com.microsoft"
TABLES = {"words": [90, 2], "places": [20, 2], "kinds": [2, 2]}
LSTM = {"x": [7, 4, 3], "w": [1, 8, 3], "r": [1, 8, 2]}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (fed("LSTM", ["x", "w", "r", "", "image"], LSTM), (1, 7)),
        (fed("ReverseSequence", ["x", "image"], {"x": [5, 4]}), (1, 5)),
        (fed("SoftmaxCrossEntropyLoss", ["x", "image"], {"x": [4, 10]}), (0, 9)),
        (fed(EMBED, ["image", "", "words", "places"], TABLES, OURS), (0, 89)),
        (fed(EMBED, ["other", "image", "words", "places", "kinds"], TABLES, OURS), (0, 1)),
        (fed(ROTARY, ["x", "image", "cos", "sin"], {"cos": [64, 2]}, OURS), (0, 63)),
    ],
    ids=["lengths", "reversed", "labels", "words", "kinds", "rotary"],
)
def test_lengths_labels_and_fused_lookups_show_their_range(
    model: bytes, expected: tuple[int, int]
) -> None:
    assert ranges(model) == {"image": expected}


def test_a_filled_tensor_is_no_table_of_its_filling() -> None:
    # ConstantOfShape also has a tensor as its `value`, of one element.
    nodes = [
        node("ConstantOfShape", ["size"], ["table"], value=constant("v", [2.0], np.float32)),
        node("Gather", ["table", "image"], ["rows"]),
        node("ReduceSum", ["rows"], ["sum"], keepdims=0),
        node("Cast", ["sum"], ["pooled"], to=INT64),
    ]
    assert ranges(finish(nodes, [1, 4], [], [constant("size", [200, 2])], input_type=INT64)) == {}
    made = [node("Constant", [], ["table"], value=constant("v", np.ones((6, 2)), np.float32))]
    model = finish([*made, *nodes[1:]], [1, 4], [], [], input_type=INT64)
    assert ranges(model) == {"image": (0, 5)}


def test_a_quantised_table_shows_its_rows() -> None:
    weights = [constant("q", np.ones((30, 2)), np.int8), constant("scale", 0.5, np.float32)]
    nodes = [
        node("DequantizeLinear", ["q", "scale"], ["table"]),
        node("Gather", ["table", "image"], ["rows"]),
        node("ReduceSum", ["rows"], ["sum"], keepdims=0),
        node("Cast", ["sum"], ["pooled"], to=INT64),
    ]
    model = finish(nodes, [1, 4], [], weights, input_type=INT64)
    assert ranges(model) == {"image": (0, 29)}
    runs(model)


def test_a_table_within_a_branch_and_one_within_a_function_are_found() -> None:
    info = helper.make_tensor_value_info("chosen", FLOAT, None)
    lookup = node("Gather", ["table", "image"], ["chosen"])
    body = helper.make_graph([lookup], "body", [], [info])
    weights = [constant("table", np.ones((20, 2)), np.float32), constant("yes", True, bool)]
    nodes = [
        node("If", ["yes"], ["picked"], then_branch=body, else_branch=body),
        node("ReduceSum", ["picked"], ["sum"], keepdims=0),
        node("Cast", ["sum"], ["pooled"], to=INT64),
    ]
    assert ranges(finish(nodes, [1, 4], [], weights, input_type=INT64)) == {"image": (0, 19)}

    def call(model: onnx.ModelProto) -> None:
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my.ops", 1)]
        inner = [node("Identity", ["x"], ["y"]), node("Gather", ["t", "y"], ["z"])]
        model.functions.append(
            helper.make_function("my.ops", "Look", ["t", "x"], ["z"], inner, opsets)
        )
        model.opset_import.append(opsets[1])
        model.graph.node[0].CopyFrom(node("Look", ["table", "image"], ["rows"], domain="my.ops"))

    model = edited(gather(20), call)
    assert ranges(model) == {"image": (0, 19)}
    runs(model)


def test_what_chooses_nothing_has_no_range() -> None:
    assert ranges(chain(1)) == {} and ranges(hidden_gather(9)) == {}
    mask = finish([node("Neg", ["image"], ["pooled"])], [1, 4], [1, 4], input_type=INT64)
    assert ranges(mask) == {} and index_ranges(gather(9), []) == {}


def test_broken_bytes_have_no_range() -> None:
    whole = gather(50)
    for length in range(0, len(whole), 7):
        # Nothing is known, or what stands before the cut; never an error.
        assert index_ranges(whole[:length], ["image"]) in ({}, {"image": (0, 49)})
    assert index_ranges(np.random.default_rng(0).bytes(999), ["image"]) == {}


def test_a_long_chain_and_a_circle_end() -> None:
    ways = [node("Identity", [f"v{i}" if i else "image"], [f"v{i + 1}"]) for i in range(3000)]
    assert ranges(gather(50, [*ways, node("Identity", ["v3000"], ["ids"])])) == {"image": (0, 49)}
    circle = [node("Concat", ["image", "ids"], ["ids"], axis=0)]
    assert index_ranges(gather(50, circle), ["image"]) == {"image": (0, 49)}


def test_drawn_ids_fill_the_range_and_stay_within() -> None:
    ways = [node("Identity", ["image"], ["ids"])]

    def show(model: onnx.ModelProto) -> None:
        model.graph.output.append(helper.make_tensor_value_info("ids", INT64, [1, 4]))

    run = ModelRunner(edited(gather(5, ways), show), SessionSettings(), 0)
    seen = []
    for _ in range(40):
        seen.append(run()[1])
        run.end_visit()
    # Of 160 even draws from five values one is missed once in 10^14 such tests.
    assert set(np.concatenate(seen).ravel().tolist()) == {0, 1, 2, 3, 4}


def test_a_narrow_type_limits_the_range() -> None:
    # Ids of a byte never reach the end of a table of 1000 rows.
    ways = [node("Cast", ["image"], ["ids"], to=INT64)]
    run = ModelRunner(gather(1000, ways, TensorProto.UINT8), SessionSettings(), 0)
    assert run.ranges == {"image": (0, 255)}
