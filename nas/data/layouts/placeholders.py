"""Files that stand for others which are not there: links that lead nowhere, and LFS pointers."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from nas.data.dataset import DataError

# Source: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
POINTER_BEGIN = b"version https://git-lfs.github.com/spec/"
POINTER_BYTES = 1024  # a pointer is shorter by that specification


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file is what Git LFS leaves where it has not fetched the file itself.

    Args:
        path: Of the file; one that cannot be read is no pointer.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(len(POINTER_BEGIN)) == POINTER_BEGIN
    except OSError:
        return False


def check_files(paths: Sequence[Path]) -> None:
    """Refuses images that are not there, before any is decoded; others are decoded anyway.

    Args:
        paths: Of all images of a data set.

    Raises:
        DataError: Some are links that lead nowhere, or pointers of Git LFS.
    """
    lost, pointers = [], []
    for path in paths:
        try:
            found = os.stat(path)
        except OSError:
            # A missing file is named where the labels name it.
            if path.is_symlink():
                lost.append(path)
            continue
        is_short = stat.S_ISREG(found.st_mode) and found.st_size < POINTER_BYTES
        if is_short and is_lfs_pointer(path):
            pointers.append(path)
    if lost:
        raise DataError(
            "links that lead to images",
            f"{len(lost)} of {len(paths)} that lead nowhere, such as {min(lost)} to "
            f"{os.readlink(min(lost))}",
            "fetch what they lead to (`git annex get`, `dvc pull`), or remove the links",
        )
    if pointers:
        raise DataError(
            "images",
            f"{len(pointers)} of {len(paths)} files that are pointers of Git LFS, such as "
            f"{min(pointers)}",
            f"run `git lfs pull` in {min(pointers).parent}",
        )
