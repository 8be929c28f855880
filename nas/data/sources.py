"""Whether image files still are what was decoded: size, times, inode, and their contents."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nas.data.cache import FORMAT, ImageFile, write_array
from nas.data.dataset import DataError
from nas.data.decoding import shown
from nas.system.console import bar

# Files of a split whose contents are compared at every start, beside one of every class.
SAMPLED = 32
MOST_CLASSES_SAMPLED = 100
UNREADABLE = bytes(32)
# Files that are read without a bar; hundreds of photographs take about a second.
MANY = 1000

Files = Mapping[str, Sequence[ImageFile]]


@dataclass(frozen=True)
class Sources:
    """The image files of all splits as they lie on the disk.

    Args:
        files: Of each split, in order.
        looks: Of each split, (n, 4) uint64: size in bytes, modification and change in nanoseconds,
            inode.
    """

    files: Files
    looks: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, files: Files, skip_bad: bool = False) -> Sources:
        """Looks at all files without reading them.

        Args:
            files: Of each split, in order.
            skip_bad: Go on without files that are missing.

        Raises:
            DataError: A file is missing and `skip_bad` is off.
        """
        looks = {
            split: np.array([_look(file.path, skip_bad) for file in members], np.uint64)
            for split, members in files.items()
        }
        return cls(files, {split: found.reshape(-1, 4) for split, found in looks.items()})

    def key(self, settings: dict[str, Any]) -> str:
        """Key of the files' names, sizes and classes, and of settings.

        Args:
            settings: What else decides the arrays that are made.
        """
        digest = hashlib.sha256(json.dumps([FORMAT, settings], sort_keys=True).encode())
        for split, members in sorted(self.files.items()):
            for file, look in zip(members, self.looks[split], strict=True):
                # Names need not be text: they are the bytes that the disk has.
                digest.update(split.encode() + b"|" + os.fsencode(file.path))
                digest.update(f"|{look[0]}|{file.label}\n".encode())
        return digest.hexdigest()[:24]

    def keep(self, folder: Path, sha256: Mapping[str, np.ndarray]) -> None:
        """Writes down what the files of an entry of the cache were.

        Args:
            folder: Of the entry.
            sha256: Of each split, (n, 32) uint8: hashes of the contents that were decoded.
        """
        for split, looks in self.looks.items():
            write_array(folder / f"{split}_looks.npy", looks, np.uint64)
            write_array(folder / f"{split}_sha256.npy", sha256[split], np.uint8)

    def are_those_of(self, entry: Path, whole: bool) -> bool:
        """Whether the contents are those that an entry of the cache was made from.

        Files that look as they did are believed, but for a sample of their contents. Of others
        the contents decide, so that copied or touched files are not decoded again.

        Args:
            entry: Folder of the entry.
            whole: Read the contents of all files.
        """
        for split, looks in self.looks.items():
            kept = np.load(entry / f"{split}_looks.npy", allow_pickle=False)
            sha256 = np.load(entry / f"{split}_sha256.npy", allow_pickle=False)
            if kept.shape != looks.shape:
                return False
            differs = (kept != looks).any(axis=1)
            members = self.files[split]
            chosen = range(len(members)) if whole else _chosen(members, differs)
            if not _same_contents(members, sha256, chosen):
                return False
            if differs.any():
                _refresh(entry / f"{split}_looks.npy", looks)
        return True


def file_sha256(path: Path) -> bytes:
    """Hash of a file's contents; zeros where it cannot be read.

    Args:
        path: Of the file.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError:
        return UNREADABLE


def _look(path: Path, skip_bad: bool) -> tuple[int, ...]:
    try:
        stat = path.stat()
    except OSError as error:
        if skip_bad:
            return (0, 0, 0, 0)  # named when it cannot be decoded
        raise DataError(
            "every image that the labels name",
            f"{shown(path)}: {error.strerror}",
            "unpack the images again, or go on without it by --skip_bad_images",
        ) from None
    values = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    return tuple(value % 2**64 for value in values)  # times before 1970 are negative


def _chosen(files: Sequence[ImageFile], differs: np.ndarray) -> Sequence[int]:
    """Rows whose contents are compared: all that look different, and a sample of the others."""
    labels = np.array([file.label for file in files])
    first = np.unique(labels, return_index=True)[1]
    few = first[:: max(1, len(first) // MOST_CLASSES_SAMPLED)]
    even = np.linspace(0, len(files) - 1, min(len(files), SAMPLED)).astype(int)
    rows: list[int] = np.unique(np.concatenate([np.flatnonzero(differs), few, even])).tolist()
    return rows


def _same_contents(files: Sequence[ImageFile], sha256: np.ndarray, rows: Sequence[int]) -> bool:
    if len(rows) < MANY:
        return _compare(files, sha256, rows, None)
    with bar(f"Comparing the contents of {len(rows)} files") as progress:
        return _compare(files, sha256, rows, progress.update)


def _compare(
    files: Sequence[ImageFile],
    sha256: np.ndarray,
    rows: Sequence[int],
    progress: Callable[[int, int], None] | None,
) -> bool:
    paths = [files[row].path for row in rows]
    with ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool:
        hashes = pool.map(file_sha256, paths)
        for done, (row, found) in enumerate(zip(rows, hashes, strict=True), start=1):
            if found != sha256[row].tobytes():
                pool.shutdown(cancel_futures=True)
                return False
            if progress is not None and (done % 256 == 0 or done == len(rows)):
                progress(done, len(rows))
    return True


def _refresh(path: Path, looks: np.ndarray) -> None:
    """Writes how the files look now, so that the next start believes them."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        write_array(new, looks, np.uint64)
        os.replace(new, path)
    except OSError:
        new.unlink(missing_ok=True)  # the cache of somebody else: the contents are read again
