"""Tiny-ImageNet as it is unpacked, or with `val/` sorted into class folders afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from latency.device.text import visible
from nas.data.cache import ImageFile
from nas.data.dataset import DataError
from nas.data.layouts.layout import LAYOUTS, FileLayout, Layout, read_text
from nas.data.layouts.parts import counted
from nas.data.layouts.walk import Folder, folder_names, image_files, scan


def _recognises(path: Path) -> bool:
    return (path / "wnids.txt").is_file()


def _read(folder: Path, seed: int, fraction: float) -> FileLayout:
    """Both splits of the archive; class indices are line numbers in `wnids.txt`."""
    del seed, fraction  # the archive has a validation part of its own
    names = tuple(read_text(folder / "wnids.txt").split())
    index = {name: i for i, name in enumerate(names)}
    train = [
        ImageFile(path, label)
        for name, label in index.items()
        for path in image_files(folder / "train" / name)
    ]
    if not train:
        raise DataError(
            "train/<wnid>/images/ with images beside wnids.txt",
            f"none of the classes of wnids.txt in {folder / 'train'}",
            "unpack the whole archive",
        )
    held = scan(folder / "val") if (folder / "val").is_dir() else Folder(folder / "val")
    evaluation, where = _evaluation(held, index)
    notes = (
        "Class index: line number in wnids.txt, from 0.",
        f"Training images: train/, {len(train)}. Evaluation images: {where}, {len(evaluation)}.",
        *_not_used(folder, index),
    )
    return FileLayout("Tiny-ImageNet", train, evaluation, _words(folder, names), 64, notes)


def _evaluation(held: Folder, index: Mapping[str, int]) -> tuple[list[ImageFile], str]:
    """The validation images and where they are: named by the annotations, or sorted by class.

    Scripts that sort the images into val/<wnid>/ or val/images/<wnid>/ leave the annotations
    behind or remove them, and move the images or copy them.
    """
    annotations = held.path / "val_annotations.txt"
    images = next((f for f in held.folders if f.name == "images"), Folder(held.path / "images"))
    base = images if images.with_images else held
    classes = [folder for folder in base.with_images if folder is not images]
    if annotations.is_file() and (images.images or not classes):
        copies = ", not the folders of classes beside it" if classes else ""
        return _annotated(annotations, index), f"val/images/ by {annotations.name}{copies}"
    unknown = [folder.name for folder in classes if folder.name not in index]
    if images.images or unknown or not classes:
        received = f"folders of no class, such as {unknown[0]}/," if unknown else "neither of them"
        raise DataError(
            f"val/images/ with val/{annotations.name}, or val/<wnid>/ of the classes in wnids.txt",
            f"{received} in {base.path}",
            "unpack the whole archive",
        )
    found = [
        ImageFile(path, index[folder.name]) for folder in classes for path in folder.all_images()
    ]
    return found, f"{'val' if base is held else 'val/images'}/<wnid>/"


def _annotated(annotations: Path, index: Mapping[str, int]) -> list[ImageFile]:
    """The images that the lines name, in their order."""
    found = []
    # Editors and scripts leave blank lines, at the end most of all.
    for line in filter(str.strip, read_text(annotations).splitlines()):
        file, _, rest = line.partition("\t")
        wnid = rest.split("\t")[0]
        if wnid not in index:
            raise DataError(
                f"classes of wnids.txt in {annotations.name}", f"{wnid!r}", "unpack it again"
            )
        found.append(ImageFile(annotations.parent / "images" / file, index[wnid]))
    return found


def _not_used(folder: Path, index: Mapping[str, int]) -> list[str]:
    """Sentences on folders of images that no class or part is made of."""
    unlisted = [name for name in folder_names(folder / "train") if name not in index]
    found = []
    if unlisted:
        images = sum(scan(folder / "train" / name).image_count for name in unlisted)
        some = ", ".join(f"train/{name}/" for name in unlisted[:3])
        found.append(
            f"Not used, as wnids.txt does not name them: {counted(len(unlisted), 'folder')} with "
            f"{counted(images, 'image')} ({some}{', ...' if len(unlisted) > 3 else ''})."
        )
    beside = [name for name in folder_names(folder) if name not in ("train", "val")]
    counts = {name: scan(folder / name).image_count for name in beside}
    texts = [f"{name}/ ({counted(count, 'image')})" for name, count in counts.items() if count]
    if texts:
        found.append(
            f"Not used: {', '.join(texts)}. Nothing is learned, chosen or reported with them."
        )
    return [visible(note, keep="") for note in found]


def _words(folder: Path, wnids: tuple[str, ...]) -> tuple[str, ...]:
    """`wnid words` where words.txt has them, else the wnid."""
    path = folder / "words.txt"
    if not path.is_file():
        return wnids
    pairs = (line.partition("\t") for line in read_text(path).splitlines())
    words = {key: value.split(",")[0].strip() for key, _, value in pairs}
    return tuple(f"{w} {words[w]}" if w in words else w for w in wnids)


LAYOUTS.register("tiny_imagenet", Layout("wnids.txt (Tiny-ImageNet)", _recognises, _read))
