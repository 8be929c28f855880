"""Input shapes of ONNX files: fixed by a flag, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from latency.onnx_files.model_file import (
    ModelFileError,
    parse_input_shape,
    read_model,
)
from tests.support.latency_graphs import chain, finish
from tests.support.model_files import (
    RELU,
    WEIGHT,
    edited,
    refusal,
    run,
    save,
    weighted,
    with_function,
)


@pytest.mark.parametrize(
    ("shape", "shown", "flag"),
    [
        (["batch", 3, 8, 8], "(batch, 3, 8, 8)", "--input_shape image=N,3,8,8 with"),
        ([None, 3, None, 8], "(?, 3, ?, 8)", "--input_shape image=N,3,N,8 with"),
        ([0, 3, 8, 8], "(0, 3, 8, 8)", "--input_shape image=N,3,8,8 with"),
        ([1, -1], "(1, -1)", "--input_shape image=1,N with"),
        (None, "(unknown)", "--input_shape image=N,... with"),
    ],
)
def test_dynamic_inputs_are_named_with_the_flag_that_mends_them(
    tmp_path: Path, shape: list[Any] | None, shown: str, flag: str
) -> None:
    data = finish(RELU, shape, None)  # type: ignore[arg-type]
    message = refusal(save(tmp_path / "m.onnx", data))
    assert f"'image' of shape {shown}" in message
    assert flag in message


def two_inputs(first: Any, second: Any) -> bytes:
    def add(model: onnx.ModelProto) -> None:
        model.graph.input.append(helper.make_tensor_value_info("b c", TensorProto.FLOAT, second))

    nodes = [helper.make_node("Add", ["image", "b c"], ["pooled"])]
    return edited(finish(nodes, first, ["N", 3]), add)


def test_every_dynamic_input_is_named_and_all_have_to_be_fixed(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", two_inputs(["N", 3], ["N", "C"]))
    message = refusal(path)
    assert "'image' of shape (N, 3); 'b c' of shape (N, C)" in message
    assert "--input_shape image=N,3 --input_shape 'b c=N,N' with" in message
    message = refusal(path, {"image": (2, 3)})
    assert "'b c'" in message and "image=" not in message
    assert run(read_model(path, {"image": (2, 3), "b c": (2, 3)}))[0].shape == (2, 3)


def test_inputs_with_a_value_in_the_file_need_no_shape(tmp_path: Path) -> None:
    def fill(model: onnx.ModelProto) -> None:
        model.graph.initializer.append(numpy_helper.from_array(np.ones(3, np.float32), "b c"))

    path = save(tmp_path / "m.onnx", edited(two_inputs([2, 3], ["C"]), fill))
    assert read_model(path) == path.read_bytes()
    assert run(read_model(path))[0].shape == (2, 3)


def test_a_model_with_a_symbolic_batch_runs_after_input_shape(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    nodes = [
        helper.make_node("Relu", ["image"], ["hidden"]),
        helper.make_node("GlobalAveragePool", ["hidden"], ["pooled"]),
    ]
    path = save(tmp_path / "m.onnx", finish(nodes, ["N", 3, "H", "W"], ["N", 3, 1, 1]))
    before = path.read_bytes()
    data = read_model(path, dict([parse_input_shape("image=2,3,8,8")]))
    assert run(data)[0].shape == (2, 3, 1, 1)
    assert load_messages(data, capfd) == ""
    graph = onnx.ModelProto.FromString(data).graph
    assert [dim.dim_value for dim in graph.output[0].type.tensor_type.shape.dim] == [2, 3, 1, 1]
    assert path.read_bytes() == before


def load_messages(data: bytes, capfd: pytest.CaptureFixture[str]) -> str:
    """Returns what onnxruntime prints on loading a model, warnings included."""
    import onnxruntime

    capfd.readouterr()
    onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return capfd.readouterr().err


def test_stale_shapes_are_dropped(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def add_stale(model: onnx.ModelProto) -> None:
        # As written by an exporter that traced one batch and named it afterwards.
        for name in ("hidden", "pooled"):
            info = helper.make_tensor_value_info(name, TensorProto.FLOAT, [8, 3])
            (model.graph.value_info if name == "hidden" else model.graph.output).append(info)

    def set_batch(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2

    nodes = [
        helper.make_node("Relu", ["image"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["pooled"]),
    ]
    stale = edited(finish(nodes, ["N", 3], [8, 3]), add_stale)
    stale = edited(stale, lambda model: model.graph.output.pop())
    path = save(tmp_path / "m.onnx", stale)
    assert "MergeShapeInfo" in load_messages(edited(stale, set_batch), capfd)
    data = read_model(path, {"image": (2, 3)})
    assert load_messages(data, capfd) == ""
    assert run(data)[0].shape == (2, 3)


def branching_on_batch() -> bytes:
    """Returns an If whose branches use the image, with a stale batch in both."""
    info = helper.make_tensor_value_info
    bodies = {
        f"{name}_branch": helper.make_graph(
            [
                helper.make_node("Relu", ["image"], [f"{name}_hidden"]),
                helper.make_node("Relu", [f"{name}_hidden"], [name]),
            ],
            name,
            [],
            [info(name, TensorProto.FLOAT, [8, 3])],
            value_info=[info(f"{name}_hidden", TensorProto.FLOAT, [8, 3])],
        )
        for name in ("then", "else")
    }
    nodes = [
        helper.make_node("ReduceMax", ["image"], ["peak"], keepdims=0),
        helper.make_node("Cast", ["peak"], ["yes"], to=TensorProto.BOOL),
        helper.make_node("If", ["yes"], ["pooled"], **bodies),
    ]
    return finish(nodes, ["N", 3], ["N", 3])


def test_stale_shapes_in_branches_are_dropped(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def set_batch(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2

    stale = branching_on_batch()
    assert "MergeShapeInfo" in load_messages(edited(stale, set_batch), capfd)
    data = read_model(save(tmp_path / "m.onnx", stale), {"image": (2, 3)})
    assert load_messages(data, capfd) == ""
    assert run(data)[0].shape == (2, 3)


def test_a_loop_runs_after_input_shape(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["again"], ["again_out"]),
            helper.make_node("Add", ["value", "value"], ["value_out"]),
        ],
        "body",
        [
            info("step", TensorProto.INT64, []),
            info("again", TensorProto.BOOL, []),
            info("value", TensorProto.FLOAT, [8, 3]),
        ],
        [info("again_out", TensorProto.BOOL, []), info("value_out", TensorProto.FLOAT, [8, 3])],
    )
    weights = [
        numpy_helper.from_array(np.asarray(3, np.int64), "steps"),
        numpy_helper.from_array(np.asarray(True), "go"),
    ]
    nodes = [helper.make_node("Loop", ["steps", "go", "image"], ["pooled"], body=body)]
    path = save(tmp_path / "m.onnx", finish(nodes, ["N", 3], ["N", 3], weights))
    data = read_model(path, {"image": (2, 3)})
    assert load_messages(data, capfd) == ""
    assert run(data)[0].shape == (2, 3)


@pytest.mark.parametrize("declared", [None, []], ids=["unknown_rank", "scalar"])
def test_any_shape_fits_an_input_of_unknown_rank(tmp_path: Path, declared: Any) -> None:
    path = save(tmp_path / "m.onnx", finish(RELU, declared, declared))
    data = read_model(path, {"image": (2, 3, 4)})
    assert run(data)[0].shape == (2, 3, 4)


def test_a_scalar_input_is_fixed(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", finish(RELU, [], []))
    assert read_model(path) == path.read_bytes()
    assert run(read_model(path))[0].shape == ()


@pytest.mark.parametrize(
    ("name", "shape", "texts"),
    [
        ("other", (1, 3, 8, 8), ["('image')", "Received: 'other'"]),
        ("image", (1, 3, 8), ["agrees with (N, 3, 8, W)", "Received: (1, 3, 8)"]),
        ("image", (1, 4, 8, 8), ["agrees with (N, 3, 8, W)", "(1, 4, 8, 8)", "image=N,3,8,N"]),
        ("image", (0, 3, 8, 8), ["sizes above 0", "Received: (0, 3, 8, 8)"]),
        ("image", (-2, 3, 8, 8), ["sizes above 0", "Received: (-2, 3, 8, 8)"]),
    ],
)
def test_an_input_shape_that_does_not_fit(
    tmp_path: Path, name: str, shape: tuple[int, ...], texts: list[str]
) -> None:
    path = save(tmp_path / "m.onnx", finish(RELU, ["N", 3, 8, "W"], ["N", 3, 8, "W"]))
    message = refusal(path, {name: shape})
    assert all(text in message for text in texts)


def test_fixed_dimensions_cannot_be_changed(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", chain(1))
    message = refusal(path, {"image": (2, 3, 8, 8)})
    assert "agrees with (1, 3, 8, 8)" in message
    assert "image=1,3,8,8, or leave it out" in message and f"'image' of {path} that" in message


SEQUENCE = helper.make_tensor_sequence_value_info("image", TensorProto.FLOAT, [1, 3])
SPARSE = helper.make_sparse_tensor_value_info("image", TensorProto.FLOAT, [1, 3])
OPTIONAL = helper.make_value_info(
    "image", helper.make_optional_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [3]))
)


@pytest.mark.parametrize(
    ("info", "what"),
    [(SEQUENCE, "a sequence"), (SPARSE, "a sparse tensor"), (OPTIONAL, "an optional value")],
)
def test_inputs_that_are_no_tensors_are_named(tmp_path: Path, info: Any, what: str) -> None:
    data = edited(chain(1), lambda model: model.graph.input[0].CopyFrom(info))
    assert f"'image', {what}" in refusal(save(tmp_path / "m.onnx", data))


def test_external_data_and_input_shape_together(tmp_path: Path) -> None:
    def free_batch(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
        model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "N"

    (tmp_path / "w.bin").write_bytes(WEIGHT.tobytes())
    path = save(tmp_path / "m.onnx", edited(weighted(location="w.bin"), free_batch))
    assert run(read_model(path, {"image": (5, 3, 8, 8)}))[0].shape == (5, 4, 8, 8)


def test_outputs_that_cannot_be_inferred_are_left_to_onnxruntime(tmp_path: Path) -> None:
    def forget_domain(model: onnx.ModelProto) -> None:
        del model.opset_import[1]

    path = save(tmp_path / "m.onnx", edited(with_function("Relu", ""), forget_domain))
    graph = onnx.ModelProto.FromString(read_model(path, {"image": (2, 3)})).graph
    assert not graph.output[0].type.tensor_type.HasField("shape")
    assert graph.output[0].type.tensor_type.elem_type == TensorProto.FLOAT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x=1,3,64,64", ("x", (1, 3, 64, 64))),
        ("input:0=7", ("input:0", (7,))),
        ("a=b=1, 2", ("a=b", (1, 2))),
    ],
)
def test_input_shapes_are_parsed(text: str, expected: tuple[str, tuple[int, ...]]) -> None:
    assert parse_input_shape(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "x", "x=", "=1,3", "1,3", "x=1,,3", "x=1,3,", "x=N,3", "x=-1,3", "x=0,3", "x=1.5"]
    + ["x=1x3", "x=+1", "x=1_0", "x=\u0661", "x=²", "x=2147483648", "x=" + "9" * 5000, "x=[1,3]"],
)
def test_malformed_input_shapes_are_refused(text: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        parse_input_shape(text)
    message = str(caught.value)
    assert message.startswith("Expected an input shape of the form NAME=SIZE,SIZE,...")
    assert f"Received: {text!r}.\nFix: write it like --input_shape image=1,3,64,64." in message
