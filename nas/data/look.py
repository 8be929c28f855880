"""What is known of images before any of them is decoded: their size and their classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nas.data import sample
from nas.data.layouts.find import find_layout
from nas.data.layouts.layout import FileLayout
from nas.data.load import EVALUATION_SHARE


@dataclass(frozen=True)
class Looks:
    """Images that were looked at.

    Args:
        image_size: Height and width in pixels that they will have.
        num_classes: Classes of the labels.
    """

    image_size: int
    num_classes: int


def look_at(data_dir: str | Path | None, image_size: int | None = None, seed: int = 0) -> Looks:
    """Finds out what images will be like, in the time that it takes to list them.

    Args:
        data_dir: Folder or .npz file; None for the embedded sample.
        image_size: Height and width in pixels that are asked for; None for the images' own.
        seed: Of the division where the layout has none.

    Raises:
        DataError: They are missing, or of no known layout.
    """
    if data_dir is None:
        return Looks(image_size or sample.IMAGE_SIZE, len(sample.CLASS_NAMES))
    layout = find_layout(data_dir, seed, EVALUATION_SHARE)
    own = layout.native_size if isinstance(layout, FileLayout) else layout.train.images.shape[1]
    return Looks(image_size or own, len(layout.class_names))
