"""A user's ONNX file: read for measuring, or refused with what to do about it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from latency.onnx_files.model_file import (
    MAX_MODEL_BYTES,
    ModelFileError,
    read_model,
)
from tests.support.latency_graphs import chain, finish
from tests.support.model_files import branching, edited, refusal, run, save, with_function


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
    ("data", "what"),
    [
        (np.random.default_rng(0).bytes(500), "no ONNX, or a part of it"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02", "a PNG image"),
        (chain(1)[:-200], "no ONNX, or a part of it"),
        (b"\x08\x08\x12", "no ONNX, or a part of it"),
    ],
    ids=["random", "png", "truncated", "truncated_early"],
)
def test_bytes_that_are_no_onnx(tmp_path: Path, data: bytes, what: str) -> None:
    message = refusal(save(tmp_path / "m.onnx", data))
    assert message.startswith("Expected a whole ONNX model") and what in message


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


def test_a_function_of_the_model_is_no_custom_operator(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", with_function("Relu", ""))
    assert run(read_model(path, {"image": (2, 3)}))[0].shape == (2, 3)


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
