"""Trained network -> model.keras and model.onnx, written only if both agree."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from latency import atomic
from nas.architecture.spec import Architecture
from nas.architecture.text import to_text
from nas.builders.keras_model import portable_model, weights_by_name
from nas.builders.onnx_model import to_onnx
from nas.data import Dataset
from nas.deployment.metadata import ModelMetadata, with_metadata
from nas.errors import InputError

# Folding BN rescales kernels, and Keras' own layers, ours and ONNX Runtime sum in other orders:
# float32 differences of a few 1e-5 of the largest score are expected, wrong padding or a lost
# layer gives > 1e-1.
PARITY_TOLERANCE = 1e-3


def metadata_for(architecture: Architecture, dataset: Dataset, run_id: str | None) -> ModelMetadata:
    """What a file of a network says of itself.

    Args:
        architecture: The network.
        dataset: What it learned from.
        run_id: Of the run; None where there is none.
    """
    return ModelMetadata(
        class_names=tuple(dataset.class_names),
        architecture=to_text(architecture),
        image_size=architecture.image_size,
        preparation=dataset.preparation,
        run_id=run_id,
    )


def export(
    model: keras.Model,
    architecture: Architecture,
    metadata: ModelMetadata,
    folder: Path,
    images: np.ndarray,
) -> dict[str, float]:
    """Writes `model.onnx` and `model.keras` after checking that both compute what was trained.

    The Keras file holds layers of Keras' own: whoever loads it needs nothing of this program.

    Args:
        model: Trained, of `build_model(architecture)`.
        architecture: Its description.
        metadata: What model.onnx says of itself.
        folder: Where the files go.
        images: Real images (n, height, width, 3), pixels 0 to 255, to compare on.

    Returns:
        `max_abs_difference`, `max_abs_logit`, `top1_agreement`, `file_bytes`.

    Raises:
        InputError: An exported file does not compute what the model does.
    """
    weights = weights_by_name(model, architecture)
    data = with_metadata(to_onnx(architecture, weights), metadata)
    portable = portable_model(architecture, weights)
    own, expected = _scores(model, images), _scores(portable, images)
    _check("ONNX scores", compare_with_onnx(data, images, own)["max_abs_difference"], own)
    _check("scores of model.keras", float(np.abs(expected - own).max()), own)
    report = compare_with_onnx(data, images, expected)
    atomic.write_bytes(folder / "model.onnx", data)
    temporary = folder / ".model.tmp.keras"
    portable.save(temporary)
    temporary.replace(folder / "model.keras")
    return {**report, "file_bytes": float(len(data))}


def _scores(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(model(images, training=False)))


def _check(what: str, difference: float, expected: np.ndarray) -> None:
    """Refuses a file that computes something else than the network that was trained."""
    largest = float(np.abs(expected).max())
    if difference > PARITY_TOLERANCE * max(1.0, largest):
        raise InputError(
            f"{what} within {PARITY_TOLERANCE:g} of Keras' largest score",
            f"a difference of {difference:.3g} (largest score {largest:.3g})",
            "report this architecture; nothing was written",
        )


def compare_with_onnx(data: bytes, images: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    """Differences between an ONNX file's scores and expected ones, one image at a time."""
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    got = np.concatenate(
        [session.run(None, {name: image[None].astype(np.float32)})[0] for image in images]
    )
    return {
        "max_abs_difference": float(np.abs(got - expected).max()),
        "max_abs_logit": float(np.abs(expected).max()),
        "top1_agreement": float((got.argmax(1) == expected.argmax(1)).mean()),
    }
