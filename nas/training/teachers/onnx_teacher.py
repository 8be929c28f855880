"""A teacher from an ONNX file, run by ONNX Runtime: neither Keras nor a GPU is needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from latency.device.graph import Input
from latency.device.sessions import create_session
from latency.device.settings import SessionSettings
from latency.onnx_files.model_file import file_inputs, read_model
from nas.deployment.properties import class_names_in, properties_of, takes_pixels
from nas.errors import InputError
from nas.training.teachers.onnx_graph import last_operator, scaling_of_graph, with_free_batch
from nas.training.teachers.teacher import (
    TRIAL_IMAGES,
    Teacher,
    TeacherInput,
    classes_of,
    image_shape,
    many_labels,
    settled_scaling,
)

KINDS = {"tensor(float)": False, "tensor(uint8)": True}


def read_onnx_teacher(path: Path, asked_input: str | None, image_size: int) -> Teacher:
    """Reads a teacher and tries it.

    Args:
        path: Of the file.
        asked_input: `--teacher_input`; None where nobody asked.
        image_size: Of the images that it will score, in pixels.

    Raises:
        LatencyError: The file is no classifier of colour images that ONNX Runtime runs.
    """
    found = _only_input(path)
    height, width, channels_last = image_shape(path, found.shape)
    size = (height or image_size, width or image_size)
    # A file with a fixed batch keeps it until it was tried with another one.
    batch = found.shape[0] or 1
    shape = (batch, *size, 3) if channels_last else (batch, 3, *size)
    data = read_model(path, {found.name: shape})
    model = onnx.load_from_string(data)
    properties = properties_of(model)
    is_uint8 = KINDS[found.type]
    told = _stated(properties) or scaling_of_graph(model, found.name)
    scaling, told_by = settled_scaling(path, told, asked_input, is_uint8)
    fed = TeacherInput(*size, channels_last, is_uint8, scaling, told_by)
    last = last_operator(model)
    if last == "Sigmoid":
        raise many_labels(path)
    rng = np.random.default_rng(0)
    trial = fed.of(rng.uniform(0, 255, (TRIAL_IMAGES, *size, 3)).astype(np.float32))
    run, classes = _runner(path, model, data, found.name, batch, trial)
    return Teacher(
        path,
        fed,
        run,
        classes,
        class_names_in(properties),
        last == "Softmax",
        runs_beside=True,
    )


def _only_input(path: Path) -> Input:
    inputs = file_inputs(path)
    if len(inputs) != 1 or inputs[0].type not in KINDS:
        shown = ", ".join(f"{i.name!r} of {i.type}" for i in inputs) or "none"
        raise InputError(
            "a teacher with one input of images, float32 or uint8",
            f"{shown} in {path}",
            "export it with the images as its only input",
        )
    return inputs[0]


def _stated(properties: Mapping[str, str]) -> tuple[str, str] | None:
    """What our own files say of their input."""
    return ("pixels", "its metadata") if takes_pixels(properties) else None


def _runner(
    path: Path, model: Any, data: bytes, name: str, batch: int, trial: np.ndarray
) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """What runs any number of images, and the number of classes.

    Images are run at once where the graph allows it, else in the batch of the file.
    """
    steady = _in_batches(_session(path, data), name, batch)
    expected = steady(trial)
    classes = classes_of(path, expected, len(trial))
    try:
        free = _in_batches(_session(path, with_free_batch(model, name)), name, None)
        found = free(trial)
    except Exception:  # onnxruntime's exceptions share no base class
        return steady, classes
    # A shape that is written into the graph may mix images up instead of failing. Sums in another
    # order differ by 1e-6 of the largest score.
    same = found.shape == expected.shape and np.allclose(
        found, expected, rtol=0, atol=1e-4 * max(1.0, float(np.abs(expected).max()))
    )
    return (free if same else steady), classes


def _session(path: Path, data: bytes) -> Any:
    # It works beside the training: threads that wait must not spin.
    settings = SessionSettings(
        intra_op_num_threads=os.cpu_count() or 1,
        allow_spinning=False,
        config_entries={"session.use_deterministic_compute": "1"},
    )
    session = create_session(data, settings)
    if len(session.get_outputs()) != 1:
        names = ", ".join(repr(output.name) for output in session.get_outputs())
        raise InputError(
            "a teacher with one output, the scores of the classes",
            f"outputs {names} of {path}",
            "export it with the scores as its only output",
        )
    return session


def _in_batches(session: Any, name: str, batch: int | None) -> Callable[[np.ndarray], np.ndarray]:
    """Runs images in batches of a fixed size, the last one filled up; None for all at once."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.log_severity_level = 4  # what fails is raised, and need not be printed, too

    def run(images: np.ndarray) -> np.ndarray:
        if batch is None:
            return np.asarray(session.run(None, {name: images}, options)[0])
        outputs = []
        for start in range(0, len(images), batch):
            part = images[start : start + batch]
            missing = batch - len(part)
            filled = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
            outputs.append(np.asarray(session.run(None, {name: filled}, options)[0])[: len(part)])
        return np.concatenate(outputs)

    return run
