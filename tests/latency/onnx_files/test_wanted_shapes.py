"""Shapes for the inputs of several models."""

from __future__ import annotations

import pytest

from latency.errors import ModelFileError
from latency.onnx_files.wanted_shapes import assign_shapes

INPUTS = {"a.onnx": ("image",), "b.onnx": ("pixels", "image:0")}


def test_each_model_gets_the_shapes_of_its_own_inputs() -> None:
    found = assign_shapes([("image", (1, 3)), ("pixels", (2, 3))], INPUTS)
    assert found == {"a.onnx": {"image": (1, 3)}, "b.onnx": {"pixels": (2, 3)}}
    assert assign_shapes([], INPUTS) == {"a.onnx": {}, "b.onnx": {}}


def test_a_name_that_several_models_have_is_for_all_of_them_or_for_the_one_that_is_named() -> None:
    both = {"a.onnx": ("x",), "b.onnx": ("x",)}
    assert assign_shapes([("x", (1,))], both) == {"a.onnx": {"x": (1,)}, "b.onnx": {"x": (1,)}}
    found = assign_shapes([("a.onnx:x", (1,)), ("b.onnx:x", (2,))], both)
    assert found == {"a.onnx": {"x": (1,)}, "b.onnx": {"x": (2,)}}
    assert assign_shapes([("b.onnx:image:0", (4,))], INPUTS)["b.onnx"] == {"image:0": (4,)}


@pytest.mark.parametrize(
    ("wanted", "received"),
    [
        ([("image", (1, 3)), ("image", (2, 3))], "image=1,3 and image=2,3"),
        ([("image", (1, 3)), ("a.onnx:image", (1, 4))], "image=1,3 and image=1,4"),
    ],
)
def test_one_input_is_not_given_two_shapes(
    wanted: list[tuple[str, tuple[int, ...]]], received: str
) -> None:
    with pytest.raises(ModelFileError, match="one shape for input 'image' of a.onnx") as info:
        assign_shapes(wanted, INPUTS)
    assert info.value.received == received
    assert "--input_shape MODEL.onnx:image=..." in info.value.fix
    # Twice the same is no contradiction.
    assert assign_shapes([wanted[0], wanted[0]], INPUTS)["a.onnx"] == {"image": (1, 3)}


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("imaeg", "did you mean 'image'?"),
        ("c.onnx:pixels", "did you mean 'b.onnx:pixels'?"),
        ("nothing alike", "name one of these"),
    ],
)
def test_a_name_that_no_model_has_is_refused_with_those_that_there_are(name: str, fix: str) -> None:
    with pytest.raises(ModelFileError) as info:
        assign_shapes([(name, (1,))], INPUTS)
    assert "('image' of a.onnx; 'pixels', 'image:0' of b.onnx)" in info.value.expected
    assert info.value.received == repr(name) and info.value.fix.startswith(fix)
