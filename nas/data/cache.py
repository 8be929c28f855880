"""Images decoded once into uint8 arrays on disk, memory-mapped, whole or absent.

An entry is a folder named by a key over the source files' names, sizes and times; it is
made under another name and renamed, so what a killed run left behind is never read. The
maker holds a lock on its folder, which ends with the process: an unlocked one is a leftover.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
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

FORMAT = 3  # part of the key: raise it when the pixels that are made change
UNWRITABLE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EEXIST,
}
ROWS_AT_ONCE = 1024  # of images copied, so that the memory taken stays small


@dataclass(frozen=True)
class ImageFile:
    """One image to decode."""

    path: Path
    label: int


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
            _make_entry(entry, make)
        except OSError as error:
            if error.errno not in UNWRITABLE:
                raise
            raise DataError(
                f"to write decoded images below {folder}",
                f"{error.strerror}",
                "free some space, or set STOPWATCH_CACHE to a folder on another disk",
            ) from error
    meta = json.loads((entry / "done.json").read_text())
    return {name: _read(entry, name) for name in meta["splits"]}, meta


def _make_entry(entry: Path, make: Callable[[Path], dict[str, Any]]) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(entry)
    made = Path(tempfile.mkdtemp(prefix="new-", dir=entry.parent))
    lock = os.open(made, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network disks have no locks
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Only a name with a dot can be taken for a leftover, and now it is locked.
        made = made.rename(made.with_name(f".{entry.name}.{made.name}"))
        meta = make(made)
        with (made / "done.json").open("w") as stream:
            stream.write(json.dumps(meta))
            stream.flush()
            os.fsync(stream.fileno())
        # mkdtemp makes private folders; a cache may be shared like the folder it is in.
        made.chmod(entry.parent.stat().st_mode & 0o777)
        try:
            os.replace(made, entry)
        except OSError:
            if not (entry / "done.json").is_file():
                raise
            # Lost to another process: its copy is as good.
    finally:
        os.close(lock)
        shutil.rmtree(made, ignore_errors=True)


def _remove_leftovers(entry: Path) -> None:
    """Removes what processes that are gone left half-made, of this entry or another."""
    for path in entry.parent.glob(".*"):
        try:
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue  # locked: somebody is making it; or a disk without locks
        finally:
            os.close(folder)
    if entry.exists() and not (entry / "done.json").is_file():
        shutil.rmtree(entry)  # without done.json it is not whole


def _read(entry: Path, name: str) -> Split:
    images = np.load(entry / f"{name}_images.npy", mmap_mode="r", allow_pickle=False)
    return Split(images, np.load(entry / f"{name}_labels.npy", allow_pickle=False))


def _new_array(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> np.memmap:
    """A memory-mapped .npy file whose disk space is already taken.

    On a full disk, writing to a map whose space is not taken kills the process (SIGBUS).

    Raises:
        OSError: The disk is full.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, os.fstat(stream.fileno()).st_size)
    return array


def _write_array(path: Path, values: np.ndarray, dtype: type[np.generic]) -> None:
    # Not np.save: on a full disk its OSError has no errno.
    target = _new_array(path, values.shape, dtype)
    target[...] = values
    target.flush()


def write_split(folder: Path, name: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Writes one split's arrays."""
    _write_array(folder / f"{name}_images.npy", images, np.uint8)
    _write_array(folder / f"{name}_labels.npy", labels, np.int32)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow's own conversion clips at 255, which turns most such images white.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError(f"pixels of 32 bits (mode {image.mode}), whose range is not known")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # the same colours, without Pillow's warning
    return image.convert("RGB")


def decode_image(path: Path, image_size: int) -> np.ndarray:
    """One image as (size, size, 3) uint8 RGB; grey, palette and transparent ones too.

    Raises:
        DataError: The file is broken; names it.
    """
    try:
        with Image.open(path) as image:
            image.load()
            rgb = _rgb(image)
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
    target = _new_array(folder / f"{name}_images.npy", shape, np.uint8)
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
        kept = _new_array(folder / "kept.npy", (len(good), *shape[1:]), np.uint8)
        for start in range(0, len(good), ROWS_AT_ONCE):
            kept[start : start + ROWS_AT_ONCE] = target[good[start : start + ROWS_AT_ONCE]]
        kept.flush()
        os.replace(folder / "kept.npy", folder / f"{name}_images.npy")
    _write_array(folder / f"{name}_labels.npy", labels[good], np.int32)
    return [str(files[i].path) for i in sorted(bad)]
