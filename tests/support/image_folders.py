"""Folders of small images, and the check of an error about them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.errors import InputError

SIZE = 16


def write_folders(root: Path, classes: tuple[str, ...] = ("a", "b"), count: int = 4) -> Path:
    """Writes a folder for each class and returns the folder of all.

    Args:
        root: Where the classes stand.
        classes: Their names.
        count: Images of each.
    """
    rng = np.random.default_rng(0)
    for name in classes:
        (root / name).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 255, (SIZE, SIZE, 3), np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return root


def assert_three_parts(error: pytest.ExceptionInfo[InputError], text: str) -> None:
    """Checks that an error says what was expected, received and to be done, and one text.

    Args:
        error: As it was caught.
        text: What its message holds.
    """
    message = str(error.value)
    assert all(part in message for part in ("Expected", "Received", "Fix")), message
    assert text in message


def one_png() -> bytes:
    """The contents of a small image."""
    stream = io.BytesIO()
    Image.new("RGB", (SIZE, SIZE), (10, 20, 30)).save(stream, "PNG")
    return stream.getvalue()


PNG = one_png()


def plant(root: Path, tree: Mapping[str, int | bytes | Path]) -> Path:
    """Makes files and folders, and returns the folder of all.

    Args:
        root: Where everything stands.
        tree: By path below it: the number of images in a folder, the contents of a file, or what
            a link leads to.
    """
    root.mkdir(parents=True, exist_ok=True)
    for name, what in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(what, Path):
            path.symlink_to(what)
        elif isinstance(what, bytes):
            path.write_bytes(what)
        else:
            path.mkdir(exist_ok=True)
            for number in range(what):
                (path / f"{number}.png").write_bytes(PNG)
    return root
