"""A user's ONNX file: read for measuring, or refused with what to do about it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from latency.device.sessions import ModelRunner
from latency.device.settings import SessionSettings
from latency.onnx_files.model_file import (
    MAX_MODEL_BYTES,
    ModelFileError,
    parse_input_shape,
    read_model,
)
from tests.support.latency_graphs import chain, finish

RELU = [helper.make_node("Relu", ["image"], ["pooled"])]
WEIGHT = np.arange(1, 13, dtype=np.float32).reshape(4, 3, 1, 1)


def run(model: bytes) -> list[np.ndarray]:
    """Runs a model once, as a measurement would."""
    return list(ModelRunner(model, SessionSettings(), 0)())


def refusal(path: Path, shapes: Mapping[str, Sequence[int]] | None = None) -> str:
    """Returns the three-part error of a file, which must stay as it was."""
    before = path.read_bytes() if path.is_file() and path.stat().st_size < 10**6 else None
    with pytest.raises(ModelFileError) as caught:
        read_model(path, shapes)
    message = str(caught.value)
    assert re.fullmatch(r"Expected .+\.\nReceived: .+\.\nFix: .+\.", message, re.DOTALL)
    assert before is None or path.read_bytes() == before
    return message


def save(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def weighted(**entries: str) -> bytes:
    """Returns a convolution whose only weight lies outside, at `entries`."""
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=WEIGHT.shape)
    move_out(weight, **entries)
    nodes = [helper.make_node("Conv", ["image", "w"], ["pooled"])]
    return finish(nodes, [1, 3, 8, 8], [1, 4, 8, 8], [weight])


def move_out(tensor: TensorProto, **entries: str) -> None:
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)


def edited(data: bytes, change: Any) -> bytes:
    model = onnx.ModelProto.FromString(data)
    change(model)
    return bytes(model.SerializeToString())


# --- files that are no model ------------------------------------------------------------------


def test_an_ordinary_model_comes_back_byte_for_byte(tmp_path: Path) -> None:
    data = chain(2)
    path = save(tmp_path / "m.onnx", data)
    assert read_model(path) == data
    assert read_model(path, {"image": (1, 3, 8, 8)}) == data
    assert path.read_bytes() == data


def test_a_linked_model_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    save(tmp_path / "far" / "m.onnx", chain(1))
    (tmp_path / "link.onnx").symlink_to(tmp_path / "far" / "m.onnx")
    assert read_model(tmp_path / "link.onnx") == chain(1)


def test_no_such_file_and_a_folder(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none.onnx")
    assert "a folder" in refusal(tmp_path)
    (tmp_path / "loop.onnx").symlink_to(tmp_path / "loop.onnx")
    assert "no such file" in refusal(tmp_path / "loop.onnx")


def test_a_path_that_the_system_refuses(tmp_path: Path) -> None:
    path = tmp_path / ("m" * 300)
    with pytest.raises(ModelFileError, match=r"^Expected a readable ONNX file\.\nReceived: .+mm: "):
        read_model(path)


@pytest.mark.parametrize(
    "data",
    [
        np.random.default_rng(0).bytes(500),
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02",
        chain(1)[:-200],
        b"\x08\x08\x12",
    ],
    ids=["random", "png", "truncated", "truncated_early"],
)
def test_bytes_that_are_no_onnx(tmp_path: Path, data: bytes) -> None:
    message = refusal(save(tmp_path / "m.onnx", data))
    assert message.startswith("Expected a whole ONNX model")
    assert "no ONNX, or a part of it" in message


def test_bytes_that_parse_as_an_empty_message(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    assert "an empty file" in refusal(save(path, b""))
    # Field 99 as a number: a valid message that says nothing which ONNX knows.
    assert "without an ONNX version and graph" in refusal(save(path, b"\x98\x06\x01"))
    assert "without an ONNX version and graph" in refusal(save(path, b"\x08\x08"))
    no_nodes = finish([], [1, 3, 8, 8], [1, 3, 8, 8])
    assert "without any node" in refusal(save(path, no_nodes))
    # What is left of a model that was cut behind its graph.
    cut = edited(chain(1), lambda model: model.ClearField("opset_import"))
    assert "without opset_import" in refusal(save(path, cut))


def test_a_file_above_protobufs_limit_is_not_read(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", chain(1))
    os.truncate(path, MAX_MODEL_BYTES + 1)
    message = refusal(path)
    assert "protobuf's limit is 2 GB" in message and str(MAX_MODEL_BYTES + 1) in message


# --- external data ----------------------------------------------------------------------------


def test_external_data_comes_into_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "w.bin").write_bytes(b"\xff" * 8 + WEIGHT.tobytes() + b"\xff" * 4)
    entries = {"location": "sub/w.bin", "offset": "8", "length": str(WEIGHT.nbytes)}
    path = save(tmp_path / "m.onnx", weighted(**entries))
    before = path.read_bytes()
    data = read_model(path)
    (tmp_path / "sub" / "w.bin").unlink()
    tensor = onnx.ModelProto.FromString(data).graph.initializer[0]
    np.testing.assert_array_equal(numpy_helper.to_array(tensor), WEIGHT)
    assert not tensor.external_data and tensor.data_location == TensorProto.DEFAULT
    assert run(data)[0].shape == (1, 4, 8, 8)
    assert path.read_bytes() == before


def test_external_data_without_a_length_ends_with_its_shape(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(WEIGHT.tobytes() + b"\xff" * 40)
    data = read_model(save(tmp_path / "m.onnx", weighted(location="w.bin")))
    tensor = onnx.ModelProto.FromString(data).graph.initializer[0]
    np.testing.assert_array_equal(numpy_helper.to_array(tensor), WEIGHT)


def test_external_data_of_attributes_and_subgraphs(tmp_path: Path) -> None:
    def outside(model: onnx.ModelProto) -> None:
        for branch in model.graph.node[1].attribute:
            tensor = branch.g.node[0].attribute[0].t
            tensor.ClearField("raw_data")
            move_out(tensor, location="w.bin", length="12")

    plain = branching()
    (tmp_path / "w.bin").write_bytes(np.full(3, 2, np.float32).tobytes())
    data = read_model(save(tmp_path / "m.onnx", edited(plain, outside)))
    assert run(data)[0].tolist() == [2, 2, 2]


def branching() -> bytes:
    """Returns an If of two constants of three numbers."""
    shape: list[int | str] = [3]
    constant = numpy_helper.from_array(np.full(3, 2, np.float32), "c")
    bodies = {
        f"{name}_branch": helper.make_graph(
            [helper.make_node("Constant", [], [name], value=constant)],
            name,
            [],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        )
        for name in ("then", "else")
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["yes"], to=TensorProto.BOOL),
        helper.make_node("If", ["yes"], ["pooled"], **bodies),
    ]
    return finish(nodes, [1], shape)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Lists the files that are opened by Python during a test."""
    import builtins

    names: list[str] = []
    real_open = builtins.open

    def recording_open(file: Any, *arguments: Any, **keywords: Any) -> Any:
        names.append(os.path.realpath(file) if not isinstance(file, int) else "")
        return real_open(file, *arguments, **keywords)

    monkeypatch.setattr(builtins, "open", recording_open)
    yield names


