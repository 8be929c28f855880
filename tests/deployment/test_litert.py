"""LiteRT files: what Keras' exporter makes of a network, what is told where it makes nothing."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

from nas.data import Split
from nas.deployment import litert
from nas.deployment.litert import litert_scores, no_interpreter, to_litert
from nas.errors import InputError

CLASSES = 2


def split(images: int = 3) -> Split:
    pixels = np.random.default_rng(0).integers(0, 256, (images, 2, 2, 3), np.uint8)
    return Split(pixels, np.zeros(images, np.int32))


@pytest.fixture(scope="module")
def model() -> keras.Model:
    # The converter takes its time for each operation.
    layers = [keras.Input((2, 2, 3)), keras.layers.Flatten(), keras.layers.Dense(CLASSES)]
    return keras.Sequential(layers)


@pytest.fixture(scope="module")
def keras_file(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("litert") / "model.keras"
    model.save(path)
    return path


def test_a_file_has_the_scores_of_keras_image_by_image(
    model: keras.Model, keras_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litert, "PART", 2)
    told: list[tuple[int, int]] = []
    made = to_litert(keras_file)
    found = litert_scores(made, split(), lambda *progress: told.append(progress))
    expected = model.predict_on_batch(split().images.astype(np.float32))
    assert found.dtype == np.float32 and found.shape == (3, CLASSES)
    # Sums of twelve products of float32.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)
    assert told == [(2, 3), (3, 3)]
    assert made[4:8] == b"TFL3", "the mark of the format"


@pytest.mark.parametrize(
    ("error", "received"),
    [
        (ValueError("an operation is unknown.\nA trace of it"), "ValueError: an operation is unkn"),
        (RuntimeError(), "RuntimeError: RuntimeError()"),
    ],
)
def test_what_the_converter_raises_is_refused_by_its_first_line(
    error: Exception, received: str, keras_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(keras.Sequential, "export", fail)
    with pytest.raises(InputError) as caught:
        to_litert(keras_file)
    assert caught.value.expected == "a network that Keras exports to LiteRT"
    assert caught.value.received.startswith(received) and "trace" not in caught.value.received
    assert "model.onnx" in caught.value.fix and "--export" in caught.value.fix
    assert caught.value.__cause__ is error


class Doubling:
    """An interpreter whose only operation doubles the mean of an image."""

    def __init__(self, model_content: bytes) -> None:
        assert model_content == b"a file"
        self.is_ready, self.pixels, self.scores = False, np.zeros(0), np.zeros(0)

    def allocate_tensors(self) -> None:
        self.is_ready = True

    def get_input_details(self) -> list[dict[str, int]]:
        return [{"index": 7}]

    def get_output_details(self) -> list[dict[str, int]]:
        return [{"index": 8}]

    def set_tensor(self, index: int, pixels: np.ndarray) -> None:
        assert index == 7 and self.is_ready
        assert pixels.shape == (1, 2, 2, 3) and pixels.dtype == np.float32
        self.pixels = pixels

    def invoke(self) -> None:
        # In place, as memory of an interpreter is used again for the next image.
        self.scores = np.resize(self.scores, (1, 1))
        self.scores[:] = 2 * self.pixels.mean()

    def get_tensor(self, index: int) -> np.ndarray:
        assert index == 8
        return self.scores


def test_the_interpreter_of_its_own_package_is_taken_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package, module = ModuleType("ai_edge_litert"), ModuleType("ai_edge_litert.interpreter")
    package.__spec__ = ModuleSpec("ai_edge_litert", None)
    vars(module)["Interpreter"] = Doubling
    monkeypatch.setitem(sys.modules, "ai_edge_litert", package)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", module)
    means = split().images.reshape(3, -1).mean(axis=1)
    # A mean of float32 beside one of float64.
    np.testing.assert_allclose(litert_scores(b"a file", split())[:, 0], 2 * means, rtol=1e-5)


@pytest.mark.parametrize(
    ("installed", "told"),
    [
        ({"ai_edge_litert"}, ""),
        ({"tensorflow"}, ""),
        ({"torch"}, "no LiteRT interpreter is installed (pip install ai-edge-litert)"),
    ],
)
def test_a_file_that_nothing_here_can_run_is_told(
    installed: set[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name in installed or None)
    assert no_interpreter() == told
