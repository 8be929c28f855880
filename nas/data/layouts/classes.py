"""The classes that a folder holds, one folder each, and why it may hold none."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from nas.data.dataset import DataError
from nas.data.layouts.foreign import kind_of
from nas.data.layouts.layout import in_order, looked_for
from nas.data.layouts.parts import counted, find_parts, part_names, shown
from nas.data.layouts.walk import Folder

DEEPEST = 4  # folders below --data_dir in which a data set is looked for, to name it
# Names of folders that hold pictures and what is drawn over them: no classes.
PICTURES = frozenset({"image", "images", "img", "imgs", "jpegimages", "photos", "rgb"})
DRAWN = frozenset({"mask", "masks", "label", "labels", "annotation", "annotations", "gt", "depth"})


def plain_name(folder: Folder) -> str:
    """A folder's name in one form of Unicode and in UTF-8, as the name of a class.

    Macs write an accent as a character of its own, so that one name may have two forms. Bytes that
    are no UTF-8 are written out.

    Args:
        folder: Of a class or a data set.
    """
    text = os.fsencode(folder.name).decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", text)


def classes_of(base: Folder, root: Folder) -> dict[str, Folder]:
    """The folders with images in a folder, by the name of their class and sorted by it.

    Args:
        base: Holds the classes.
        root: The folder of the data set, which may be the same.

    Raises:
        DataError: These are not two classes or more, or rather parts or data sets.
    """
    folders = base.with_images
    if len(folders) < 2:
        _refuse_few(base, root)
    _check_parts(base)
    _check_copies(base)
    _check_pictures(base)
    return dict(sorted(by_name(folders).items()))


def by_name(folders: Sequence[Folder]) -> dict[str, Folder]:
    """Folders by the names of their classes.

    Args:
        folders: One a class.

    Raises:
        DataError: Two folders are of one name.
    """
    found: dict[str, Folder] = {}
    for folder in folders:
        other = found.setdefault(plain_name(folder), folder)
        if other is not folder:
            raise DataError(
                "one folder for each class",
                f"{other.path} twice, in two forms of Unicode",
                "put the images of both into one of them",
            )
    return found


def _check_parts(base: Folder) -> None:
    """Refuses folders that look like parts or data sets instead of classes."""
    folders = base.with_images
    for folder, inner in ((outer, inner) for outer in folders for inner in outer.walk()):
        names = [f.name for f in inner.with_images]
        parts = {part: name for name, part in part_names(names).items()}
        if len(parts) > 1:
            raise DataError(
                f"folders of classes in {base.path}",
                f"{inner.path} with {', '.join(f'{n}/' for n in sorted(parts.values()))}, which "
                "are names of parts",
                f"if that is a data set, give --data_dir {inner.path}; if {folder.name}/ is a "
                f"class, put its images into train/{folder.name}/ and val/{folder.name}/",
            )
    counts = Counter(f.name for folder in folders for f in _unwrapped(folder).with_images)
    shared = sorted(name for name, count in counts.items() if count > 1)
    if len(shared) > 1 and not any(folder.images for folder in folders):
        some = ", ".join(f"{name}/" for name in shared[:4])
        raise DataError(
            "folders of classes, or of parts by names that are known (train/, val/, test/)",
            f"{shown(folders)} in {base.path}, which hold nothing but the same folders: {some}",
            "if they are parts, rename them train/ and val/; if they are classes, put their images "
            "straight into them",
        )


def _unwrapped(folder: Folder) -> Folder:
    """The folder, or the one that stands alone in it, such as `images/`."""
    inside = folder.with_images
    return _unwrapped(inside[0]) if len(inside) == 1 and not folder.images else folder


def _check_copies(base: Folder) -> None:
    """Refuses a folder among the classes that holds these classes once more."""
    names = {folder.name for folder in base.with_images}
    for folder in base.with_images:
        again = [inner for inner in _unwrapped(folder).with_images if inner.name in names]
        if len(again) > 1:
            raise DataError(
                f"a folder of images for each class in {base.path}",
                f"{folder.path}, which holds folders of the same names: {shown(again)}",
                "move it away if it is a copy; if the data set is in there, give --data_dir "
                f"{_unwrapped(folder).path}",
            )


def _check_pictures(base: Folder) -> None:
    names = {folder.name.lower() for folder in base.with_images}
    if names <= PICTURES | DRAWN and names & DRAWN:
        raise DataError(
            f"a folder of images for each class in {base.path}",
            f"{shown(base.with_images)}, which hold pictures and what is drawn over them",
            "give images whose folder is their class; segmentation and detection are not done here",
        )


def _refuse_few(base: Folder, root: Folder) -> NoReturn:
    """Says why a folder holds no classes, or one, and where they may be."""
    inner = _inner_data(base)
    held = shown(base.with_images) or contents(base)
    if inner is not None and base is root:
        raise DataError(
            "the folder of one data set, with its classes or parts in it",
            f"{held} in {base.path}; a data set stands further down, in {inner}",
            f"give --data_dir {inner}",
        )
    if inner is not None:
        raise DataError(
            f"a folder of images for each class in {base.path}",
            f"{held}; the classes stand further down, in {inner}",
            f"move what is in {inner} up into {base.path}",
        )
    if base.with_images:
        raise DataError(
            "images of two classes or more",
            f"one class, {held}, in {base.path}",
            f"add the folder of another class beside it{_where_else(base)}",
        )
    raise DataError(
        f"one of these: {looked_for()}",
        f"{base.path} with {held}",
        f"put the images into one folder a class{_where_else(base)}",
    )


def _where_else(base: Folder) -> str:
    """What to do with tables of labels, packed images or files of other suffixes there."""
    for name in (name for folder in base.walk() for name in folder.others):
        kind = kind_of(name)
        if kind is not None:
            return f"; {name} is {kind[0]}: {kind[1]}"
    nameless = [folder.path / name for folder in base.walk() for name in folder.others]
    if not nameless:
        return ""
    example = os.path.relpath(nameless[0], base.path)
    return f"; a file is an image by its suffix, such as .jpg, and {example} is none"


def contents(folder: Folder) -> str:
    """What stands in a folder, for messages.

    Args:
        folder: Of no classes.
    """
    names = [f"{f.name}/" for f in folder.folders] + list(folder.others)
    if folder.images:
        names.insert(0, f"{counted(len(folder.images), 'image')} such as {folder.images[0]}")
    names += folder.hidden
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _inner_data(base: Folder) -> Path | None:
    """The first folder below one that is a data set itself, the nearest first."""
    layer: list[Folder] = list(base.folders)
    for _ in range(DEEPEST):
        for folder in layer:
            if _is_data(folder):
                return folder.path
        layer = list(_below(layer))
    return None


def _below(folders: Sequence[Folder]) -> Iterator[Folder]:
    for folder in folders:
        yield from folder.folders


def _is_data(folder: Folder) -> bool:
    if any(layout.rank < 2 and layout.recognises(folder.path) for layout in in_order()):
        return True
    try:
        return find_parts(folder) is not None or len(folder.with_images) > 1
    except DataError:
        return True  # parts that lack something; named so that the next answer says what
