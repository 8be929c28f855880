"""Paths as users write them: `~` is their home, and what is kept of a path leads there always."""

from __future__ import annotations

import os
from pathlib import Path

from nas.errors import InputError


def own_path(path: str | Path) -> Path:
    """A path with `~` replaced, which a shell does not do inside of `--flag=~/folder`.

    Args:
        path: As it was written.

    Raises:
        InputError: There is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(
            "a home folder for `~`", f"{path}: {error}", "write the whole path, from / on"
        ) from None


def exists(word: str | Path) -> bool:
    """Whether there is a file or a folder at what may be a path, with or without spaces, or a text.

    Args:
        word: As it was written.

    Raises:
        InputError: There is no such home folder.
    """
    try:
        return own_path(word).exists()
    except (OSError, ValueError):
        return False  # too long for a path, or with characters that none can have


def no_file(path: Path) -> str:
    """A path that no file is at, with what is there instead.

    Args:
        path: Of a folder, a link to nothing, or nothing.
    """
    # Those of os.path say no where a path is too long or has characters that none can have.
    if os.path.isdir(path):
        return f"{path}, which is a folder"
    if os.path.exists(path):
        return f"{path}, which is no plain file"
    if os.path.islink(path):
        return f"{path}, a link to {os.readlink(path)}, which does not exist"
    return f"{path}, which does not exist"


def kept_path(path: str | Path) -> str:
    """What a record keeps of a path: absolute, so that it leads there from every folder.

    A link stays a link: what it leads to may change, and its content is compared.

    Args:
        path: As it was written.

    Raises:
        InputError: There is no such home folder.
    """
    return str(own_path(path).absolute())
