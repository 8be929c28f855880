"""Where a command writes: tried before any work is done, so that no result is lost at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from latency.errors import LatencyError

FILE_FIX = "name another file, in a folder that may be written"
FOLDER_FIX = "name a folder that may be written"


class OutputError(LatencyError):
    """A place where nothing can be written."""


def check_output_file(path: Path, name: str, *, makes_folders: bool = False) -> None:
    """Refuses a place where a file cannot be written; a file that is there will be replaced.

    A file beside it is made and removed, as when the result is written: permissions, full disks
    and names that are too long show then.

    Args:
        path: Of the file.
        name: Of the flag.
        makes_folders: Whether folders above it will be made.

    Raises:
        OutputError: As said.
    """
    expected = f"a file in an existing folder as {name}"
    if path.is_dir():
        raise OutputError(expected, f"{path}, a folder", f"name a file in it: {path / 'NAME'}")
    if not (makes_folders or path.parent.is_dir()):
        raise OutputError(expected, *_without_folder(path))
    if path.exists() and not path.is_file():
        raise OutputError(
            f"a plain file as {name}",
            f"{path}, a pipe or device, which is never replaced",
            "name a file; --json, where there is one, prints the result",
        )
    _try_file(path, name, FILE_FIX)


def _without_folder(path: Path) -> tuple[str, str]:
    """What stands in the place of a file's folder, and what to do about it."""
    in_the_way = next((above for above in path.parents if os.path.lexists(above)), path.parent)
    if in_the_way.is_dir():
        fix = "make the folder first, or name a file in one that is there"
        return f"{path}, without a folder {path.parent}", fix
    return f"{path}, without a folder: {in_the_way} is none", "name a file in a folder"


def check_output_folder(path: Path, name: str) -> None:
    """Refuses a place where a folder cannot be made, or not be written into.

    Args:
        path: Of the folder, which need not exist, nor those above it.
        name: Of the flag.

    Raises:
        OutputError: As said.
    """
    # `os.path` answers where `pathlib` raises, for names that are too long.
    if os.path.lexists(path) and not os.path.isdir(path):
        raise OutputError(f"a folder as {name}", f"{path}, which is none", FOLDER_FIX)
    _try_file(path / "files", name, FOLDER_FIX, shown=path)


def refuse_overwriting(output: Path | None, inputs: Iterable[Path], name: str) -> None:
    """Refuses to write over what the same command reads.

    Args:
        output: To be written; None for nothing.
        inputs: That are read.
        name: Of the output's flag.

    Raises:
        OutputError: Both are one file.
    """
    if output is None or not output.exists():
        return
    for path in inputs:
        if path.exists() and path.samefile(output):
            raise OutputError(
                f"another file as {name} than those that are read",
                f"{output}, which is read",
                "name another file",
            )


def _try_file(path: Path, name: str, fix: str, shown: Path | None = None) -> None:
    """Makes a file in the first folder above it that exists, with the longest name to be made."""
    path = path.absolute()
    there = path.parent
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    longest = max(path.relative_to(there).parts, key=len)
    try:
        # As `latency.device.files.write_whole` does it.
        descriptor, temporary = tempfile.mkstemp(prefix=f".{longest}.", dir=there)
        os.close(descriptor)
        os.unlink(temporary)
    except OSError as error:
        raise OutputError(
            f"a place where {name} can be written",
            f"{shown or path}: {error.strerror or error}",
            fix,
        ) from None
