"""A folder for each class, with or without a split of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nas.data.cache import ImageFile
from nas.data.dataset import DataError
from nas.data.decoding import native_size
from nas.data.layouts import left_out
from nas.data.layouts.classes import by_name, classes_of, plain_name
from nas.data.layouts.layout import LAYOUTS, FileLayout, Layout
from nas.data.layouts.parts import Parts, find_parts, part_names
from nas.data.layouts.walk import Folder, folder_names, scan

CLASS_RULE = "Class index: sorted folder name."


def _names_parts(path: Path) -> bool:
    """Whether a folder in this one is called train, or as other people call it."""
    return path.is_dir() and "train" in part_names(folder_names(path)).values()


def _read(folder: Path, seed: int, fraction: float) -> FileLayout:
    """Classes in parts, or classes alone, whose images are then divided."""
    root = scan(folder)
    parts = find_parts(root)
    if parts is None:
        return _divided(root, Parts(root, None), seed, fraction)
    if parts.evaluation is None:
        return _divided(root, parts, seed, fraction)
    return _of_parts(root, parts.train, parts.evaluation, parts)


def _of_parts(root: Folder, train: Folder, evaluation: Folder, parts: Parts) -> FileLayout:
    """Training and evaluation images in folders of their own."""
    left_out.check_links(root, (train, evaluation))
    classes = classes_of(train, root)
    held = by_name(evaluation.with_images)
    _check_held(train, evaluation, list(classes), list(held))
    left_out.check_different([*classes.values(), *held.values()])
    names = tuple(classes)
    learned, reported = (
        [
            ImageFile(p, i)
            for i, n in enumerate(names)
            if n in members
            for p in members[n].all_images()
        ]
        for members in (classes, held)
    )
    roles = (
        f"Training images: {left_out.inside(train, root)}, {len(learned)}. "
        f"Evaluation images: {left_out.inside(evaluation, root)}, {len(reported)}."
    )
    notes = (CLASS_RULE, roles, *left_out.notes(root, (train, evaluation), parts.unused))
    return FileLayout(plain_name(root), learned, reported, names, native_size(learned), notes)


def _check_held(train: Folder, evaluation: Folder, classes: list[str], held: list[str]) -> None:
    """Refuses evaluation images of classes that cannot be learned."""
    unknown = [name for name in held if name not in classes]
    if unknown:
        # `Cat` and `cat` are two folders here, and one on the disks of other systems.
        alike = {name.casefold(): name for name in classes}
        texts = [
            f"{name} ({alike[name.casefold()]} there)" if name.casefold() in alike else name
            for name in unknown[:5]
        ]
        deeper = [
            f for f in evaluation.with_images if {g.name for g in f.with_images} & set(classes)
        ]
        raise DataError(
            f"the classes of {train.path} in {evaluation.path}",
            f"{', '.join(texts)}, of which there are no training images",
            f"move what is in {deeper[0].path} up into {evaluation.path}"
            if deeper
            else "rename these folders as in the training images, add training images, or remove "
            "them",
        )


def _divided(root: Folder, parts: Parts, seed: int, fraction: float) -> FileLayout:
    """Classes whose images are divided, the same share of each."""
    base = parts.train
    left_out.check_links(root, (base,))
    classes = classes_of(base, root)
    left_out.check_different(classes.values())
    files = {name: folder.all_images() for name, folder in classes.items()}
    _check_enough(base, files)
    rng = np.random.default_rng((seed, 3))
    train: list[ImageFile] = []
    evaluation: list[ImageFile] = []
    for label, members in enumerate(files.values()):
        held = set(rng.permutation(len(members))[: max(1, round(fraction * len(members)))].tolist())
        for position, path in enumerate(members):
            (evaluation if position in held else train).append(ImageFile(path, label))
    roles = (
        f"No folder of evaluation images (val/ or test/): {len(evaluation)} images "
        f"({fraction:.0%} of each class, seed {seed}) are held out for evaluation."
    )
    notes = (CLASS_RULE, roles, *left_out.notes(root, (base,), parts.unused))
    return FileLayout(plain_name(root), train, evaluation, tuple(files), native_size(train), notes)


def _check_enough(base: Folder, files: Mapping[str, list[Path]]) -> None:
    few = [name for name, members in files.items() if len(members) < 2]
    if few:
        raise DataError(
            "two images or more of every class, so that one can be held out for evaluation",
            f"1 of {', '.join(few[:5])} in {base.path}",
            "add images, or remove the folders of these classes",
        )


LAYOUTS.register(
    "class_folders", Layout("<class>/ folders with images", Path.is_dir, _read, rank=3)
)
LAYOUTS.register(
    "train_folders",
    Layout("train/<class>/ with val/ or test/<class>/", _names_parts, _read, rank=2),
)
