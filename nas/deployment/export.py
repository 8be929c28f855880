"""Trained network -> model.keras and model.onnx, written only if both agree."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np

from latency import atomic
from nas.architecture.spec import Architecture
from nas.builders.keras_model import portable_model, weights_by_name
from nas.builders.onnx_model import to_onnx
from nas.data import Split
from nas.deployment.metadata import ModelMetadata, with_metadata
from nas.deployment.records import Parity
from nas.deployment.scores import onnx_scores, parity
from nas.errors import InputError
from nas.system.graphs import one_graph

# Folding BN rescales kernels, and Keras' own layers, ours and ONNX Runtime sum in other orders:
# float32 differences of a few 1e-5 of the largest score are expected, wrong padding or a lost
# layer gives > 1e-1.
PARITY_TOLERANCE = 1e-3


def export(
    model: keras.Model,
    architecture: Architecture,
    metadata: ModelMetadata,
    folder: Path,
    images: np.ndarray,
) -> Parity:
    """Writes `model.onnx` and `model.keras` after checking that both compute what was trained.

    The Keras file holds layers of Keras' own: whoever loads it needs nothing of this program.

    Args:
        model: Trained, of `build_model(architecture)`.
        architecture: Its description.
        metadata: What model.onnx says of itself.
        folder: Where the files go.
        images: Real images (n, height, width, 3), pixels 0 to 255, to compare on.

    Returns:
        How well they agree on these images.

    Raises:
        InputError: An exported file does not compute what the model does.
        OSError: The disk is full or read-only; earlier files stay as they are.
    """
    weights = weights_by_name(model, architecture)
    data = with_metadata(to_onnx(architecture, weights), metadata)
    portable = portable_model(architecture, weights)
    own, expected = _scores(model, images), _scores(portable, images)
    _check("ONNX scores", compare_with_onnx(data, images, own).max_abs_difference, own)
    _check("scores of model.keras", float(np.abs(expected - own).max()), own)
    _write_both(folder, data, portable)
    return compare_with_onnx(data, images, expected)


def _write_both(folder: Path, data: bytes, portable: keras.Model) -> None:
    """Both files or, where the disk is full, none: what was there before stays."""
    temporary = folder / ".model.tmp.keras"
    try:
        portable.save(temporary)
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        atomic.write_bytes(folder / "model.onnx", data)
        temporary.replace(folder / "model.keras")
    finally:
        temporary.unlink(missing_ok=True)


def _scores(model: keras.Model, images: np.ndarray) -> np.ndarray:
    run = one_graph(lambda pixels: model(pixels, training=False), model)
    return np.asarray(keras.ops.convert_to_numpy(run(images)))


def _check(what: str, difference: float, expected: np.ndarray) -> None:
    """Refuses a file that computes something else than the network that was trained."""
    largest = float(np.abs(expected).max())
    if difference > PARITY_TOLERANCE * max(1.0, largest):
        raise InputError(
            f"{what} within {PARITY_TOLERANCE:g} of Keras' largest score",
            f"a difference of {difference:.3g} (largest score {largest:.3g})",
            "report this architecture; nothing was written",
        )


def compare_with_onnx(data: bytes, images: np.ndarray, expected: np.ndarray) -> Parity:
    """Differences between an ONNX file's scores and expected ones, one image at a time.

    Args:
        data: Of the file.
        images: (n, height, width, 3), pixels 0 to 255.
        expected: (n, classes) scores.
    """
    split = Split(images, np.zeros(len(images), np.int32))
    return parity(expected, onnx_scores(data, split), len(data))
