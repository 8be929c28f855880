"""Images decoded once into uint8 arrays on disk, memory-mapped, whole or absent.

An entry is a folder named by a key over the source files' names and sizes; whether their contents
are still those that were decoded is asked of `nas.data.sources`. An entry is made under another
name and renamed, so what a killed run left behind is never read. The maker holds a lock on its
folder, which ends with the process: an unlocked one is a leftover.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nas.data.dataset import DataError, Split

FORMAT = 5  # part of the key: raise it when the pixels that are made change
UNWRITABLE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EEXIST,
}


@dataclass(frozen=True)
class ImageFile:
    """One image to decode."""

    path: Path
    label: int


def cached_arrays(
    folder: Path,
    key: str,
    make: Callable[[Path], dict[str, Any]],
    is_current: Callable[[Path], bool] = Path.is_dir,
) -> tuple[Path, dict[str, Split], dict[str, Any]]:
    """Splits of a cache entry; `make` fills a folder with `<split>_images.npy` and labels.

    Args:
        folder: Root of the cache.
        key: Of the entry.
        make: Writes the arrays into the folder it is given and returns JSON data.
        is_current: Whether an entry that is there may be used; else it is made again.

    Returns:
        Folder of the entry, its splits, and what `make` returned.

    Raises:
        DataError: The disk is full or cannot be written.
    """
    entry = folder / "images" / key
    found = entry.is_dir()
    if not _is_usable(entry, is_current):
        try:
            if found:
                _set_aside(entry)
            _make_entry(entry, make)
        except OSError as error:
            if error.errno not in UNWRITABLE:
                raise
            raise DataError(
                f"to write decoded images below {folder}",
                f"{error.strerror}",
                "free some space, or set STOPWATCH_CACHE to a folder on another disk",
            ) from error
    return (entry, *_read_entry(entry))


def _is_usable(entry: Path, is_current: Callable[[Path], bool]) -> bool:
    try:
        _read_entry(entry)
        return is_current(entry)
    except (OSError, ValueError, KeyError, EOFError):
        return False  # missing, half-made, or damaged since


def _read_entry(entry: Path) -> tuple[dict[str, Split], dict[str, Any]]:
    meta = json.loads((entry / "done.json").read_text())
    return {name: _read(entry, name) for name in meta["splits"]}, meta


def _set_aside(entry: Path) -> None:
    """Takes away an entry that is not to be used; who has its arrays open keeps them."""
    gone = Path(tempfile.mkdtemp(prefix=f".{entry.name}.old-", dir=entry.parent))
    with contextlib.suppress(FileNotFoundError):  # another program was quicker
        os.replace(entry, gone / "entry")  # at once, so that nobody reads half of it
    shutil.rmtree(gone, ignore_errors=True)


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


def _read(entry: Path, name: str) -> Split:
    images = np.load(entry / f"{name}_images.npy", mmap_mode="r", allow_pickle=False)
    return Split(images, np.load(entry / f"{name}_labels.npy", allow_pickle=False))


def new_array(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> np.memmap:
    """A memory-mapped .npy file whose disk space is already taken.

    On a full disk, writing to a map whose space is not taken kills the process (SIGBUS).

    Args:
        path: Of the file.
        shape: Of the array.
        dtype: Type of its elements.

    Raises:
        OSError: The disk is full.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, os.fstat(stream.fileno()).st_size)
    return array


def write_array(path: Path, values: np.ndarray, dtype: type[np.generic]) -> None:
    """Writes one .npy file.

    Args:
        path: Of the file.
        values: What it holds.
        dtype: Type in the file.

    Raises:
        OSError: The disk is full.
    """
    # Not np.save: on a full disk its OSError has no errno.
    target = new_array(path, values.shape, dtype)
    target[...] = values
    target.flush()


def write_split(folder: Path, name: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Writes one split's arrays.

    Args:
        folder: Of the entry.
        name: Of the split.
        images: (n, height, width, 3), from 0 to 255.
        labels: (n,) class indices.
    """
    write_array(folder / f"{name}_images.npy", images, np.uint8)
    write_array(folder / f"{name}_labels.npy", labels, np.int32)
