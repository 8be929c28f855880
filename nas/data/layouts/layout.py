"""What a layout is, and what reading one gives: files of images, or arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nas.data.cache import ImageFile
from nas.data.dataset import DataError, Split
from nas.registry import Registry


@dataclass(frozen=True)
class FileLayout:
    """Image files of both splits.

    Args:
        name: Of the data set, for people.
        train: Images to learn from.
        evaluation: Images to report on.
        class_names: Position is the class index.
        native_size: Height and width in pixels that the images are made unless others are asked.
        notes: What a user should know, such as what a class index means.
    """

    name: str
    train: list[ImageFile]
    evaluation: list[ImageFile]
    class_names: tuple[str, ...]
    native_size: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ArrayLayout:
    """Images that are arrays already.

    Args:
        name: Of the data set, for people.
        train: Images to learn from.
        evaluation: Images to report on.
        class_names: Position is the class index.
        notes: What a user should know, such as what a class index means.
    """

    name: str
    train: Split
    evaluation: Split
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """How images may lie on a disk.

    Args:
        looked_for: What a user must have for it, for messages.
        recognises: Whether a path, which exists, has this layout; it looks at names alone.
        read: From the path, a seed and the share that is held out for evaluation where the layout
            has no evaluation images of its own, what there is.
        rank: When it is asked: low numbers first, among equal ones the last registered first. The
            layouts here go from 0, a file of a name that nothing else has, to 3, any folder.
    """

    looked_for: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, int, float], FileLayout | ArrayLayout]
    rank: int = 0


LAYOUTS: Registry[Layout] = Registry("layout")


def in_order() -> list[Layout]:
    """All layouts in the order in which they are asked."""
    return sorted((LAYOUTS[name] for name in reversed(LAYOUTS.names)), key=lambda it: it.rank)


def looked_for() -> str:
    """What every layout needs, for messages."""
    texts = [layout.looked_for for layout in in_order()]
    return ", ".join(texts[:-1]) + f", or {texts[-1]}"


def read_text(path: Path) -> str:
    """The text of a file.

    Args:
        path: Of a file in UTF-8.

    Raises:
        DataError: The file is missing or no text.
    """
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("text in UTF-8", f"{path}: {error}", "unpack it again") from None