@pytest.mark.parametrize("kind", ["absolute", "parent", "inner_parent", "windows", "drive"])
def test_external_data_outside_is_refused_unread(
    tmp_path: Path, opened: list[str], kind: str
) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(WEIGHT.tobytes())
    folder = tmp_path / "models"
    (folder / "sub").mkdir(parents=True)
    location = {
        "absolute": str(secret),
        "parent": "../secret.bin",
        "inner_parent": "sub/../../secret.bin",
        "windows": "..\\secret.bin",
        "drive": "C:\\secret.bin",
    }[kind]
    message = refusal(save(folder / "m.onnx", weighted(location=location)))
    assert "inside its folder" in message and "not read" in message
    assert str(secret.resolve()) not in opened


@pytest.mark.parametrize("link", ["file", "folder"])
def test_a_link_that_leads_outside_is_refused_unread(
    tmp_path: Path, opened: list[str], link: str
) -> None:
    (tmp_path / "far").mkdir()
    secret = tmp_path / "far" / "w.bin"
    secret.write_bytes(WEIGHT.tobytes())
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "w.bin").symlink_to(secret)
    (folder / "sub").symlink_to(tmp_path / "far")
    location = "w.bin" if link == "file" else "sub/w.bin"
    message = refusal(save(folder / "m.onnx", weighted(location=location)))
    assert "a link to" in message and "not read" in message
    assert str(secret.resolve()) not in opened


