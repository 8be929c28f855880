"""Files on a command line: several at once, their shapes and a user's own inputs."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from latency.cli.model_files import key_of, read_models, with_inputs
from latency.device.inputs import read_arrays
from latency.device.job import Model
from latency.errors import LatencyError
from tests.support.latency_graphs import chain, finish
from tests.support.model_files import RELU, edited, named_input

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("a.onnx").write_bytes(named_input("image", ["N", 3]))
    Path("b.onnx").write_bytes(named_input("pixels", ["N", 4]))
    Path("fixed.onnx").write_bytes(chain(1))
    return tmp_path


def read(
    *names: str,
    shapes: list[str] | None = None,
    inputs: list[str] | None = None,
    repeated: bool = False,
) -> list[Model]:
    options = Namespace(input_shape=shapes, input=inputs, precision="fp32", scheme=None)
    return read_models(options, [Path(name) for name in names], repeated=repeated)


def refused(call: Any) -> LatencyError:
    with pytest.raises(LatencyError) as info:
        call()
    return info.value


def test_two_models_of_different_inputs_get_two_shapes(folder: Path) -> None:
    found = read("a.onnx", "b.onnx", shapes=["image=2,3", "pixels=5,4"])
    assert [model.key for model in found] == ["a.onnx", "b.onnx"]
    assert b"pixels" in found[1].data and b"pixels" not in found[0].data


def test_every_dynamic_input_of_every_model_is_asked_for_at_once(folder: Path) -> None:
    error = refused(lambda: read("a.onnx", "b.onnx"))
    assert "'image' of shape (N, 3); 'pixels' of shape (N, 4)" in error.received
    assert "for a.onnx: pass --input_shape image=N,3 with" in error.fix
    assert "for b.onnx: pass --input_shape pixels=N,4 with" in error.fix


@pytest.mark.parametrize("shapes", [None, ["image=1,3"]])
def test_all_files_that_cannot_be_read_are_named_at_once(
    folder: Path, shapes: list[str] | None
) -> None:
    Path("c.onnx").write_bytes(LFS)
    error = refused(lambda: read("none.onnx", "c.onnx", "fixed.onnx", shapes=shapes))
    assert "none.onnx, no such file" in error.received
    assert "c.onnx: a git-LFS pointer" in error.received and "git lfs pull" in error.fix


def test_a_shape_for_one_model_of_several(folder: Path) -> None:
    Path("c.onnx").write_bytes(named_input("image", ["N", 3]))
    found = read("a.onnx", "c.onnx", shapes=["a.onnx:image=2,3", "c.onnx:image=4,3"])
    assert found[0].data != found[1].data
    assert "one shape for input 'image' of a.onnx" in str(
        refused(lambda: read("a.onnx", "c.onnx", shapes=["image=2,3", "image=4,3"]))
    )


def test_a_misspelt_input_is_refused_before_a_shape_is_asked_for(folder: Path) -> None:
    error = refused(lambda: read("a.onnx", "b.onnx", shapes=["imagee=2,3", "pixels=5,4"]))
    assert error.received == "'imagee'" and "did you mean 'image'?" in error.fix


def test_a_file_that_is_named_twice_is_one_model_or_two(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [model.key for model in read("fixed.onnx", "./fixed.onnx")] == ["fixed.onnx"]
    assert "note: fixed.onnx is named 2 times and measured once" in capsys.readouterr().err
    two = read("fixed.onnx", "fixed.onnx", repeated=True)
    assert [model.key for model in two] == ["fixed.onnx", "fixed.onnx #2"]


def test_a_name_that_is_no_text_has_a_key_that_is(folder: Path) -> None:
    path = Path(os.fsdecode(b"caf\xe9.onnx"))
    path.write_bytes(chain(1))
    (model,) = read(str(path))
    assert model.key == key_of(path) == r"caf\xe9.onnx"


def test_a_model_that_cannot_be_converted_is_named(folder: Path) -> None:
    Path("half.onnx").write_bytes(finish(RELU, [1, 3], [1, 3], input_type=TensorProto.FLOAT16))
    options = Namespace(input_shape=None, precision="fp16", scheme=None)
    names = [Path(name) for name in ("fixed.onnx", "half.onnx")]
    error = refused(lambda: read_models(options, names))
    assert error.received == "half.onnx: a model with FLOAT16"


# --- a user's own inputs ------------------------------------------------------------------------


def fed(models: list[Model], *texts: str) -> dict[str, dict[str, np.ndarray]]:
    return {model.key: read_arrays(model.inputs) for model in with_inputs(models, texts)}


@pytest.fixture
def pair(folder: Path) -> list[Model]:
    return read("a.onnx", "b.onnx", shapes=["image=1,3", "pixels=1,4"])


IMAGE, PIXELS = np.ones((1, 3), np.float32), np.ones((1, 4), np.float32)


def test_each_model_takes_the_arrays_of_its_own_inputs(pair: list[Model]) -> None:
    np.savez("both.npz", image=IMAGE, pixels=PIXELS)
    found = fed(pair, "both.npz")
    assert {key: list(own) for key, own in found.items()} == {
        "a.onnx": ["image"],
        "b.onnx": ["pixels"],
    }


def test_a_model_that_a_file_has_nothing_for_is_named(
    pair: list[Model], capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez("one.npz", image=IMAGE)
    assert fed(pair, "one.npz")["b.onnx"] == {}
    assert "note: one.npz has no array for b.onnx" in capsys.readouterr().err
    assert fed(pair, "a.onnx=one.npz")["b.onnx"] == {} and capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arrays", "text", "words"),
    [
        ({"imag": IMAGE}, "x.npz", "'imag' in x.npz.\nFix: did you mean 'image'?"),
        ({"image": IMAGE}, "b.onnx=x.npz", "named as inputs of the models (pixels)"),
        ({"image": PIXELS}, "x.npz", "shape [1, 3] for input 'image' of a.onnx"),
        ({"image": np.ones((1, 3))}, "x.npz", "one of type float64 and shape [1, 3], in x.npz"),
        ({"image": np.ones((1, 3))}, "x.npz", "write it with .astype('float32')"),
        ({"image": np.array([[{}, 1, 2]])}, "x.npz", "an .npz file of plain arrays"),
        ({"image": IMAGE}, "aa.onnx=x.npz", "did you mean 'a.onnx'?"),
        ({"image": IMAGE}, "none.npz", "none.npz"),
    ],
)
def test_arrays_that_fit_nothing_are_refused_before_anything_runs(
    pair: list[Model], arrays: dict[str, Any], text: str, words: str
) -> None:
    np.savez("x.npz", **arrays)
    assert words in str(refused(lambda: with_inputs(pair, [text])))


def test_an_array_says_the_shape_of_a_dynamic_input(folder: Path) -> None:
    np.savez("x.npz", image=np.ones((5, 3), np.float32), pixels=np.ones((2, 4), np.float32))
    models = read("a.onnx", "b.onnx", inputs=["x.npz"])
    assert fed(models, "x.npz")["a.onnx"]["image"].shape == (5, 3)
    # A shape that was asked for stays, and then the array does not fit.
    models = read("a.onnx", "b.onnx", shapes=["image=7,3"], inputs=["x.npz"])
    assert "of type float32 and shape [7, 3] for input 'image' of a.onnx" in str(
        refused(lambda: with_inputs(models, ["x.npz"]))
    )
    np.savez("flat.npz", image=np.ones(3, np.float32))
    error = refused(lambda: read("a.onnx", inputs=["flat.npz"]))
    assert "a shape for input 'image' of a.onnx that agrees with (N, 3)" in error.expected


def test_copies_of_a_file_share_arrays_or_have_their_own(folder: Path) -> None:
    copies = read("a.onnx", "a.onnx", shapes=["image=1,3"], repeated=True)
    np.savez("x.npz", image=IMAGE)
    np.savez("y.npz", image=2 * IMAGE)
    both = fed(copies, "a.onnx=x.npz")
    assert both["a.onnx"]["image"][0, 0] == both["a.onnx #2"]["image"][0, 0] == 1
    each = fed(copies, "a.onnx=x.npz", "a.onnx #2=y.npz")
    assert (each["a.onnx"]["image"][0, 0], each["a.onnx #2"]["image"][0, 0]) == (1, 2)
    assert "one --input for each model" in str(
        refused(lambda: with_inputs(copies, ["a.onnx=x.npz", "x.npz"]))
    )


def test_an_input_with_a_value_in_the_file_is_no_input(folder: Path) -> None:
    def fill(model: Any) -> None:
        info = helper.make_tensor_value_info("w0", TensorProto.FLOAT, [8, 3, 3, 3])
        model.graph.input.append(info)

    Path("filled.onnx").write_bytes(edited(chain(1), fill))
    models = read("filled.onnx")
    np.savez("x.npz", w0=np.ones((8, 3, 3, 3), np.float32))
    assert "named as inputs of the models (image)" in str(
        refused(lambda: with_inputs(models, ["x.npz"]))
    )
