"""Images decoded once into uint8 arrays on disk, memory-mapped, whole or absent.

An entry is a folder named by a key over the source files' names, sizes and times; it is
made under another name and renamed, so what a killed run left behind is never read.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nas.data.dataset import DataError, Split

FORMAT = 2  # part of the key: raise it when the pixels that are made change


@dataclass(frozen=True)
class ImageFile:
    """One image to decode."""

    path: Path
    label: int


def cache_folder(given: Path | None = None) -> Path:
    """Where arrays are kept: given, or $STOPWATCH_CACHE, or ~/.cache/stopwatch-nas."""
    if given is not None:
        return Path(given)
    root = os.environ.get("STOPWATCH_CACHE")
    return Path(root) if root else Path.home() / ".cache" / "stopwatch-nas"


def files_key(files: Mapping[str, Sequence[ImageFile]], settings: dict[str, Any]) -> str:
    """Key of a set of files: names, sizes, times, labels and settings."""
    digest = hashlib.sha256(json.dumps([FORMAT, settings], sort_keys=True).encode())
    for split, members in sorted(files.items()):
        for file in members:
            try:
                stat = file.path.stat()
            except OSError as error:
                raise DataError(
                    "every image that the labels name",
                    f"{file.path}: {error.strerror}",
                    "unpack the images again",
                ) from None
            entry = f"{split}|{file.path}|{stat.st_size}|{stat.st_mtime_ns}|{file.label}\n"
            digest.update(entry.encode())
    return digest.hexdigest()[:24]


def cached_arrays(
    folder: Path,
    key: str,
    make: Callable[[Path], dict[str, Any]],
) -> tuple[dict[str, Split], dict[str, Any]]:
    """Splits of a cache entry; `make` fills a folder with `<split>_images.npy` and labels.

    Args:
        folder: Root of the cache.
        key: Of the entry.
        make: Writes the arrays into the folder it is given and returns JSON data.

    Raises:
        DataError: The disk is full or cannot be written.
    """
    entry = folder / "images" / key
    if not (entry / "done.json").is_file():
        try:
            entry.parent.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(entry)
            temporary = Path(tempfile.mkdtemp(prefix=f".{key}.{os.getpid()}.", dir=entry.parent))
            try:
                meta = make(temporary)
                (temporary / "done.json").write_text(json.dumps(meta))
                with contextlib.suppress(OSError):
                    os.replace(temporary, entry)  # lost to another process: its copy is as good
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EROFS, errno.EACCES):
                raise
            raise DataError(
                f"to write decoded images below {folder}",
                f"{error.strerror}",
                "free some space, or set STOPWATCH_CACHE to a folder on another disk",
            ) from error
    meta = json.loads((entry / "done.json").read_text())
    return {name: _read(entry, name) for name in meta["splits"]}, meta


def _remove_leftovers(entry: Path) -> None:
    """Removes half-made copies of an entry whose process is gone."""
    for path in entry.parent.glob(f".{entry.name}.*"):
        pid = path.name.split(".")[2]
        if not Path(f"/proc/{pid}").exists():
            shutil.rmtree(path, ignore_errors=True)
    if entry.exists():
        shutil.rmtree(entry)  # without done.json it is not whole


def _read(entry: Path, name: str) -> Split:
    images = np.load(entry / f"{name}_images.npy", mmap_mode="r", allow_pickle=False)
    return Split(images, np.load(entry / f"{name}_labels.npy", allow_pickle=False))


def write_split(folder: Path, name: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Writes one split's arrays."""
    np.save(folder / f"{name}_images.npy", np.ascontiguousarray(images, np.uint8))
    np.save(folder / f"{name}_labels.npy", np.asarray(labels, np.int32))


def decode_image(path: Path, image_size: int) -> np.ndarray:
    """One image as (size, size, 3) uint8 RGB; grey, palette and transparent ones too.

    Raises:
        DataError: The file is broken; names it.
    """
    try:
        with Image.open(path) as image:
            image.load()
            rgb = image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            "an image that can be decoded",
            f"{path}: {error}",
            "repair or remove the file, or go on without it by --skip_bad_images",
        ) from None
    if rgb.size != (image_size, image_size):
        rgb = rgb.resize((image_size, image_size), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(rgb)


def decode_split(
    folder: Path,
    name: str,
    files: Sequence[ImageFile],
    image_size: int,
    skip_bad: bool,
    progress: Callable[[int, int], None],
) -> list[str]:
    """Decodes files into a memory-mapped array in order; returns the names of bad ones.

    Raises:
        DataError: A file is broken and `skip_bad` is off.
    """
    shape = (len(files), image_size, image_size, 3)
    target = np.lib.format.open_memmap(
        folder / f"{name}_images.npy", mode="w+", dtype=np.uint8, shape=shape
    )
    bad: list[int] = []

    def work(position: int) -> None:
        try:
            target[position] = decode_image(files[position].path, image_size)
        except DataError:
            if not skip_bad:
                raise
            bad.append(position)

    with ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool:
        try:
            for done, _ in enumerate(pool.map(work, range(len(files)), chunksize=64), start=1):
                if done % 256 == 0 or done == len(files):
                    progress(done, len(files))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    target.flush()
    good = np.setdiff1d(np.arange(len(files)), np.array(bad, int))
    labels = np.array([file.label for file in files], np.int32)
    if bad:
        kept = np.array(target[good])
        del target
        np.save(folder / f"{name}_images.npy", kept)
    np.save(folder / f"{name}_labels.npy", labels[good])
    return [str(files[i].path) for i in sorted(bad)]
