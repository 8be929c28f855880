"""The images of a run: those that were asked for, and those that were found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from nas.data import Dataset
from nas.data.load import refuse_sample
from nas.data.preparation import Preparation, Resize
from nas.data.samples import LETTERS, SAMPLES
from nas.errors import InputError

# Options that say how files of images are read.
OF_FILES = ("skip_bad_images", "resize", "verify_data")


@dataclass(frozen=True)
class DataSource:
    """The images that were asked for.

    Args:
        kind: `sample` is an embedded one, `files` are at a path, `memory` are arrays that a
            program handed over and must hand over again to go on.
        path: Absolute path of the folder or .npz file; None unless `kind` is `files`. Earlier
            versions kept it as it was written.
        image_size: Height and width in pixels; None for the images' own.
        skip_bad_images: Go on without files that cannot be decoded.
        resize: What becomes of images that are not square: `squeeze` changes their proportions,
            `crop` keeps the square in their middle, `pad` adds white borders.
        verify_data: Whether the contents of all files were compared with those that were decoded.
        sample: Name of the embedded sample; None for `letters`, and unless `kind` is `sample`.

    Raises:
        InputError: A path without files, or the reverse; an unknown sample, or one beside others.
    """

    kind: Literal["sample", "files", "memory"] = "sample"
    path: str | None = None
    image_size: int | None = None
    skip_bad_images: bool = False
    resize: Resize = "squeeze"
    verify_data: bool = False
    sample: str | None = None

    def __post_init__(self) -> None:
        if (self.kind == "files") != (self.path is not None):
            raise InputError(
                "a path of images that are files, and of no others",
                f"{self.kind} and {self.path!r}",
                "give the path, or leave it out",
            )
        if self.sample is not None:
            SAMPLES.check(self.sample)
            if self.kind != "sample":
                refuse_sample(str(self.path or "images in memory"), self.sample)

    @property
    def is_named(self) -> bool:
        """Whether somebody said which images, so that they are not just the usual ones."""
        return self.path is not None or self.sample is not None

    @property
    def drawn(self) -> str | None:
        """Name of the embedded sample; None for images of a user's own."""
        return (self.sample or LETTERS) if self.kind == "sample" else None


@dataclass(frozen=True)
class DataRecord:
    """The images that were found: data.json.

    Args:
        name: For people.
        is_sample: Whether they are an embedded sample.
        fingerprint: 16 hex digits over labels and pixels of every image; in files of earlier
            versions over those of at most 1000.
        image_size: Height and width in pixels.
        train_images: Number of images to learn from.
        evaluation_images: Number of images to report on.
        class_names: Position is the class index.
        notes: What a user should know, such as skipped images.
        preparation: How later images become arrays like these; None where nobody knows.
    """

    FILE: ClassVar[str] = "data.json"
    SCHEMA_VERSION: ClassVar[int] = 1

    name: str
    is_sample: bool
    fingerprint: str
    image_size: int
    train_images: int
    evaluation_images: int
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    preparation: Preparation | None = None

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @classmethod
    def of(cls, dataset: Dataset) -> DataRecord:
        """What is kept of a data set."""
        return cls(
            name=dataset.name,
            is_sample=dataset.is_sample,
            fingerprint=dataset.fingerprint,
            image_size=dataset.image_size,
            train_images=len(dataset.train.labels),
            evaluation_images=len(dataset.evaluation.labels),
            class_names=tuple(dataset.class_names),
            notes=tuple(dataset.notes),
            preparation=dataset.preparation,
        )

    @property
    def summary(self) -> str:
        """What they are, on one line."""
        return (
            f"{self.num_classes} classes ({_some(self.class_names)}), {self.train_images} training "
            f"and {self.evaluation_images} evaluation images of {self.image_size} px "
            f"(fingerprint {self.fingerprint})"
        )

    def check_same(self, dataset: Dataset, owner: str, fix: str) -> None:
        """Refuses other images than these.

        Args:
            dataset: The images that are to be used.
            owner: Whose these are, for the message.
            fix: What to do about it.

        Raises:
            InputError: Image size, classes, their order, counts or contents differ.
        """
        found = DataRecord.of(dataset)
        if dataset.has_fingerprint(self.fingerprint):
            found = replace(found, fingerprint=self.fingerprint)  # perhaps an earlier version's
        differences = self.differences(found)
        if differences:
            raise InputError(
                f"the images that {owner}: {self.summary}",
                f"{found.name}, with {'; '.join(differences)} (fingerprint {found.fingerprint})",
                fix,
            )

    def differences(self, found: DataRecord) -> list[str]:
        """In which ways other images are not these, in words; empty where they are the same.

        Args:
            found: The other images.
        """
        differences = class_differences(self.class_names, found.class_names)
        for one, other, what in (
            (self.image_size, found.image_size, "px"),
            (self.train_images, found.train_images, "training images"),
            (self.evaluation_images, found.evaluation_images, "evaluation images"),
        ):
            if one != other:
                differences.append(f"{other} {what} instead of {one}")
        if not differences and self.fingerprint != found.fingerprint:
            differences.append("other pixels or labels, or another division of the same images")
        return differences


def class_differences(own: Sequence[str], found: Sequence[str]) -> list[str]:
    """In which ways classes differ from others, in words; empty where they are the same.

    Args:
        own: As they should be, by their index.
        found: As they are.
    """
    differences = []
    missing = [name for name in own if name not in set(found)]
    new = [name for name in found if name not in set(own)]
    if missing:
        differences.append(f"no class {_some(missing)}")
    if new:
        differences.append(f"a new class {_some(new)}")
    if differences or list(own) == list(found):
        return differences
    if len(own) != len(found):  # one name stands for several classes
        return [f"{len(found)} classes instead of {len(own)}"]
    index = next(i for i in range(len(own)) if own[i] != found[i])
    return [
        f"the classes in another order: number {index} is {found[index]} instead of {own[index]}"
    ]


def _some(names: Sequence[str], most: int = 5) -> str:
    """Names on one line, the first of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
