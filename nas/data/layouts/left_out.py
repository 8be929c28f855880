"""What of a data set's folder is not used, and why: the first lines of a run and the report."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence

from latency.device.text import visible
from nas.data.dataset import DataError
from nas.data.image_formats import is_image_name
from nas.data.layouts.parts import counted, part_names, shown
from nas.data.layouts.walk import Folder
from nas.system.paths import no_file


def notes(root: Folder, bases: Sequence[Folder], unused: Sequence[Folder]) -> list[str]:
    """Sentences on what is left out.

    Args:
        root: The folder of the data set.
        bases: Folders that hold the classes that are used.
        unused: Folders of images that are not used.
    """
    found = []
    if unused:
        counts = ", ".join(f"{f.name}/ ({counted(f.image_count, 'image')})" for f in unused)
        found.append(f"Not used: {counts}. Nothing is learned, chosen or reported with them.")
    own = _parts_as_classes(root, bases)
    if own:
        found.append(f"Taken for classes, as they hold their images themselves: {shown(own)}.")
    empty = [f for base in bases for f in base.folders if not f.image_count]
    if empty:
        found.append(f"No images that can be read, so no class: {_with_contents(empty, root)}.")
    nested = [inner for base in bases for f in base.with_images for inner in _nested(f)]
    if nested:
        found.append(f"Images in folders of a class count for it: {_paths(nested, root)}.")
    alike = _alike(bases[0])
    if alike:
        found.append(f"Classes of their own, though their names are nearly one: {shown(alike)}.")
    return [visible(note, keep="") for note in (*found, *_files(root, bases))]


def _parts_as_classes(root: Folder, bases: Sequence[Folder]) -> list[Folder]:
    if bases[0] is not root:
        return []
    parts = part_names([folder.name for folder in root.folders])
    return [folder for folder in root.with_images if folder.name in parts]


def _alike(base: Folder) -> list[Folder]:
    """Classes whose names differ by capital letters or spaces alone."""
    keys = Counter(_key(folder) for folder in base.with_images)
    return [folder for folder in base.with_images if keys[_key(folder)] > 1]


def _key(folder: Folder) -> str:
    return "".join(folder.name.casefold().split())


def _nested(folder: Folder) -> tuple[Folder, ...]:
    """Folders with images in one of a class; one alone, such as `images/`, needs no word."""
    inside = folder.with_images
    return inside if folder.images or len(inside) > 1 else ()


def _files(root: Folder, bases: Sequence[Folder]) -> list[str]:
    """Sentences on files and hidden folders."""
    used = [root, *(folder for base in bases for folder in base.walk())]
    seen = list({folder.path: folder for folder in used}.values())
    above = {root.path, *(base.path for base in bases)}
    found = [
        f"Left out: {counted(len(folder.images), 'image')} straight in {folder.name}/, such as "
        f"{folder.images[0]}; an image's folder is its class."
        for folder in seen
        if folder.path in above and folder.images
    ]
    others = [folder.path / name for folder in seen for name in folder.others]
    if others:
        counts = Counter(path.suffix.lower() or "no suffix" for path in others)
        kinds = ", ".join(f"{suffix} {count}" for suffix, count in counts.most_common(5))
        found.append(
            f"Left out: {counted(len(others), 'file')} of no image suffix ({kinds}), such as "
            f"{os.path.relpath(others[0], root.path)}."
        )
    empty = [f for f in seen if is_image_name(f.name) and not f.image_count]
    if empty:
        found.append(f"Left out: folders called like images, without any: {_paths(empty, root)}.")
    hidden = Counter(name for folder in seen for name in folder.hidden)
    if hidden:
        names = ", ".join(f"{n} ({c})" if c > 1 else n for n, c in hidden.most_common(5))
        more = f" and {len(hidden) - 5} more names" if len(hidden) > 5 else ""
        found.append(f"Left out, as hidden or of the system: {names}{more}.")
    return found


def inside(folder: Folder, root: Folder) -> str:
    """A folder as it is called inside another, with a slash.

    Args:
        folder: Below the other.
        root: The folder of the data set.
    """
    return f"{os.path.relpath(folder.path, root.path)}/"


def _paths(folders: Sequence[Folder], root: Folder, most: int = 4) -> str:
    names = ", ".join(inside(folder, root) for folder in folders[:most])
    return names + (f" and {len(folders) - most} more" if len(folders) > most else "")


def _with_contents(folders: Sequence[Folder], root: Folder, most: int = 5) -> str:
    """Folders without images and what they hold instead."""
    texts = []
    for folder in folders[:most]:
        counts = Counter(
            os.path.splitext(name)[1].lower() or "without suffix"
            for f in folder.walk()
            for name in f.others
        )
        held = ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common(3))
        texts.append(f"{inside(folder, root)} ({held or 'empty'})")
    return ", ".join(texts) + (f" and {len(folders) - most} more" if len(folders) > most else "")


def check_links(root: Folder, bases: Sequence[Folder]) -> None:
    """Refuses links that lead nowhere where a class would stand, so that none vanishes.

    Args:
        root: The folder of the data set.
        bases: Folders that hold the classes that are used.

    Raises:
        DataError: There is such a link.
    """
    for folder in (root, *(inner for base in bases for inner in base.walk())):
        for name in folder.lost:
            raise DataError(
                "links that lead to folders of images",
                no_file(folder.path / name),
                "mount or restore what it leads to, or remove the link",
            )


def check_different(classes: Iterable[Folder]) -> None:
    """Refuses one folder under two names, which links make: its images would count twice.

    Args:
        classes: Folders of classes, of all parts that are used.

    Raises:
        DataError: A folder stands at two places.
    """
    seen: dict[tuple[int, int], Folder] = {}
    for folder in (inner for one in classes for inner in one.walk()):
        other = seen.setdefault(folder.identity, folder)
        # Some network disks give every folder the number 0.
        if other is not folder and folder.image_count and folder.identity[1]:
            raise DataError(
                "every folder of images at one place",
                f"{other.path} and {folder.path}, which are one folder by a link",
                "remove the link, so that its images count once",
            )
