"""Files that commands are given and write: models, a user's own inputs, results."""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from latency.device import strict_json
from latency.device.files import read_bytes
from latency.device.inputs import MOST_FILE_BYTES, Arrays, read_arrays, write_arrays
from latency.device.job import Model
from latency.device.settings import SessionSettings
from latency.device.text import visible
from latency.errors import LatencyError
from latency.onnx_files.conversions import convert_all
from latency.onnx_files.model_file import parse_input_shape
from latency.onnx_files.own_inputs import take_arrays
from latency.onnx_files.precision import default_scheme, require_fp16_compute
from latency.onnx_files.several_models import read_several
from latency.terminal import warn


class InputError(LatencyError):
    """Files or options that no command can work with."""


def key_of(path: Path) -> str:
    """The name of a file's model in one line; what cannot be shown is written out."""
    return visible(os.fsencode(path).decode("utf-8", "backslashreplace"), "")


def read_models(
    options: argparse.Namespace, paths: Sequence[Path], *, repeated: bool = False
) -> list[Model]:
    """Reads ONNX files in the asked precision and with the asked input shapes.

    Args:
        options: Of the command line.
        paths: Of the files.
        repeated: Whether a file that is named twice is two models; otherwise it is one.

    Raises:
        LatencyError: Files cannot be measured, no file has an input that was named, or one input
            is given two shapes. What is wrong with any of them is told at once.
    """
    files = _keyed(paths, repeated)
    data = read_files(options, files)
    own = _own_arrays(options, list(files))
    converted = convert_all(data, options.precision, scheme=options.scheme or "", own=own)
    return [Model(key, model, key) for key, model in converted.items()]


def read_files(options: argparse.Namespace, files: Mapping[str, Path]) -> dict[str, bytes]:
    """Reads ONNX files with the asked input shapes, in the precision that they have.

    Args:
        options: Of the command line.
        files: Key -> path.

    Raises:
        LatencyError: See `read_models`.
    """
    wanted = [parse_input_shape(text) for text in options.input_shape or []]
    # Arrays of a user's own say which shapes dynamic inputs have.
    return read_several(files, wanted, _own_arrays(options, list(files)))


def _own_arrays(options: argparse.Namespace, keys: Sequence[str]) -> dict[str, Arrays]:
    """Model -> arrays of `--input`; none for a model that has no file of its own."""
    own = _own_files(getattr(options, "input", None), keys)
    return {key: read_arrays(file.content) for file in own for key in file.keys}


def _keyed(paths: Sequence[Path], repeated: bool) -> dict[str, Path]:
    found: dict[str, Path] = {}
    different = list(dict.fromkeys(paths))
    if not repeated:
        for path in different:
            if paths.count(path) > 1:
                warn(f"note: {key_of(path)} is named {paths.count(path)} times and measured once")
    for path in paths if repeated else different:
        key, number = key_of(path), 1
        while key in found:
            number += 1
            key = f"{key_of(path)} #{number}"
        found[key] = path
    return found


def with_inputs(models: Sequence[Model], texts: Sequence[str] | None) -> list[Model]:
    """Gives models a user's own arrays.

    Args:
        models: Their keys are their paths.
        texts: Values of `--input`: FILE.npz for all models, each of which takes the arrays that
            are named as its inputs, or MODEL.onnx=FILE.npz for one.

    Raises:
        LatencyError: A file is no .npz file, no model has such an input, an array does not fit,
            or a model gets two files.
    """
    found: dict[str, bytes] = {}
    data = {model.key: model.data for model in models}
    for file in _own_files(texts, list(data)):
        arrays = read_arrays(file.content)
        taken = take_arrays(arrays, {key: data[key] for key in file.keys}, file.path)
        for key, own in taken.items():
            if not own:
                warn(f"note: {file.path} has no array for {key}: all of its inputs are drawn")
            found[key] = file.content if len(own) == len(arrays) else write_arrays(own)
    return [replace(model, inputs=found.get(model.key, b"")) for model in models]


@dataclass(frozen=True)
class _OwnFile:
    """A file of a user's own arrays, and the models that it is for."""

    path: str
    content: bytes
    keys: Sequence[str]


def _own_files(texts: Sequence[str] | None, keys: Sequence[str]) -> list[_OwnFile]:
    """Reads the files of `--input`.

    Args:
        texts: Values of the flag.
        keys: Of all models.

    Raises:
        InputError: A model gets two files, or there is no such model.
    """
    found: list[_OwnFile] = []
    named = {_named_model(text, keys) for text in texts or []}
    for text in texts or []:
        own, path = _of_models(text, keys, named)
        twice = next((key for key in own for file in found if key in file.keys), None)
        if twice is not None:
            raise InputError(
                f"one --input for each model, {twice!r}",
                "two",
                "give one file for all models, or MODEL.onnx=FILE.npz once for each",
            )
        found.append(_OwnFile(path, read_bytes(path, MOST_FILE_BYTES), own))
    return found


def _named_model(text: str, keys: Sequence[str]) -> str:
    """The model in front of a file of `--input`; empty where there is none."""
    return max((key for key in keys if text.startswith(f"{key}=")), key=len, default="")


def _of_models(text: str, keys: Sequence[str], named: set[str]) -> tuple[Sequence[str], str]:
    """The models that a value of `--input` is for, and its file.

    Args:
        text: The value.
        keys: Of all models.
        named: What all values name in front of their files.

    Raises:
        InputError: There is no such file, and no such model.
    """
    name = _named_model(text, keys)
    # A file that is given twice is two models, such as a.onnx and a.onnx #2. Its name stands for
    # all of them that are not named themselves.
    others = [key for key in keys if key.startswith(f"{name} #") and key not in named]
    of_name = [key for key in keys if key == name or key in others]
    if name:
        return of_name, text[len(name) + 1 :]
    name, equals, _ = text.rpartition("=")
    if equals and not os.path.lexists(text):
        near = difflib.get_close_matches(name, keys, 1, 0.6)
        raise InputError(
            f"--input FILE.npz, or MODEL.onnx=FILE.npz with one of the models ({', '.join(keys)})",
            f"--input {text}",
            f"did you mean {near[0]!r}?" if near else "name one of these models",
        )
    return keys, text


def scheme_of(options: argparse.Namespace) -> str:
    """The int8 scheme of a command; empty for other precisions."""
    return (options.scheme or default_scheme()) if options.precision == "int8" else ""


def require_precision(models: Sequence[Model], precision: str, settings: SessionSettings) -> None:
    """Refuses fp16 where the provider would compute in fp32 behind casts.

    Raises:
        PrecisionError: As said.
    """
    if precision == "fp16" and models:
        require_fp16_compute(models[0].data, settings)


def print_json(value: Any) -> None:
    """Prints one JSON object, of a record or of values with records inside."""
    print(strict_json.dumps(value), end="")


def percent(text: str) -> float:
    """Reads a share that is written as '2%' or 0.02.

    Raises:
        InputError: It is no number from above 0 to below 1.
    """
    number = text.removesuffix("%")
    try:
        share = float(number) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise InputError(
            "a margin above 0 and below 100 %", repr(text), "write it like --margin 2% or 0.02"
        )
    return share
