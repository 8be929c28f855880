"""A folder for each class, with or without a split of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nas.data.cache import ImageFile
from nas.data.dataset import DataError
from nas.data.decoding import native_size
from nas.data.layouts.layout import (
    IMAGE_SUFFIXES,
    LAYOUTS,
    FileLayout,
    Layout,
    class_dirs,
    image_files,
    looked_for,
)

EVALUATION_FOLDERS = ("val", "validation", "test", "eval")


def _has_train(path: Path) -> bool:
    return (path / "train").is_dir()


def _read_train(folder: Path, seed: int, fraction: float) -> FileLayout:
    """A folder `train`, with or without one for evaluation; class indices by sorted name."""
    found = [folder / n for n in EVALUATION_FOLDERS if (folder / n).is_dir()]
    if not found:
        return _read_classes(folder / "train", seed, fraction)
    names = tuple(d.name for d in class_dirs(folder / "train"))
    unknown = [d.name for d in class_dirs(found[0]) if d.name not in names]
    if unknown:
        raise DataError(
            f"the classes of {folder / 'train'} in {found[0]}",
            f"{', '.join(unknown[:5])} there alone",
            "rename or remove these folders",
        )
    train, evaluation = (
        [ImageFile(p, i) for i, n in enumerate(names) for p in image_files(root / n)]
        for root in (folder / "train", found[0])
    )
    _need_images(folder, train)
    note = f"Class index: sorted folder name. Evaluated on {found[0].name}/."
    return FileLayout(folder.name, train, evaluation, names, native_size(train), (note,))


def _read_classes(folder: Path, seed: int, fraction: float) -> FileLayout:
    """A folder for each class, whose images are divided; class indices by sorted name."""
    members = {d.name: image_files(d) for d in class_dirs(folder)}
    members = {name: files for name, files in members.items() if files}
    if not members:
        raise DataError(
            f"one of these: {looked_for()}",
            f"{folder} with {', '.join(sorted(p.name for p in folder.iterdir())[:6])}",
            "put the images into one folder a class",
        )
    rng = np.random.default_rng((seed, 3))
    train: list[ImageFile] = []
    evaluation: list[ImageFile] = []
    for label, (name, files) in enumerate(sorted(members.items())):
        if len(files) < 2:
            raise DataError(
                "two images or more of every class", f"{len(files)} of {name}", "add images"
            )
        held = set(rng.permutation(len(files))[: max(1, round(fraction * len(files)))].tolist())
        for position, path in enumerate(files):
            (evaluation if position in held else train).append(ImageFile(path, label))
    note = (
        f"Class index: sorted folder name. No val/ or test/: {len(evaluation)} images "
        f"({fraction:.0%} of each class, seed {seed}) are held out for evaluation."
    )
    names = tuple(sorted(members))
    return FileLayout(folder.name, train, evaluation, names, native_size(train), (note,))


def _need_images(folder: Path, files: list[ImageFile]) -> None:
    if not files:
        raise DataError(
            f"images below {folder}/train/<class>/",
            "none",
            f"use one of {', '.join(sorted(IMAGE_SUFFIXES))}",
        )


LAYOUTS.register(
    "class_folders", Layout("<class>/ folders with images", Path.is_dir, _read_classes, rank=3)
)
LAYOUTS.register(
    "train_folders",
    Layout("train/<class>/ with val/ or test/<class>/", _has_train, _read_train, rank=2),
)
