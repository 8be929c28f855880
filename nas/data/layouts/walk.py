"""What lies in a folder and below it: images, other files, and what counts as no data."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nas.data.dataset import DataError
from nas.data.image_formats import is_image_name

# Folders that systems and programs make by themselves; copies of images lie in some of them. Names
# that begin with a dot count as hidden anyway. In lower case.
SYSTEM_FOLDERS = frozenset(
    {
        "__macosx",
        "__pycache__",
        "@eadir",
        "@tmp",
        "@recycle",
        "@recently-snapshot",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "recycler",
        "system volume information",
        "lost+found",
        "found.000",
    }
)
# Macs keep `.a.jpg.icloud` in the place of an image that was not downloaded.
IN_THE_CLOUD = ".icloud"
SYSTEM_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})


@dataclass(frozen=True)
class Folder:
    """A folder with everything below it that may be data.

    Args:
        path: Where it stands.
        images: Names of the images directly in it, sorted; links that lead nowhere are among them.
        folders: The folders in it, sorted by name, without hidden ones and those of the system.
        others: Names of the files directly in it that are no images by their suffix.
        lost: Names of the links directly in it that lead nowhere and may have led to a folder.
        hidden: Names of the hidden images and of the hidden and system folders directly in it; the
            names of folders end with a slash.
        identity: Device and number of the folder, which are the same through every link.
    """

    path: Path
    images: tuple[str, ...] = ()
    folders: tuple[Folder, ...] = ()
    others: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    identity: tuple[int, int] = (0, 0)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.name

    def walk(self) -> Iterator[Folder]:
        """The folder itself and every one below it."""
        yield self
        for folder in self.folders:
            yield from folder.walk()

    @cached_property
    def image_count(self) -> int:
        """Number of images in it and below it."""
        return len(self.images) + sum(folder.image_count for folder in self.folders)

    @property
    def with_images(self) -> tuple[Folder, ...]:
        """Those of its folders that hold images, at any depth."""
        return tuple(folder for folder in self.folders if folder.image_count)

    def all_images(self) -> list[Path]:
        """Paths of the images in it and below it, sorted."""
        return sorted(folder.path / name for folder in self.walk() for name in folder.images)


def scan(path: Path) -> Folder:
    """Looks at a folder and everything below it; links to folders are followed.

    Args:
        path: Of a folder.

    Raises:
        DataError: A folder cannot be read, or a link leads to a folder that it stands in.
    """
    return _scan(path, ())


def readable(path: Path) -> list[os.DirEntry[str]]:
    """What stands in a folder, sorted by name.

    Args:
        path: Of a folder.

    Raises:
        DataError: It cannot be read.
    """
    try:
        with os.scandir(path) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
        if not os.access(path, os.X_OK):  # its names can be read, and nothing of what they name
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return entries
    except OSError as error:
        raise DataError(
            "folders of images that can be read",
            f"{path}: {error.strerror}",
            "change its permissions, or move it out of the folder of the images",
        ) from None


def folder_names(path: Path) -> list[str]:
    """Names of the folders in a folder that are neither hidden nor of the system, sorted.

    Args:
        path: Of a folder.

    Raises:
        DataError: It cannot be read.
    """
    names = [entry.name for entry in readable(path) if _kind(entry) == "folder"]
    return [name for name in names if not _is_hidden(name)]


def _scan(path: Path, above: tuple[tuple[int, int], ...]) -> Folder:
    entries = readable(path)
    stat = os.stat(path)
    identity = (stat.st_dev, stat.st_ino)
    if identity in above and stat.st_ino:  # some network disks give every folder the number 0
        raise DataError(
            "folders that do not hold themselves",
            f"{path}, a link to a folder that it stands in",
            "remove the link",
        )
    names: dict[str, list[str]] = {kind: [] for kind in ("image", "other", "lost", "hidden")}
    folders = []
    for entry in entries:
        name, kind = entry.name, _kind(entry)
        if kind == "folder" and not _is_hidden(name):
            folders.append(_scan(path / name, (*above, identity)))
        elif kind == "folder":
            names["hidden"].append(f"{name}/")
        elif name.startswith("."):
            is_picture = kind == "image" or is_image_name(name.removesuffix(IN_THE_CLOUD))
            names["hidden"] += [name] if is_picture else []
        elif name.lower() not in SYSTEM_FILES:
            names[kind].append(name)
    images, others, lost, hidden = map(tuple, names.values())
    return Folder(path, images, tuple(folders), others, lost, hidden, identity)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


def _kind(entry: os.DirEntry[str]) -> str:
    """`folder`, `image`, `other`, or `lost`, a link; where other links lead to counts."""
    try:
        if entry.is_dir():
            return "folder"
        is_file = entry.is_file()
    except OSError:  # a link that leads to itself
        is_file = False
    is_lost = not is_file and entry.is_symlink()
    if is_lost and not os.path.splitext(entry.name)[1]:
        return "lost"
    # What is no file, such as a pipe, would never end when it is read.
    return "image" if is_image_name(entry.name) and (is_file or is_lost) else "other"


def image_files(folder: Path) -> list[Path]:
    """Image files below a folder, sorted, without hidden ones (archives from Macs hold `._x`).

    Args:
        folder: May be missing.

    Raises:
        DataError: See `scan`.
    """
    return scan(folder).all_images() if folder.is_dir() else []
