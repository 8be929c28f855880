"""Checkpoints: plain arrays and JSON in one file that is whole or absent."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from latency import atomic
from nas.errors import InputError
from nas.training.lost import LostWeightsError

# Name of a part -> its Keras variables, in an order that depends on nothing but the settings.
Parts = Mapping[str, Iterable[Any]]

_META = "meta_json"
# What numpy, zipfile and zlib raise on files that are empty, cut off or of another kind.
_BROKEN = (
    *(OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


def save(path: Path, parts: Parts, meta: Mapping[str, Any]) -> None:
    """Writes the values of Keras variables, part by part, with JSON beside them.

    Args:
        path: Destination.
        parts: Names without a dot; float values keep every bit.
        meta: JSON data, such as the step and the history.
    """
    arrays = {
        f"{part}.{number:05d}": np.asarray(_value(variable))
        for part, variables in parts.items()
        for number, variable in enumerate(variables)
    }
    buffer = io.BytesIO()
    text = json.dumps(dict(meta)).encode()
    np.savez(buffer, **{_META: np.frombuffer(text, np.uint8)}, **arrays)  # type: ignore[arg-type]
    atomic.write_bytes(path, buffer.getvalue())


def check_finite(parts: Parts, step: int) -> None:
    """Refuses values that no step mends, so that no good state is replaced by them.

    Args:
        parts: As for `save`.
        step: Steps done.

    Raises:
        LostWeightsError: A variable holds NaN or infinity.
    """
    for part, variables in parts.items():
        for variable in variables:
            values = np.asarray(_value(variable))
            # `finfo` of bfloat16 is none of numpy's own.
            if values.dtype.kind in "fV" and not np.isfinite(values.astype(np.float64)).all():
                raise LostWeightsError(
                    "finite weights",
                    f"NaN or infinity in {part} `{variable.path}` after {step} steps",
                    "begin anew with a lower --learning_rate",
                )


def _value(variable: Any) -> Any:
    import keras

    return keras.ops.convert_to_numpy(variable)


def load(path: Path, parts: Parts) -> dict[str, Any] | None:
    """Restores what `save` wrote into the same variables.

    A file may hold more parts than are asked for: whoever reads the weights of a supernet needs
    no optimizer of the run that trained it.

    Args:
        path: Of the file.
        parts: As they were saved, all of them or some.

    Returns:
        The JSON data, or None if there is no checkpoint.

    Raises:
        InputError: The file is broken or belongs to another model.
    """
    if not path.exists():
        return None
    targets = {part: list(variables) for part, variables in parts.items()}
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            meta: dict[str, Any] = json.loads(archive[_META].tobytes())
            found = _arrays(archive, {part: len(targets[part]) for part in targets})
    except _BROKEN as error:
        raise InputError(
            f"a whole checkpoint at {path}", f"{error}", "remove the file to begin this stage anew"
        ) from None
    for part, variables in targets.items():
        _check(path, part, variables, found.get(part, []))
    for part, variables in targets.items():
        for variable, array in zip(variables, found[part], strict=True):
            variable.assign(array)
    return meta


def _arrays(archive: Any, wanted: Mapping[str, int]) -> dict[str, list[np.ndarray]]:
    """The arrays of a file, part by part, in their order."""
    names = sorted(name for name in archive.files if name != _META)
    if any("." in name for name in names):
        return {
            part: [archive[name] for name in names if name.rpartition(".")[0] == part]
            for part in wanted
        }
    # Earlier versions wrote one list, in the order in which parts are named here.
    rest = iter(names)
    return {part: [archive[n] for n in islice(rest, count)] for part, count in wanted.items()}


def _check(path: Path, part: str, variables: Sequence[Any], arrays: Sequence[np.ndarray]) -> None:
    """Refuses arrays of another model."""
    shapes = [tuple(array.shape) for array in arrays]
    expected = [tuple(variable.shape) for variable in variables]
    if shapes == expected:
        return
    if len(shapes) == len(expected):
        first = next(n for n in range(len(shapes)) if shapes[n] != expected[n])
        received = f"{len(shapes)} arrays, of which number {first} has shape {shapes[first]}"
        wanted = f"{len(expected)} arrays, number {first} of shape {expected[first]}"
    else:
        received, wanted = f"{len(shapes)} arrays", f"{len(expected)} arrays"
    raise InputError(
        f"{wanted} for `{part}` in the checkpoint {path}",
        received,
        "remove the file, or resume with the settings that the run began with",
    )
