"""Files as Keras 3 saves them, written without Keras."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def written(path: Path, entries: list[dict[str, Any]], shape: Sequence[int | None]) -> Path:
    """A file with layers one after the other.

    Args:
        path: Of the file.
        entries: Its layers, such as `entry` makes them.
        shape: Height, width and channels of the image; None where the model takes any.
    """
    first = {"class_name": "InputLayer", "config": {"batch_shape": [None, *shape]}}
    chain = [first, *({"module": "keras.layers", **entry} for entry in entries)]
    model = {"class_name": "Sequential", "config": {"name": "own", "layers": chain}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(model))
    return path


def entry(kind: str, **config: Any) -> dict[str, Any]:
    """A layer of Keras whose name is `odd`.

    Args:
        kind: Its class.
        config: Its arguments.
    """
    return {"class_name": kind, "config": {"name": "odd", **config}}
