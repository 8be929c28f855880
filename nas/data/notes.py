"""What decoding did that a user should know, in whole sentences."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nas.data.decoding import shown
from nas.data.preparation import Preparation
from nas.data.split_decoding import DecodedSplit

SHOWN = 3
RESIZED = {
    "squeeze": "squeezed into a square (--resize squeeze; crop and pad keep proportions)",
    "crop": "cropped to the square in its middle (--resize crop)",
    "pad": "padded to a square with white borders (--resize pad)",
}
# Trait -> what to say of the images that have it.
SENTENCES = {
    "turned": "Turned upright, as their EXIF data say",
    "transparent": "With transparent pixels, which became white",
    "frames": "With several frames or pages, of which the first is used",
    "profile": "With a colour profile other than sRGB, which is not applied",
    "upper_bytes": "With colours of 16 bits, of which the upper 8 are used",
}


def decoding_notes(
    splits: Sequence[DecodedSplit], preparation: Preparation, root: Path
) -> list[str]:
    """One sentence for each thing that was done, with the number of images and some names.

    Args:
        splits: What was decoded.
        preparation: How files became arrays.
        root: Folder that names are written relative to.
    """
    notes = [_not_square(splits, preparation), _grey(splits, preparation, root)]
    for trait, sentence in SENTENCES.items():
        rows = [np.flatnonzero(split.facts[trait]) for split in splits]
        notes.append(_counted(sentence, splits, rows, root))
    notes.append(_warned(splits, root))
    return [note for note in notes if note]


def relative(path: Path, root: Path) -> str:
    """A file's name within the data set, or its path where it lies elsewhere.

    Args:
        path: Of the file.
        root: Folder of the data set.
    """
    return shown(path.relative_to(root) if path.is_relative_to(root) else path)


def skipped_note(splits: Sequence[DecodedSplit], root: Path) -> str:
    """A sentence on the files that could not be decoded, or nothing.

    Args:
        splits: What was decoded.
        root: Folder that names are written relative to.
    """
    texts = [
        split.errors[row].replace(f"{shown(root)}{os.sep}", "")
        for split in splits
        for row in sorted(split.errors)
    ]
    return f"{len(texts)} bad images were skipped: {_some(texts)}." if texts else ""


def _not_square(splits: Sequence[DecodedSplit], preparation: Preparation) -> str:
    facts = np.concatenate([split.facts[split.facts["is_good"]] for split in splits])
    longer = np.maximum(facts["width"], facts["height"])
    shorter = np.minimum(facts["width"], facts["height"])
    count = int((longer != shorter).sum())
    if not count:
        return ""
    at = int((longer / shorter).argmax())
    return (
        f"{count} of {len(facts)} images are not square, the longest {facts['width'][at]} x "
        f"{facts['height'][at]} (ratio {longer[at] / shorter[at]:.2f}): each is "
        f"{RESIZED[preparation.resize]}."
    )


def _grey(splits: Sequence[DecodedSplit], preparation: Preparation, root: Path) -> str:
    if preparation.white is None:
        return ""
    parts = []
    for split in splits:
        rows = np.flatnonzero(split.facts["is_grey"])
        if len(rows):
            row = int(rows[split.facts["highest"][rows].argmax()])
            highest = split.facts["highest"][row]
            name = relative(split.path(row), root)
            parts.append(f"{len(rows)} {split.name} images up to {highest} ({name})")
    bits = preparation.white.bit_length()
    return (
        f"Grey images of 16 bits: {', '.join(parts)}. The range of the data set is 0 to "
        f"{preparation.white} ({bits} bits), which became 0 to 255 in each of them."
    )


def _counted(
    sentence: str, splits: Sequence[DecodedSplit], rows: Sequence[np.ndarray], root: Path
) -> str:
    names = [
        relative(split.path(int(row)), root)
        for split, some in zip(splits, rows, strict=True)
        for row in some[:SHOWN]
    ]
    count = sum(len(some) for some in rows)
    if not count:
        return ""
    total = sum(int(split.facts["is_good"].sum()) for split in splits)
    return f"{sentence}: {count} of {total} images ({_some(names, count)})."


def _warned(splits: Sequence[DecodedSplit], root: Path) -> str:
    texts = [
        f"{relative(split.path(row), root)}: {' '.join(text.split())}"
        for split in splits
        for row, text in sorted(split.warnings.items())
        if row not in split.errors
    ]
    count = len(texts)
    return f"Pillow warned of {count} files that were read: {_some(texts)}." if count else ""


def _some(texts: Sequence[str], count: int | None = None) -> str:
    more = (len(texts) if count is None else count) - SHOWN
    return ", ".join(texts[:SHOWN]) + (f" and {more} more" if more > 0 else "")
