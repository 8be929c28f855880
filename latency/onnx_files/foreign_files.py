"""Paths that lead to no ONNX file: what lies there instead, and what to name in its place."""

from __future__ import annotations

import os
from pathlib import Path

from latency.device.foreign import ANSWER, EXPORT, TENSORFLOW, foreign_kind
from latency.errors import ModelFileError

MOST_NAMES = 5
# Endings of files of weights that lie beside a model -> the model's own name.
WEIGHT_ENDINGS = (".onnx.data", ".onnx_data", ".onnx.weights")
# Endings of other formats that their first bytes do not tell.
OTHER_ENDINGS = {
    ".pb": ("a TensorFlow graph, by its name", TENSORFLOW.format("--saved-model FOLDER")),
    ".mlmodel": ("a CoreML model, by its name", EXPORT),
    ".engine": ("an engine of TensorRT, by its name", EXPORT),
    ".plan": ("an engine of TensorRT, by its name", EXPORT),
    ".xml": ("a model of OpenVINO, by its name", EXPORT),
}


def foreign_file(path: Path, data: bytes) -> ModelFileError | None:
    """Returns the error for a file of another kind; None where its kind is not known.

    Args:
        path: Of the file.
        data: Its content.
    """
    expected, name = "a whole ONNX model", path.name.lower()
    kind = foreign_kind(data)
    is_told_by_name = kind is ANSWER and name.endswith(tuple(OTHER_ENDINGS))
    if kind is not None and not is_told_by_name:
        return ModelFileError(expected, f"{path}: {kind.name}", kind.fix)
    for ending in WEIGHT_ENDINGS:
        if name.endswith(ending):
            model = path.with_name(path.name[: -len(ending)] + ".onnx")
            fix = f"name the model itself, such as {model}"
            return ModelFileError(expected, f"{path}: the weights of a model, by its name", fix)
    for ending, (what, fix) in OTHER_ENDINGS.items():
        if name.endswith(ending):
            return ModelFileError(expected, f"{path}: {what}", fix)
    return None


def no_model_file(path: Path) -> ModelFileError:
    """Returns the error for a path at which no plain file lies.

    Args:
        path: A folder, a pipe, a link that leads nowhere, or nothing.
    """
    if path.is_dir():
        return _folder(path)
    fix = "check the path; it has to be the .onnx file itself"
    what = "no such file"
    if path.is_symlink() and not path.exists():
        target = os.readlink(path)
        what = f"a link to {target}, where no file lies: no such file"
        fix = "fetch what it leads to, or name the file itself"
        if ".git/annex" in target:
            fix = "fetch the real file: run `git annex get` in the repository"
    elif str(path).startswith(("http:/", "https:/", "s3:/", "gs:/", "hf:/")):
        what, fix = "an address and no file", "download the file, and name it"
    elif path.exists():
        what = "a pipe or a device"
        fix = "write it to a file first, and name that"
    return ModelFileError("an ONNX file", f"{path}, {what}", fix)


def _folder(path: Path) -> ModelFileError:
    names = sorted(entry.name for entry in path.iterdir())
    models = [name for name in names if name.lower().endswith(".onnx")]
    what, fix = "a folder", "check the path; it has to be the .onnx file itself"
    if models:
        shown = ", ".join(models[:MOST_NAMES]) + (", ..." if len(models) > MOST_NAMES else "")
        what, fix = f"a folder with {shown}", f"name the file, such as {path / models[0]}"
    elif "saved_model.pb" in names:
        what, fix = (
            "a folder, a SavedModel of TensorFlow",
            TENSORFLOW.format("--saved-model FOLDER"),
        )
    elif path.suffix == ".mlpackage":
        what, fix = "a folder, a model of CoreML", EXPORT
    return ModelFileError("an ONNX file", f"{path}, {what}", fix)
