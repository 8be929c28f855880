"""Images and labels as arrays in one .npz file."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from nas.data.dataset import DataError, Split, split_holdout
from nas.data.layouts.arrays import array_layout, array_split
from nas.data.layouts.layout import LAYOUTS, ArrayLayout, Layout

WANTED = "x_train, y_train, x_test (or x_val), y_test, or images and labels"


def _file_of(path: Path) -> Path | None:
    """The .npz file that is meant: the path itself, or the only one in a folder."""
    if path.is_file():
        return path if path.suffix == ".npz" else None
    found = sorted(path.glob("*.npz"))
    return found[0] if len(found) == 1 else None


def _recognises(path: Path) -> bool:
    return _file_of(path) is not None


def _read(path: Path, seed: int, fraction: float) -> ArrayLayout:
    """Arrays of both parts, or of all images, which are then divided.

    Class indices are the labels that are stored.
    """
    path = _file_of(path) or path
    arrays = _arrays(path)
    if {"images", "labels"} <= set(arrays):
        whole = array_split(str(path), arrays["images"], arrays["labels"])
        large, held = split_holdout(len(whole.labels), whole.labels, fraction, seed)
        splits = [Split(whole.images[part], whole.labels[part]) for part in (large, held)]
    else:
        suffix = "test" if "x_test" in arrays else "val"
        parts = ("x_train", "y_train", f"x_{suffix}", f"y_{suffix}")
        if not set(parts) <= set(arrays):
            raise DataError(WANTED, f"{', '.join(arrays) or 'nothing'} in {path}", "rename them")
        splits = [array_split(str(path), arrays[parts[i]], arrays[parts[i + 1]]) for i in (0, 2)]
    return array_layout(path.stem, str(path), splits[0], splits[1], arrays.get("class_names"))


def _arrays(path: Path) -> dict[str, Any]:
    broken = (OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)
    try:
        with path.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("one array without a name (.npy)")
            return {name: archive[name] for name in archive.files}
    except broken as error:
        raise DataError(
            f"an .npz file with {WANTED}", f"{path}: {error}", "write it again"
        ) from None


LAYOUTS.register("npz", Layout("one .npz file", _recognises, _read, rank=1))