def test_links_inside_the_models_folder_are_followed(tmp_path: Path, opened: list[str]) -> None:
    (tmp_path / "w.bin").write_bytes(WEIGHT.tobytes())
    (tmp_path / "link.bin").symlink_to(tmp_path / "w.bin")
    path = save(tmp_path / "m.onnx", weighted(location="link.bin"))
    assert run(read_model(path))[0].shape == (1, 4, 8, 8)
    assert str((tmp_path / "w.bin").resolve()) in opened


@pytest.mark.parametrize("linked", [False, True], ids=["beside_the_file", "beside_the_link"])
def test_external_data_of_a_linked_model(tmp_path: Path, linked: bool) -> None:
    far, near = tmp_path / "far", tmp_path / "near"
    far.mkdir()
    near.mkdir()
    save(far / "m.onnx", weighted(location="w.bin"))
    (near / "m.onnx").symlink_to(far / "m.onnx")
    # A download cache keeps both under other names and links to both.
    (far / ("blob" if linked else "w.bin")).write_bytes(WEIGHT.tobytes())
    if linked:
        (near / "w.bin").symlink_to(far / "blob")
    assert run(read_model(near / "m.onnx"))[0].shape == (1, 4, 8, 8)


@pytest.mark.parametrize(
    "location", ["gone.bin", "sub", "a\0b", "", "*/_ORT_MEM_ADDR_/*", "gone/w.bin", "w" * 300]
)
def test_external_data_that_is_no_file(tmp_path: Path, location: str) -> None:
    (tmp_path / "sub").mkdir()
    message = refusal(save(tmp_path / "m.onnx", weighted(location=location)))
    assert "external data" in message and repr(location) in message


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ({"offset": "4"}, "48 bytes from 4, in a file of 48 bytes"),
        ({"offset": "4096", "length": "48"}, "48 bytes from 4096"),
        ({"length": "52"}, "52 bytes where its shape needs 48"),
        ({"length": "0"}, "0 bytes where its shape needs 48"),
        ({"offset": "-1"}, "offset '-1'"),
        ({"length": "many"}, "length 'many'"),
    ],
)
def test_external_data_beyond_its_file(tmp_path: Path, entries: dict[str, str], text: str) -> None:
    (tmp_path / "w.bin").write_bytes(WEIGHT.tobytes())
    path = save(tmp_path / "m.onnx", weighted(location="w.bin", **entries))
    message = refusal(path)
    assert text in message and "'w'" in message


def test_external_text_and_negative_shapes_are_refused(tmp_path: Path) -> None:
    def set_type(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].data_type = TensorProto.STRING

    def set_dims(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].dims[0] = -1

    (tmp_path / "w.bin").write_bytes(WEIGHT.tobytes())
    for change, text in ((set_type, "type STRING"), (set_dims, "[-1, 3, 1, 1]")):
        data = edited(weighted(location="w.bin"), change)
        assert text in refusal(save(tmp_path / "m.onnx", data))


def test_external_data_above_protobufs_limit_is_not_read(tmp_path: Path, opened: list[str]) -> None:
    def set_dims(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].dims[0] = 2**31 // 12

    (tmp_path / "w.bin").touch()
    os.truncate(tmp_path / "w.bin", 2**31)
    message = refusal(save(tmp_path / "m.onnx", edited(weighted(location="w.bin"), set_dims)))
    assert "protobuf's limit is 2 GB" in message
    assert str((tmp_path / "w.bin").resolve()) not in opened


