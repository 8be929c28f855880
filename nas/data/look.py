"""What is known of images before any of them is decoded: their size, classes and labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas.data.dataset import DataError, Dataset, check_labels, evaluation_notes
from nas.data.layouts.find import EVALUATION_SHARE, find_layout
from nas.data.layouts.layout import FileLayout
from nas.data.samples import LETTERS, SAMPLES


@dataclass(frozen=True)
class Looks:
    """Images that were looked at.

    Args:
        name: Of the data set, for people.
        image_size: Height and width in pixels that they will have.
        class_names: Position is the class index.
        train_labels: (n,) class indices of the training images. Files that turn out to be broken
            are among them, which may be skipped later.
        evaluation_labels: (m,) likewise of the evaluation images.
        is_sample: Whether they are an embedded sample.
        notes: What a user should know of the files, such as which were left out.
    """

    name: str
    image_size: int
    class_names: tuple[str, ...]
    train_labels: np.ndarray
    evaluation_labels: np.ndarray
    is_sample: bool = False
    notes: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @classmethod
    def of(cls, dataset: Dataset) -> Looks:
        """What is known of images that are there already.

        Args:
            dataset: The images.
        """
        return cls(
            dataset.name,
            dataset.image_size,
            tuple(dataset.class_names),
            dataset.train.labels,
            dataset.evaluation.labels,
            dataset.is_sample,
            dataset.notes,
        )


def look_at(
    data_dir: str | Path | None,
    image_size: int | None = None,
    seed: int = 0,
    sample: str = LETTERS,
    is_toy: bool = False,
) -> Looks:
    """Finds out what images will be like, in the time that it takes to list them.

    Args:
        data_dir: Folder or .npz file; None for an embedded sample.
        image_size: Height and width in pixels that are asked for; None for the images' own.
        seed: Of the division where the layout has none.
        sample: Name of the embedded sample.
        is_toy: Whether it is drawn at the size of `--smoke`.

    Raises:
        DataError: They are missing, of no known layout, or nothing can be learned from them.
    """
    if data_dir is None:
        drawn = SAMPLES[sample]
        size = drawn.size(is_toy)
        return Looks(
            drawn.title,
            image_size or drawn.image_size,
            drawn.class_names,
            drawn.labels_of(size.train),
            drawn.labels_of(size.evaluation),
            is_sample=True,
        )
    layout = find_layout(data_dir, seed, EVALUATION_SHARE)
    if isinstance(layout, FileLayout):
        own = layout.native_size
        parts = ([file.label for file in part] for part in (layout.train, layout.evaluation))
        train, evaluation = (np.array(labels, np.int32) for labels in parts)
    else:
        own = int(layout.train.images.shape[1])
        train, evaluation = layout.train.labels, layout.evaluation.labels
    check_labels(layout.name, layout.class_names, train, evaluation)
    notes = (*layout.notes, *evaluation_notes(layout.class_names, evaluation))
    names = layout.class_names
    return Looks(layout.name, image_size or own, names, train, evaluation, notes=notes)


def check_searchable(looks: Looks) -> None:
    """Refuses classes with too few images for a search, before anything is decoded or measured.

    Args:
        looks: Whose training images a search divides once more.

    Raises:
        DataError: A class has one training image.
    """
    counts = np.bincount(looks.train_labels, minlength=looks.num_classes)
    few = [name for name, count in zip(looks.class_names, counts, strict=True) if count < 2]
    if few:
        raise DataError(
            "two training images or more of every class, as a search holds a share of them out",
            # What was left out tells why there are so few.
            "\n  ".join([f"1 of {', '.join(few[:5])} in {looks.name}.", *looks.notes]),
            "add images, or remove the folders of these classes",
        )
