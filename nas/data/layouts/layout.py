"""What a layout is found to be: files of images, or arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nas.data.cache import ImageFile
from nas.data.dataset import DataError, Split

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm"}


LOOKED_FOR = (
    "wnids.txt (Tiny-ImageNet), data_batch_1.bin (CIFAR-10 binary), one .npz file, "
    "train/<class>/ with val/ or test/<class>/, or <class>/ folders with images"
)


@dataclass(frozen=True)
class FileLayout:
    """Image files of both splits."""

    name: str
    train: list[ImageFile]
    evaluation: list[ImageFile]
    class_names: tuple[str, ...]
    native_size: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ArrayLayout:
    """Images that are arrays already."""

    name: str
    train: Split
    evaluation: Split
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("text in UTF-8", f"{path}: {error}", "unpack it again") from None


def image_files(folder: Path) -> list[Path]:
    """Image files below a folder, sorted, without hidden ones (archives from Macs hold `._x`)."""
    if not folder.is_dir():
        return []
    return sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")
    )


def class_dirs(folder: Path) -> list[Path]:
    return sorted(d for d in folder.iterdir() if d.is_dir() and not d.name.startswith("."))
