"""Trained network -> model.keras and model.onnx, written only if both agree."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np

from latency import atomic
from nas.architecture.spec import Architecture
from nas.architecture.text import to_text
from nas.builders.keras_model import weights_by_name
from nas.builders.onnx_model import to_onnx_bytes
from nas.data import Dataset
from nas.errors import InputError

# Folding BN rescales kernels and both runtimes sum in other orders: float32 differences of
# a few 1e-5 of the largest score are expected, wrong padding or a lost layer gives > 1e-1.
PARITY_TOLERANCE = 1e-3


def onnx_metadata(architecture: Architecture, class_names: tuple[str, ...]) -> dict[str, str]:
    """What a program needs to use the file without ours."""
    return {
        "architecture": to_text(architecture),
        "class_names": json.dumps(list(class_names)),
        "input": "image: float32 [1, height, width, 3], RGB, pixels 0 to 255, not scaled",
        "output": "logits: float32 [1, classes], before softmax",
    }


def export(
    model: keras.Model,
    architecture: Architecture,
    dataset: Dataset,
    folder: Path,
    images: np.ndarray,
) -> dict[str, float]:
    """Writes `model.onnx` and `model.keras` after checking that they agree.

    Args:
        model: Trained, of `build_model(architecture)`.
        architecture: Its description.
        dataset: For the class names.
        folder: Where the files go.
        images: Real images (n, height, width, 3), pixels 0 to 255, to compare on.

    Returns:
        `max_abs_difference`, `max_abs_logit`, `top1_agreement`, `file_bytes`.

    Raises:
        InputError: The exported file does not compute what the model does.
    """
    weights = weights_by_name(model, architecture)
    data = to_onnx_bytes(
        architecture, weights, metadata=onnx_metadata(architecture, dataset.class_names)
    )
    expected = np.asarray(model.predict_on_batch(images))
    report = compare_with_onnx(data, images, expected)
    if report["max_abs_difference"] > PARITY_TOLERANCE * max(1.0, report["max_abs_logit"]):
        raise InputError(
            f"ONNX scores within {PARITY_TOLERANCE:g} of Keras' largest score",
            f"a difference of {report['max_abs_difference']:.3g} "
            f"(largest score {report['max_abs_logit']:.3g})",
            "report this architecture; nothing was written",
        )
    atomic.write_bytes(folder / "model.onnx", data)
    temporary = folder / ".model.tmp.keras"
    model.save(temporary)
    temporary.replace(folder / "model.keras")
    return {**report, "file_bytes": float(len(data))}


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
