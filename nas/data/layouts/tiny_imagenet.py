"""Tiny-ImageNet as it is unpacked."""

from __future__ import annotations

from pathlib import Path

from nas.data.cache import ImageFile
from nas.data.dataset import DataError
from nas.data.layouts.layout import LAYOUTS, FileLayout, Layout, image_files, read_text


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
    annotations = folder / "val" / "val_annotations.txt"
    if not train or not annotations.is_file():
        raise DataError(
            "train/<wnid>/images/ and val/val_annotations.txt beside wnids.txt",
            f"{len(train)} training images, "
            f"{'an' if annotations.is_file() else 'no'} annotation file in {folder}",
            "unpack the whole archive",
        )
    evaluation = []
    for line in read_text(annotations).splitlines():
        file, _, rest = line.partition("\t")
        wnid = rest.split("\t")[0]
        if wnid not in index:
            raise DataError(
                "classes of wnids.txt in val_annotations.txt", f"{wnid!r}", "unpack it again"
            )
        evaluation.append(ImageFile(folder / "val" / "images" / file, index[wnid]))
    note = "Class index: line number in wnids.txt, from 0."
    return FileLayout("Tiny-ImageNet", train, evaluation, _words(folder, names), 64, (note,))


def _words(folder: Path, wnids: tuple[str, ...]) -> tuple[str, ...]:
    """`wnid words` where words.txt has them, else the wnid."""
    path = folder / "words.txt"
    if not path.is_file():
        return wnids
    pairs = (line.partition("\t") for line in read_text(path).splitlines())
    words = {key: value.split(",")[0].strip() for key, _, value in pairs}
    return tuple(f"{w} {words[w]}" if w in words else w for w in wnids)


LAYOUTS.register("tiny_imagenet", Layout("wnids.txt (Tiny-ImageNet)", _recognises, _read))
