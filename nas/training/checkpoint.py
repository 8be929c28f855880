"""Checkpoints: plain arrays and JSON in one file that is whole or absent."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from latency import atomic
from nas.errors import InputError

_META = "meta_json"


def save(path: Path, variables: Iterable[Any], meta: Mapping[str, Any]) -> None:
    """Writes the values of Keras variables, in order, with JSON beside them.

    Args:
        path: Destination.
        variables: Keras variables; float values keep every bit.
        meta: JSON data, such as the step and the history.
    """
    arrays = {f"v{i:05d}": np.asarray(_value(v)) for i, v in enumerate(variables)}
    buffer = io.BytesIO()
    text = json.dumps(dict(meta)).encode()
    np.savez(buffer, **{_META: np.frombuffer(text, np.uint8)}, **arrays)  # type: ignore[arg-type]
    atomic.write_bytes(path, buffer.getvalue())


def _value(variable: Any) -> Any:
    import keras

    return keras.ops.convert_to_numpy(variable)


def load(path: Path, variables: Iterable[Any]) -> dict[str, Any] | None:
    """Restores what `save` wrote into the same variables.

    Returns:
        The JSON data, or None if there is no checkpoint.

    Raises:
        InputError: The file is broken or belongs to another model.
    """
    if not path.exists():
        return None
    targets = list(variables)
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            meta: dict[str, Any] = json.loads(archive[_META].tobytes())
            arrays = [archive[f"v{i:05d}"] for i in range(len(archive.files) - 1)]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"a whole checkpoint at {path}", f"{error}", "remove the file to begin this stage anew"
        ) from None
    shapes = [tuple(array.shape) for array in arrays]
    expected = [tuple(variable.shape) for variable in targets]
    if shapes != expected:
        raise InputError(
            f"a checkpoint of {len(expected)} arrays of this model at {path}",
            f"{len(shapes)} arrays of other shapes",
            "remove the file, or resume with the settings that the run began with",
        )
    for variable, array in zip(targets, arrays, strict=True):
        variable.assign(array)
    return meta
