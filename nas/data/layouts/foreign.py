"""What people name as `--data_dir` that is no folder of images, and what to do with it."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import NoReturn

from nas.data.dataset import DataError
from nas.data.image_formats import is_image_name
from nas.data.layouts.layout import looked_for
from nas.system.paths import no_file

# Of links that people paste, as the first part of a path.
SCHEMES = frozenset({"http", "https", "ftp", "s3", "gs", "hf", "hdfs", "az", "abfs", "file", "ssh"})
ARRAYS = "store uint8 images and whole labels with numpy.savez as `images` and `labels`"
CONVERT = f"write its images into one folder a class, or {ARRAYS}"
SORT = "give the folder of the images, with one folder a class in it"
# Suffix -> what such a file is, and what to do.
KINDS: dict[tuple[str, ...], tuple[str, str]] = {
    (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar"): (
        "an archive",
        "unpack it and give the folder that it makes",
    ),
    (".csv", ".tsv", ".xls", ".xlsx", ".json", ".jsonl", ".xml", ".yaml", ".yml"): (
        "a table or a description",
        f"{SORT}; a layout of your own may read the table (docs/extending.md)",
    ),
    (".h5", ".hdf5", ".hdf", ".mat", ".parquet", ".arrow", ".feather", ".npy"): (
        "a file of arrays",
        CONVERT,
    ),
    (".tfrecord", ".tfrecords", ".rec", ".mdb", ".lmdb", ".beton", ".sqlite", ".db"): (
        "a file of records",
        CONVERT,
    ),
    (".idx", ".ubyte", ".bin", ".dat"): ("a file of raw numbers", CONVERT),
    (".pkl", ".pickle", ".pt", ".pth", ".joblib"): (
        "a pickle, which may run any code and is not read",
        CONVERT,
    ),
    (".onnx", ".keras", ".tflite", ".pb", ".safetensors"): ("a network", SORT),
    (".iso", ".img", ".dmg"): ("an image of a disk", "mount it and give the folder of the images"),
    (".mp4", ".avi", ".mov", ".mkv", ".webm"): ("a film", f"write its frames as images; {SORT}"),
}


def kind_of(name: str) -> tuple[str, str] | None:
    """What a file is by its name, and what to do with it; None where that is not known.

    Args:
        name: Of a file that is no image.
    """
    suffix = Path(name).suffix.lower()
    if name.endswith("-ubyte"):  # MNIST, whose files have no suffix
        suffix = ".ubyte"
    return next((kind for suffixes, kind in KINDS.items() if suffix in suffixes), None)


def existing(data_dir: str | Path) -> Path:
    """The path that `--data_dir` names.

    Args:
        data_dir: As it was written.

    Raises:
        DataError: It is an address, or nothing is there, or nothing that may be looked at.
    """
    address = _address(str(data_dir))
    if address:
        raise DataError(
            "a folder of images, or an .npz file, on this machine",
            f"{address}, an address",
            "write the path without file://"
            if address.lower().startswith("file:")
            else "load it down, unpack it, and give the folder as --data_dir",
        )
    try:
        path = Path(data_dir).expanduser().absolute()
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        _refuse_missing(path)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            "a folder of images, or an .npz file, that can be read",
            f"{data_dir}: {getattr(error, 'strerror', None) or error}",
            "check --data_dir and its permissions",
        ) from None
    return path


def _address(text: str) -> str | None:
    """The address that a text is, also one that was made a whole path, which joins slashes."""
    found = re.search(r"(?:^|/)([a-z][a-z0-9]*):(/+)", text, re.IGNORECASE)
    if not found or found.group(1).lower() not in SCHEMES:
        return None
    slashes = found.group(2) if len(found.group(2)) > 1 else "//"
    return f"{found.group(1)}:{slashes}{text[found.end() :]}"


def _refuse_missing(path: Path) -> NoReturn:
    if path.is_symlink():
        raise DataError(
            "a folder of images",
            no_file(path),
            "check --data_dir, or what the link leads to",
        )
    above = next(folder for folder in path.parents if folder.exists())
    missing = path.relative_to(above).parts[0]
    received = no_file(path)
    if not above.is_dir():
        received += f"; {above} is a file"
        raise DataError("a folder of images", received, "check --data_dir")
    names = [name for name in sorted(os.listdir(above)) if not name.startswith(".")]
    lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(missing.lower(), list(lower), n=1)
    hint = f"; near is {above / lower[near[0]]}" if near else ""
    raise DataError("a folder of images", f"{received}{hint}", "check --data_dir")


def refuse_file(path: Path) -> NoReturn:
    """Says what a file is that no layout reads.

    Args:
        path: Of a file.

    Raises:
        DataError: Always.
    """
    expected = f"a folder, or an .npz file: {looked_for()}"
    if is_image_name(path.name):
        raise DataError(expected, f"{path}, one image", SORT)
    what, fix = kind_of(path.name) or ("a file", "give the folder as --data_dir")
    raise DataError(expected, f"{path}, {what}", fix)
