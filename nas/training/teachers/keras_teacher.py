"""A teacher from a Keras file, run by Keras on whatever trains."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nas.errors import InputError
from nas.system.devices import device_count
from nas.system.graphs import jit_compile
from nas.training.teachers.scaling import told_by_factor, told_by_mean
from nas.training.teachers.teacher import (
    TRIAL_IMAGES,
    Teacher,
    TeacherInput,
    classes_of,
    image_shape,
    many_labels,
    settled_scaling,
)


def read_keras_teacher(path: Path, asked_input: str | None, image_size: int) -> Teacher:
    """Reads a teacher and tries it.

    Args:
        path: Of the .keras file.
        asked_input: `--teacher_input`; None where nobody asked.
        image_size: Of the images that it will score, in pixels.

    Raises:
        InputError: The file is no classifier of colour images, or holds code of its own.
    """
    model = _loaded(path)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise InputError(
            "a teacher with one input of images and one output of scores",
            f"{len(model.inputs)} inputs and {len(model.outputs)} outputs of {path}",
            "save it with the images as its only input and the scores as its only output",
        )
    height, width, channels_last = image_shape(path, tuple(model.inputs[0].shape))
    size = (height or image_size, width or image_size)
    is_uint8 = str(model.inputs[0].dtype) == "uint8"
    scaling, told_by = settled_scaling(path, _told(model), asked_input, is_uint8)
    fed = TeacherInput(*size, channels_last, is_uint8, scaling, told_by)
    last = _last_activation(model)
    if last == "sigmoid":
        raise many_labels(path)
    rng = np.random.default_rng(0)
    trial = fed.of(rng.uniform(0, 255, (TRIAL_IMAGES, *size, 3)).astype(np.float32))
    run = _runner(model)
    classes = classes_of(path, run(trial), len(trial))
    # Keras keeps settings for each thread: it runs in the one that trains.
    return Teacher(
        path,
        fed,
        run,
        classes,
        None,
        last == "softmax",
        runs_beside=False,
    )


def _loaded(path: Path) -> Any:
    """The model of a file, without anything that would run code of the file's own."""
    import keras

    if not zipfile.is_zipfile(path):
        raise InputError(
            "a whole .keras file as teacher", f"{path}, another kind of file", "save it again"
        )
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # layers, initialisers and files of others raise anything
        reason = (str(error).splitlines() or [repr(error)])[0]
        raise InputError(
            "a teacher whose layers are all Keras' own, without code in the file",
            f"{path}: {reason}",
            "export it to ONNX, and name that file",
        ) from None
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise InputError(
            "a Keras model with inputs of known shape", f"{path}", "build it before it is saved"
        )
    model.compile(jit_compile=jit_compile())
    return model


def _runner(model: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Runs any number of images, filled up to one that can be divided over all devices."""
    devices = device_count()

    def run(images: np.ndarray) -> np.ndarray:
        missing = -len(images) % devices
        filled = np.concatenate([images, np.repeat(images[-1:], missing, axis=0)])
        return np.asarray(model.predict_on_batch(filled))[: len(images)]

    return run


def _told(model: Any) -> tuple[str, str] | None:
    """How pixels are scaled for a model, by its first layer; None where that does not tell."""
    import keras

    layers = [
        layer
        for layer in model._flatten_layers(include_self=False)
        if not isinstance(layer, keras.Model | keras.layers.InputLayer)
    ]
    first = layers[0] if layers else None
    if isinstance(first, keras.layers.Rescaling):
        scaling, told_by = told_by_factor(np.asarray(first.scale)), "its first layer scales them"
    elif isinstance(first, keras.layers.Normalization) and not first.invert:
        mean = np.asarray(keras.ops.convert_to_numpy(first.mean))
        scaling, told_by = told_by_mean(mean), "its first layer normalises them"
    else:
        return None
    return None if scaling is None else (scaling, told_by)


def _last_activation(model: Any) -> str:
    """Name of the function that makes a model's output; empty for none."""
    import keras

    layer = model.outputs[0]._keras_history.operation
    if isinstance(layer, keras.Model):
        return _last_activation(layer)
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    return str(getattr(getattr(layer, "activation", None), "__name__", ""))
