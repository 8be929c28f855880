"""Files that commands are given and write: models, a user's own inputs, results."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from latency.device import strict_json
from latency.device.files import read_bytes
from latency.device.inputs import MOST_FILE_BYTES, read_arrays
from latency.device.job import Model
from latency.device.settings import SessionSettings
from latency.errors import LatencyError
from latency.onnx_files.model_file import parse_input_shape, read_model
from latency.onnx_files.precision import convert, default_scheme, require_fp16_compute


class InputError(LatencyError):
    """Files or options that no command can work with."""


def read_models(
    options: argparse.Namespace, paths: Sequence[Path], *, repeated: bool = False
) -> list[Model]:
    """Reads ONNX files in the asked precision and with the asked input shapes.

    Args:
        options: Of the command line.
        paths: Of the files.
        repeated: Whether a file that is named twice is two models; otherwise it is one.

    Raises:
        LatencyError: A file cannot be measured, or no file has an input that was named.
    """
    shapes = dict(parse_input_shape(text) for text in options.input_shape or [])
    models: dict[str, Model] = {}
    for path in paths if repeated else dict.fromkeys(paths):
        key, number = str(path), 1
        while key in models:
            number += 1
            key = f"{path} #{number}"
        data = convert(
            read_model(path, shapes), options.precision, scheme=options.scheme or "", seed=0
        )
        models[key] = Model(key, data, key)
    return list(models.values())


def with_inputs(models: Sequence[Model], texts: Sequence[str] | None) -> list[Model]:
    """Gives models a user's own arrays.

    Args:
        models: Their keys are their paths.
        texts: Values of `--input`: FILE.npz for all models, or MODEL.onnx=FILE.npz for one.

    Raises:
        LatencyError: A file is no .npz file, or a model gets two of them.
    """
    found: dict[str, bytes] = {}
    keys = [model.key for model in models]
    for text in texts or []:
        name, equals, path = text.rpartition("=")
        of_one = bool(equals) and name in keys
        data = read_bytes(path if of_one else text, MOST_FILE_BYTES)
        read_arrays(data)
        for key in [name] if of_one else keys:
            if key in found:
                raise InputError(
                    f"one --input for each model, {key!r}",
                    "two",
                    "give one file for all models, or MODEL.onnx=FILE.npz once for each",
                )
            found[key] = data
    return [replace(model, inputs=found.get(model.key, b"")) for model in models]


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