# --- dynamic shapes ---------------------------------------------------------------------------


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
    assert "image=1,3,8,8, or leave it out" in message


def test_inputs_that_are_no_tensors_are_named(tmp_path: Path) -> None:
    def make_sequence(model: onnx.ModelProto) -> None:
        info = helper.make_tensor_sequence_value_info("image", TensorProto.FLOAT, [1, 3])
        model.graph.input[0].CopyFrom(info)

    message = refusal(save(tmp_path / "m.onnx", edited(chain(1), make_sequence)))
    assert "'image', a sequence" in message


def test_external_data_and_input_shape_together(tmp_path: Path) -> None:
    def free_batch(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
        model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "N"

    (tmp_path / "w.bin").write_bytes(WEIGHT.tobytes())
    path = save(tmp_path / "m.onnx", edited(weighted(location="w.bin"), free_batch))
    assert run(read_model(path, {"image": (5, 3, 8, 8)}))[0].shape == (5, 4, 8, 8)


# --- custom operators -------------------------------------------------------------------------


def test_custom_operators_are_named_by_domain(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Warp", ["image"], ["a"], domain="my.ops"),
        helper.make_node("Blend", ["a"], ["b"], domain="my.ops"),
        helper.make_node("Nms", ["b"], ["pooled"], domain="their.ops"),
    ]
    message = refusal(save(tmp_path / "m.onnx", finish(nodes, [1, 3], [1, 3])))
    assert "'my.ops': Blend, Warp; of domain 'their.ops': Nms" in message


def test_custom_operators_in_a_subgraph_are_found(tmp_path: Path) -> None:
    def hide(model: onnx.ModelProto) -> None:
        node = model.graph.node[1].attribute[1].g.node[0]
        node.domain, node.op_type = "my.ops", "Hidden"

    message = refusal(save(tmp_path / "m.onnx", edited(branching(), hide)))
    assert "'my.ops': Hidden" in message


def with_function(inner: str, inner_domain: str) -> bytes:
    def add(model: onnx.ModelProto) -> None:
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my.ops", 1)]
        node = helper.make_node(inner, ["x"], ["y"], domain=inner_domain)
        model.functions.append(
            helper.make_function("my.ops", "Twice", ["x"], ["y"], [node], opsets)
        )
        model.opset_import.append(opsets[1])

    nodes = [helper.make_node("Twice", ["image"], ["pooled"], domain="my.ops")]
    return edited(finish(nodes, ["N", 3], ["N", 3]), add)


def test_a_function_of_the_model_is_no_custom_operator(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", with_function("Relu", ""))
    assert run(read_model(path, {"image": (2, 3)}))[0].shape == (2, 3)


def test_outputs_that_cannot_be_inferred_are_left_to_onnxruntime(tmp_path: Path) -> None:
    def forget_domain(model: onnx.ModelProto) -> None:
        del model.opset_import[1]

    path = save(tmp_path / "m.onnx", edited(with_function("Relu", ""), forget_domain))
    graph = onnx.ModelProto.FromString(read_model(path, {"image": (2, 3)})).graph
    assert not graph.output[0].type.tensor_type.HasField("shape")
    assert graph.output[0].type.tensor_type.elem_type == TensorProto.FLOAT


def test_custom_operators_in_a_function_are_found(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", with_function("Warp", "my.ops"))
    message = refusal(path)
    assert "'my.ops': Warp" in message and "Twice" not in message


def test_onnxruntimes_own_operators_are_no_custom_operators(tmp_path: Path) -> None:
    def add_domain(model: onnx.ModelProto) -> None:
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))

    nodes = [helper.make_node("QuickGelu", ["image"], ["pooled"], domain="com.microsoft")]
    data = edited(finish(nodes, ["N", 3], [8, 3]), add_domain)
    data = read_model(save(tmp_path / "m.onnx", data), {"image": (2, 3)})
    assert run(data)[0].shape == (2, 3)


# --- the flag ---------------------------------------------------------------------------------


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
