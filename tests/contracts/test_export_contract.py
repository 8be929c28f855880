"""What every export format keeps, and one of a user's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

from latency.device.host import current_host
from nas.architecture.text import parse, to_text
from nas.architecture.weights import random_weights
from nas.builders.keras_model import portable_model
from nas.builders.onnx_model import to_onnx
from nas.data import Dataset, Split
from nas.deployment.formats import EXPORT_FORMATS, REFERENCE, AskedExports, ExportFormat, Source
from nas.deployment.int8 import int8_settings
from nas.deployment.metadata import ModelMetadata, metadata_of, with_metadata
from nas.deployment.scores import keras_scores, parity
from nas.errors import InputError

# Everything that a network may be made of: each kind of convolution, pooling and activation.
NETWORK = parse(
    "in_s20 cn_k3_s2_c8_nsw ir_k5_s2_e3_c16_se0.25 ir_k3_s1_e6_c16 sp_k3_s1_c16 "
    "res[cn_k3_s1_c16 cn_k1_s1_c16] mp_k2 cn_k1_s1_c24 gap drop_p0.2 fc_c7"
)
# Largest difference of a score in parts of the largest one. Formats in fp32 sum in other orders, a
# few 1e-6; int8 rounds some 30 maps to 1/256 of their range each, a few percent together.
FP32_TOLERANCE, INT8_TOLERANCE = 1e-5, 0.15


@dataclass(frozen=True)
class Trained:
    """A network, its files and its scores.

    Args:
        source: What formats make their files of.
        scores: Of Keras on the evaluation images.
    """

    source: Source
    scores: np.ndarray


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    weights = random_weights(NETWORK)
    model = portable_model(NETWORK, weights)
    path = tmp_path_factory.mktemp("export") / "model.keras"
    model.save(path)
    rng = np.random.default_rng(0)

    def split(count: int) -> Split:
        images = rng.integers(0, 256, (count, 20, 20, 3)).astype(np.uint8)
        return Split(images, rng.integers(0, 7, count).astype(np.int32))

    names = tuple("abcdefg")
    data = Dataset("noise", split(30), split(25), names, 20, "0" * 16, False)
    metadata = ModelMetadata(class_names=names, architecture=to_text(NETWORK), image_size=20)
    source = Source(
        with_metadata(to_onnx(NETWORK, weights), metadata),
        path,
        metadata,
        data,
        int8_settings(30, 0, current_host()),
    )
    return Trained(source, keras_scores(model.predict_on_batch, data.evaluation))


@pytest.fixture
def own_format() -> Iterator[str]:
    """A format as a user would write it: Keras' own file again, under another name."""

    def scores(data: bytes, split: Split, told: object = None) -> np.ndarray:
        path = Path(data.decode())
        model = keras.saving.load_model(path, compile=False)
        return keras_scores(model.predict_on_batch, split)

    kind = ExportFormat("model.path", lambda s: str(s.keras_file).encode(), scores)
    EXPORT_FORMATS.register("own", kind)
    yield "own"
    EXPORT_FORMATS.remove("own")


def held_to_the_contract(name: str, trained: Trained) -> bytes:
    kind = EXPORT_FORMATS[name]
    kind.check()
    assert kind.missing() == "", "its file can be run here"
    made = kind.make(trained.source)
    found = parity(trained.scores, kind.scores(made, trained.source.dataset.evaluation), len(made))
    tolerance = INT8_TOLERANCE if kind.is_quantized else FP32_TOLERANCE
    assert found.images == 25
    assert found.max_abs_difference <= tolerance * max(1.0, found.max_abs_logit)
    assert kind.is_quantized or found.flips == 0
    return made


# LiteRT's converter takes some seconds.
SLOW = {"litert"}
NAMES = [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in EXPORT_FORMATS]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_computes_what_keras_does(name: str, trained: Trained) -> None:
    made = held_to_the_contract(name, trained)
    kind = EXPORT_FORMATS[name]
    if kind.is_onnx:
        found = metadata_of(made, kind.file)
        assert found.precision == ("int8" if kind.is_quantized else "fp32")
        assert found.class_names == trained.source.metadata.class_names


def test_a_format_of_ones_own_keeps_it_too(own_format: str, trained: Trained) -> None:
    held_to_the_contract(own_format, trained)
    assert AskedExports.of("own").formats == (REFERENCE, "own")


def test_each_format_has_a_file_of_its_own() -> None:
    files = [EXPORT_FORMATS[name].file for name in EXPORT_FORMATS]
    assert len(set(files)) == len(files) and files[0] == "model.onnx"


@pytest.mark.parametrize("export", ["int8,litert", ["litert", "int8"], " int8 , fp32,litert,int8"])
def test_names_are_read_in_any_order(export: str | list[str]) -> None:
    assert AskedExports.of(export).formats == ("fp32", "int8", "litert")
    assert AskedExports.of(None).formats == ("fp32",)


def test_the_nearest_known_name_is_told() -> None:
    with pytest.raises(InputError, match="write 'litert'"):
        AskedExports.of("litrt")


def test_litert_is_refused_where_keras_cannot_export_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from nas.deployment import litert
    from nas.system.chosen_backend import ChosenBackend

    monkeypatch.setattr(litert, "chosen_backend", lambda: ChosenBackend("jax"))
    with pytest.raises(InputError) as caught:
        AskedExports.of("litert").check()
    error = caught.value
    assert "--export litert with a backend" in error.expected
    assert error.received == "KERAS_BACKEND=jax"
    assert "KERAS_BACKEND=tensorflow main.py --run RUN --export litert" in error.fix
    monkeypatch.setattr(litert, "chosen_backend", lambda: ChosenBackend("torch"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="the package litert-torch(?s:.*)pip install litert-torch"):
        AskedExports.of("litert").check()
    assert "pip install ai-edge-litert" in litert.no_interpreter()
