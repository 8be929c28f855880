"""Images and labels as arrays in one .npz file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nas.data.dataset import DataError, Split, split_holdout
from nas.data.layouts.arrays import array_layout, array_split
from nas.data.layouts.layout import LAYOUTS, ArrayLayout, Layout
from nas.data.layouts.parts import shown
from nas.data.layouts.placeholders import is_lfs_pointer
from nas.data.layouts.walk import scan

WANTED = "x_train, y_train, x_val, y_val (or x_test, y_test), or images and labels"


def _files_of(path: Path) -> list[Path]:
    """The .npz files that may be meant: the path itself, or all in a folder."""
    found = [path] if path.is_file() else sorted(path.iterdir())
    named = [p for p in found if p.suffix.lower() == ".npz" and not p.name.startswith(".")]
    return [p for p in named if p.is_file()]


def _recognises(path: Path) -> bool:
    return bool(_files_of(path))


def _read(path: Path, seed: int, fraction: float) -> ArrayLayout:
    """Arrays of both parts, or of all images, which are then divided.

    Class indices are the labels that are stored.
    """
    path = _one_file(path)
    arrays = _arrays(path)
    if {"images", "labels"} <= set(arrays):
        parts: tuple[str, ...] = ("images", "labels")
        whole = array_split(str(path), arrays["images"], arrays["labels"])
        _check_enough(path, whole.labels)
        large, held = split_holdout(len(whole.labels), whole.labels, fraction, seed)
        splits = [Split(whole.images[part], whole.labels[part]) for part in (large, held)]
        role = (
            f"No evaluation images of their own: {len(held)} ({fraction:.0%} of each class, seed "
            f"{seed}) are held out."
        )
    else:
        # As with folders: validation before test.
        suffix = "val" if "x_val" in arrays else "test"
        parts = ("x_train", "y_train", f"x_{suffix}", f"y_{suffix}")
        if not set(parts) <= set(arrays):
            raise DataError(
                f"arrays named {WANTED}",
                f"{', '.join(arrays) or 'nothing'} in {path}",
                "save them under these names",
            )
        splits = [array_split(str(path), arrays[parts[i]], arrays[parts[i + 1]]) for i in (0, 2)]
        role = f"Evaluation images: x_{suffix}."
    found = array_layout(path.stem, str(path), splits[0], splits[1], arrays.get("class_names"))
    unused = [name for name in arrays if name not in (*parts, "class_names")]
    left = (f"Not used: the arrays {', '.join(unused)}.",) if unused else ()
    return replace(found, notes=(*found.notes, role, *left))


def _check_enough(path: Path, labels: np.ndarray) -> None:
    values, counts = np.unique(labels, return_counts=True)
    few = values[counts < 2].tolist()
    if few:
        raise DataError(
            "two images or more of every class, so that one can be held out for evaluation",
            f"1 of class {', '.join(map(str, few[:5]))} in {path}",
            "add images, or leave these classes out",
        )


def _one_file(path: Path) -> Path:
    """The only file that is meant; refuses several, and one beside folders of images."""
    files = _files_of(path)
    folders = scan(path).with_images if path.is_dir() else ()
    names = ", ".join(file.name for file in files[:5])
    if folders:
        raise DataError(
            f"either an .npz file or folders of images in {path}",
            f"both: {names} and {shown(folders)}",
            f"give --data_dir {files[0]}, or move it out of {path} to use the folders",
        )
    if len(files) > 1:
        raise DataError(
            f"one .npz file with all arrays in {path}",
            f"{len(files)}: {names}",
            f"name one, such as --data_dir {files[0]}, or write their arrays into one file",
        )
    return files[0]


def _arrays(path: Path) -> dict[str, Any]:
    if is_lfs_pointer(path):
        raise DataError(
            "an .npz file", f"{path}, a pointer of Git LFS", f"run `git lfs pull` in {path.parent}"
        )
    try:
        with path.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("one array without a name (.npy)")
            return {name: archive[name] for name in archive.files}
    # Damaged archives raise anything, from zlib.error to MemoryError at a shape that is none.
    except Exception as error:
        received = f"{path}: {error or type(error).__name__}"
        raise DataError(f"an .npz file with {WANTED}", received, "write it again") from None


LAYOUTS.register("npz", Layout("one .npz file", _recognises, _read, rank=1))
