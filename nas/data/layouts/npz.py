"""Images and labels as arrays in one .npz file."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from nas.data.dataset import DataError, Split, split_holdout
from nas.data.layouts.layout import ArrayLayout


def npz_layout(path: Path, seed: int, fraction: float) -> ArrayLayout:
    wanted = "x_train, y_train, x_test (or x_val), y_test, or images and labels"
    arrays = _read_npz(path, wanted)
    if {"images", "labels"} <= set(arrays):
        whole = _array_split(path, arrays["images"], arrays["labels"])
        large, held = split_holdout(len(whole.labels), whole.labels, fraction, seed)
        splits = [Split(whole.images[part], whole.labels[part]) for part in (large, held)]
    else:
        suffix = "test" if "x_test" in arrays else "val"
        parts = ("x_train", "y_train", f"x_{suffix}", f"y_{suffix}")
        if not set(parts) <= set(arrays):
            raise DataError(wanted, f"{', '.join(arrays) or 'nothing'} in {path}", "rename them")
        splits = [_array_split(path, arrays[parts[i]], arrays[parts[i + 1]]) for i in (0, 2)]
    sizes = [split.images.shape[1] for split in splits]
    if sizes[0] != sizes[1]:
        raise DataError(
            "one image size", f"{sizes[0]} and {sizes[1]} pixels in {path}", "resize one part"
        )
    highest = int(max(split.labels.max() for split in splits))
    if highest >= len(splits[0].labels):  # before a name is made for each
        raise DataError(
            f"class indices below {len(splits[0].labels)}, the number of training images",
            f"{highest} in {path}",
            "number the classes from 0",
        )
    names = tuple(str(v) for v in arrays.get("class_names", range(highest + 1)))
    if len(names) <= highest:
        raise DataError(f"{highest + 1} class_names", f"{len(names)} in {path}", "add names")
    return ArrayLayout(path.stem, splits[0], splits[1], names, ("Class index: stored label.",))


def _read_npz(path: Path, wanted: str) -> dict[str, Any]:
    broken = (OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)
    try:
        with path.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("one array without a name (.npy)")
            return {name: archive[name] for name in archive.files}
    except broken as error:
        raise DataError(
            f"an .npz file with {wanted}", f"{path}: {error}", "write it again"
        ) from None


def _array_split(path: Path, images: np.ndarray, labels: np.ndarray) -> Split:
    one_each = labels.ndim in (1, 2) and labels.size == len(labels) > 0
    whole = labels.dtype.kind in "iu"
    # Beyond int32 an index would turn into another one.
    if not one_each or not whole or (labels < 0).any() or (labels > np.iinfo(np.int32).max).any():
        raise DataError(
            "labels as whole numbers from 0, one an image",
            f"{labels.dtype} of shape {labels.shape} in {path}",
            "store class indices",
        )
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[1] != images.shape[2] or images.shape[3] not in (1, 3):
        raise DataError(
            "images of shape (n, size, size, 1 or 3)", f"{images.shape} in {path}", "reshape them"
        )
    if len(images) != len(labels):
        raise DataError(
            "as many labels as images", f"{len(labels)} and {len(images)} in {path}", "match them"
        )
    if images.dtype != np.uint8:
        raise DataError("uint8 pixels 0 to 255", f"{images.dtype} in {path}", "scale and cast them")
    return Split(
        np.repeat(images, 3, 3) if images.shape[3] == 1 else images,
        labels.reshape(-1).astype(np.int32),
    )
