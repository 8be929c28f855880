"""Which folders hold the training, validation and test images, by their names and contents."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from nas.data.dataset import DataError
from nas.data.layouts.walk import Folder

# What a name says of a folder's part, in lower case and without what stands between its words.
NAMES = {
    "train": ("train", "training", "trainset", "trainingset", "traindata", "trainval", "trn", "tr"),
    "validation": (
        *("val", "valid", "validation", "valset", "validset", "validationset"),
        *("dev", "devset", "development"),
    ),
    "test": (
        *("test", "testing", "testset", "testingset", "testdata", "tst"),
        *("eval", "evaluation", "holdout"),
    ),
    # Images whose classes nobody knows; never read.
    "unlabelled": ("pred", "predict", "prediction", "unlabelled", "unlabeled", "inference"),
}
PART_OF = {name: part for part, names in NAMES.items() for name in names}
SHOWN_NAMES = "train/, val/ and test/"


@dataclass(frozen=True)
class Parts:
    """Folders of a data set that has been divided.

    Args:
        train: Holds the classes to learn from.
        evaluation: Holds the classes that figures are made on; None if there is none.
        unused: Folders beside them that hold images as well.
    """

    train: Folder
    evaluation: Folder | None
    unused: tuple[Folder, ...] = ()


def part_names(names: Sequence[str]) -> dict[str, str]:
    """What part folders are by their names: train, validation or test.

    A name counts in any case, with or without a number. One of several words, such as
    `seg_train`, counts where another name has the same words but for another part, such as
    `seg_test`, or where another name is another part and none is this one.

    Args:
        names: Of all folders that stand beside each other.

    Returns:
        Part by name; names that say nothing of a part are absent.
    """
    found = {name: part for name in names if (part := _whole(name))}
    stems: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        words = _words(name)
        for word in words if name not in found else ():
            if word in PART_OF:
                stem = tuple(other for other in words if other != word)
                stems.setdefault(stem, {})[name] = PART_OF[word]
    whole = set(found.values())
    for siblings in stems.values():
        is_pair = len(set(siblings.values())) > 1
        found |= {
            n: part for n, part in siblings.items() if is_pair or (whole and part not in whole)
        }
    return found


def _whole(name: str) -> str | None:
    """The part that a name says as a whole, but for a number as in `test1`."""
    return PART_OF.get("".join(word for word in _words(name) if not word.isdigit()))


def find_parts(root: Folder) -> Parts | None:
    """The parts of a data set; None where its folders are classes.

    Args:
        root: The folder of the data set.

    Raises:
        DataError: Folders are named as parts and do not hold what parts need, or two folders may
            be one part.
    """
    parts = part_names([folder.name for folder in root.folders])
    named = {part: [f for f in root.folders if parts.get(f.name) == part] for part in NAMES}
    others = [folder for folder in root.with_images if folder.name not in parts]
    if not any(map(is_divided, named["train"])):
        if _are_classes(named, others):
            return None
        _refuse_train(root, named["train"], [*named["validation"], *named["test"]])
    train = _only(named["train"], "training images")
    evaluation = _evaluation(root, train, named, others)
    used = (train, evaluation)
    beside = [*named["validation"], *named["test"], *named["unlabelled"], *others]
    unused = tuple(f for f in beside if f.image_count and all(f is not other for other in used))
    return Parts(_inner(train), _inner(evaluation) if evaluation else None, unused)


def is_divided(folder: Folder) -> bool:
    """Whether a folder holds folders with images; a class holds its images itself.

    Args:
        folder: That may be a part.
    """
    return bool(_inner(folder).with_images)


def _are_classes(named: Mapping[str, list[Folder]], others: list[Folder]) -> bool:
    """Whether folders are classes, some called train or test, where no training part is divided."""
    held = [*named["validation"], *named["test"]]
    if not named["train"]:
        # One folder alone is answered where classes are read.
        return bool(others) or len(held) < 2
    whole_names = all(_whole(folder.name) for folder in named["train"])
    return bool(others) and whole_names and not any(map(is_divided, held))


def _inner(folder: Folder) -> Folder:
    """The folder, or the one of the same part in it, which some archives have (`train/train`)."""
    inside = folder.with_images
    if len(inside) != 1 or folder.images:
        return folder
    parts = [_whole(f.name) or f.name for f in (folder, inside[0])]
    return _inner(inside[0]) if parts[0] == parts[1] else folder


def _evaluation(
    root: Folder, train: Folder, named: Mapping[str, list[Folder]], others: list[Folder]
) -> Folder | None:
    """The folder whose images are evaluated: validation before test."""
    for part in ("validation", "test"):
        divided = [folder for folder in named[part] if is_divided(folder)]
        if divided:
            return _only(divided, f"{part} images")
        if named[part]:
            _refuse_flat(named[part][0], train, named)
    if others:
        raise DataError(
            f"folders that are parts ({SHOWN_NAMES}) or classes, not both",
            f"{train.path} with classes and, beside it, {shown(others)}, which is no part by name",
            f"rename it to val/ if it is for evaluation; move it out of {root.path} if it is not "
            "needed; if they are classes, put the images straight into them",
        )
    return None


def _refuse_flat(folder: Folder, train: Folder, named: Mapping[str, list[Folder]]) -> NoReturn:
    classes = ", ".join(f"{f.name}/" for f in _inner(train).with_images[:3])
    held = [f for f in named["test"] if f is not folder and is_divided(f)]
    instead = f"{held[0].name}/ is evaluated" if held else f"a share of {train.name}/ is held out"
    raise DataError(
        f"a folder of images for each class in {folder.path}, as in {train.path} ({classes})",
        _held(_inner(folder)),
        f"sort its images into {folder.name}/<class>/, or move {folder.name}/ away, so that "
        f"{instead} instead",
    )


def _refuse_train(root: Folder, train: list[Folder], held: list[Folder]) -> NoReturn:
    if train:
        lacking = _inner(train[0])
        raise DataError(
            f"a folder of images for each class in {train[0].path}",
            _held(lacking),
            f"sort the images into {train[0].name}/<class>/; if `{train[0].name}` is a class, put "
            "a folder for each other class beside it",
        )
    raise DataError(
        f"training images, in a folder such as {root.path}/train/<class>/",
        f"{shown(held)} alone in {root.path}",
        f"add train/; if these are no parts, rename them: {SHOWN_NAMES} are names of parts",
    )


def _only(folders: list[Folder], what: str) -> Folder:
    folders = [folder for folder in folders if folder.image_count]
    if len(folders) > 1:
        raise DataError(
            f"one folder with {what}",
            f"{shown(folders)} in {folders[0].path.parent}, which all are that by their names",
            "put their images into one of them, or move the others away",
        )
    return folders[0]


def shown(folders: Sequence[Folder], most: int = 5) -> str:
    """Names of folders for messages, with a slash, and with how many there are beyond some.

    Args:
        folders: That are named.
        most: Number of names that are written.
    """
    names = ", ".join(f"{folder.name}/" for folder in folders[:most])
    return names + (f" and {len(folders) - most} more" if len(folders) > most else "")


def _held(folder: Folder) -> str:
    """What a part holds instead of class folders."""
    images = counted(folder.image_count, "image") if folder.image_count else "no images"
    others = f", but {', '.join(folder.others[:3])}" if folder.others else ""
    return f"{images} and no class folders in {folder.path}{others}"


def counted(count: int, noun: str) -> str:
    """A number with its noun, such as `1 image` and `2 images`.

    Args:
        count: Of the things.
        noun: For one of them.
    """
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _words(name: str) -> list[str]:
    """The words of a name in lower case: `seg_train`, `TrainSet` and `val2017` have two each."""
    found = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+", name)
    return [word.lower() for word in found]
