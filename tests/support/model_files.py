"""ONNX files for the tests of reading them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from latency.device.runner import ModelRunner
from latency.device.settings import SessionSettings
from latency.onnx_files.model_file import (
    ModelFileError,
    read_model,
)
from tests.support.latency_graphs import finish

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


def named_input(name: str, shape: list[Any]) -> bytes:
    """Returns a model whose input has this name and shape."""

    def rename(model: Any) -> None:
        model.graph.input[0].name = model.graph.node[0].input[0] = name

    return edited(finish(RELU, shape, None), rename)
