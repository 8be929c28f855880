"""Our ONNX files against Keras' own exporter, and the checks before a file is written."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from nas.architecture.text import parse
from nas.architecture.weights import random_weights
from nas.builders.keras_model import build_model, set_weights_by_name, weights_by_name
from nas.builders.onnx_model import to_onnx, to_onnx_bytes
from nas.data import Dataset, Split
from nas.deployment.export import compare_with_onnx, export
from nas.deployment.metadata import ModelMetadata, metadata_for
from nas.errors import InputError

NETWORK = parse(
    "in_s33 cn_k3_s2_c8 ir_k5_s2_e3_c16 ir_k3_s1_e6_c16 cn_k1_s1_c32 gap drop_p0.2 fc_c4"
)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    made = build_model(NETWORK)
    set_weights_by_name(made, NETWORK, random_weights(NETWORK))
    return made


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (3, 33, 33, 3)).astype(np.float32)


def run(data: bytes | str, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: image[None]})[0] for image in images])


def test_a_file_of_ours_that_an_earlier_version_wrote_is_still_read(
    model: keras.Model, images: np.ndarray, tmp_path: Path
) -> None:
    model.save(tmp_path / "model.keras")  # with our own layers, as it was exported before
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(scores(loaded, images), scores(model, images))


@pytest.mark.filterwarnings("ignore")  # the converter's own
def test_same_scores_as_the_keras_exporter(
    model: keras.Model, images: np.ndarray, tmp_path: Path
) -> None:
    path = str(tmp_path / "keras.onnx")
    signature = [keras.InputSpec(shape=(1, 33, 33, 3), dtype="float32")]
    model.export(path, format="onnx", input_signature=signature, verbose=False)
    theirs = run(path, images)
    ours = run(to_onnx_bytes(NETWORK, weights_by_name(model, NETWORK)), images)
    # Both fold BN into float32 kernels, in other orders: 1e-5 of the largest score.
    assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max() + 1e-6


def test_file_is_valid_and_old_runtimes_can_load_it(model: keras.Model) -> None:
    made = to_onnx(NETWORK, weights_by_name(model, NETWORK), metadata={"a": "b"})
    onnx.checker.check_model(made, full_check=True)
    assert (made.ir_version, made.opset_import[0].version) == (8, 17)
    assert {p.key: p.value for p in made.metadata_props} == {"a": "b"}
    inputs = {i.name for i in made.graph.input}
    # An initializer that is an input as well stops constant folding and fusion.
    assert inputs == {"image"}
    assert not inputs & {i.name for i in made.graph.initializer}


def test_graph_is_fused_in_the_blocked_layout(model: keras.Model, tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    data = to_onnx_bytes(NETWORK, weights_by_name(model, NETWORK))
    onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]
    assert "Clip" not in kinds and "BatchNormalization" not in kinds
    assert kinds.count("Transpose") <= 1


def test_denormal_weights_become_zero(model: keras.Model) -> None:
    weights = weights_by_name(model, NETWORK)
    weights["0.conv.kernel"] = np.full_like(weights["0.conv.kernel"], 1e-42)
    made = to_onnx(NETWORK, weights)
    kernel = next(i for i in made.graph.initializer if i.name == "0.conv.kernel")
    assert not onnx.numpy_helper.to_array(kernel).any()


def test_missing_weight_is_named() -> None:
    with pytest.raises(InputError, match=r"0\.conv\.kernel"):
        to_onnx(NETWORK, {})


def dataset(images: np.ndarray) -> Dataset:
    split = Split(images.astype(np.uint8), np.zeros(len(images), np.int32))
    return Dataset("d", split, split, ("a", "b", "c", "d"), 33, "0" * 16, False)


def metadata(images: np.ndarray) -> ModelMetadata:
    return metadata_for(NETWORK, dataset(images), "0" * 12)


def scores(model: keras.Model, images: np.ndarray) -> np.ndarray:
    found: np.ndarray = keras.ops.convert_to_numpy(model(images, training=False))
    return found


def test_export_writes_both_files(model: keras.Model, images: np.ndarray, tmp_path: Path) -> None:
    report = export(model, NETWORK, metadata(images), tmp_path, images)
    assert report.top1_agreement == 1.0
    assert report.max_abs_difference <= 1e-4 * max(1.0, report.max_abs_logit)
    loaded = scores(keras.saving.load_model(tmp_path / "model.keras"), images)
    # Other kernels of the same sums in float32: a few 1e-6 of the largest score.
    assert np.abs(loaded - scores(model, images)).max() <= 1e-5 * np.abs(loaded).max()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.keras", "model.onnx"]


def test_a_file_that_computes_something_else_is_not_written(
    model: keras.Model, images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nas.deployment.export as module

    monkeypatch.setattr(module, "weights_by_name", lambda *_: random_weights(NETWORK, seed=9))
    with pytest.raises(InputError, match="ONNX scores within"):
        export(model, NETWORK, metadata(images), tmp_path, images)
    assert not list(tmp_path.iterdir())


def test_comparison_sees_a_shifted_padding(model: keras.Model, images: np.ndarray) -> None:
    made = to_onnx(NETWORK, weights_by_name(model, NETWORK))
    conv = next(n for n in made.graph.node if n.op_type == "Conv" and len(n.attribute) > 2)
    pads = next(a for a in conv.attribute if a.name == "pads")
    pads.ints[:] = [pads.ints[2], pads.ints[3], pads.ints[0], pads.ints[1]]
    if list(pads.ints) == [1, 1, 1, 1]:
        pads.ints[:] = [0, 0, 2, 2]
    expected = keras.ops.convert_to_numpy(model(images))
    report = compare_with_onnx(made.SerializeToString(), images, expected)
    assert report.max_abs_difference > 1e-3 * report.max_abs_logit
