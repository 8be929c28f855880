"""`--data_dir` -> a data set, through the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from latency.device.cache_folder import cache_folder
from nas.data import sample
from nas.data.cache import cached_arrays, decode_split, files_key, write_split
from nas.data.dataset import Dataset, Split, check_labels, checked, content_fingerprint
from nas.data.layouts.arrays import array_layout, array_split
from nas.data.layouts.find import find_layout
from nas.data.layouts.layout import ArrayLayout, FileLayout
from nas.system.console import bar


def _take_any(class_names: tuple[str, ...]) -> None:
    """Takes whatever classes there are."""


def load_dataset(
    data_dir: str | Path | None,
    *,
    image_size: int | None = None,
    skip_bad_images: bool = False,
    cache_dir: Path | None = None,
    seed: int = 0,
    evaluation_fraction: float = 0.1,
    sample_size: sample.SampleSize = sample.DEFAULT,
    check_classes: Callable[[tuple[str, ...]], None] = _take_any,
) -> Dataset:
    """Reads images of any known layout, decoding files once into a cache.

    Args:
        data_dir: Folder or .npz file; None for the embedded sample.
        image_size: Height and width in pixels; None for the images' own.
        skip_bad_images: Go on without files that cannot be decoded.
        cache_dir: Where arrays are kept; see `latency.device.cache_folder` for the default.
        seed: Of the division where the layout has none. The sample is always the same.
        evaluation_fraction: Share that such a division holds out.
        sample_size: Images that are drawn where there is no `data_dir`.
        check_classes: Told the class names before anything is decoded; it may refuse them.

    Raises:
        DataError: Missing, broken or unknown images; see `nas.data.layouts.layout.looked_for`.
    """
    folder = cache_folder() if cache_dir is None else Path(cache_dir)
    if data_dir is None:
        return _sample(folder, image_size or sample.IMAGE_SIZE, sample_size)
    layout = find_layout(Path(data_dir).expanduser().absolute(), seed, evaluation_fraction)
    check_classes(layout.class_names)
    if isinstance(layout, ArrayLayout):
        return _of_arrays(layout, image_size)
    return _from_files(layout, image_size or layout.native_size, skip_bad_images, folder)


def from_arrays(
    x_train: np.ndarray,
    y_train: np.ndarray,
    x_test: np.ndarray,
    y_test: np.ndarray,
    class_names: Sequence[str] | None = None,
    *,
    name: str = "arrays",
    image_size: int | None = None,
) -> Dataset:
    """A data set from arrays in memory, for programs that have their images already.

    Args:
        x_train: Images to learn from, (n, size, size) or (n, size, size, 1 or 3), uint8 from 0 to
            255; grey images become RGB.
        y_train: Their classes, (n,) or (n, 1) whole numbers from 0.
        x_test: Images to report on, likewise.
        y_test: Their classes.
        class_names: Position is the class index; None names each class by its index.
        name: For people.
        image_size: Height and width in pixels; None for the images' own.

    Raises:
        DataError: Arrays of another shape, type or number, or classes without training images.
    """
    train = array_split("x_train and y_train", np.asarray(x_train), np.asarray(y_train))
    evaluation = array_split("x_test and y_test", np.asarray(x_test), np.asarray(y_test))
    return _of_arrays(array_layout(name, name, train, evaluation, class_names), image_size)


def _sample(folder: Path, image_size: int, size: sample.SampleSize) -> Dataset:
    settings = {"sample": 3, "size": [size.train, size.evaluation], "pixels": image_size}

    def make(target: Path) -> dict[str, Any]:
        counts = {"train": (size.train, 0), "evaluation": (size.evaluation, 1)}
        with bar("Drawing the sample") as progress:
            for done, (name, (count, seed)) in enumerate(counts.items()):
                progress.update(done, len(counts))
                write_split(target, name, *sample.draw(count, seed, image_size))
        return {"splits": list(counts)}

    splits, _ = cached_arrays(folder, files_key({}, settings), make)
    return _finished("embedded sample", splits, sample.CLASS_NAMES, image_size, True, ())


def _from_files(layout: FileLayout, image_size: int, skip_bad: bool, folder: Path) -> Dataset:
    files = {"train": layout.train, "evaluation": layout.evaluation}
    # Before the minutes of decoding; what skipped images leave is checked again at the end.
    train, evaluation = (np.array([f.label for f in part], np.int32) for part in files.values())
    check_labels(layout.name, layout.class_names, train, evaluation)
    key = files_key(files, {"pixels": image_size, "skip_bad": skip_bad})

    def make(target: Path) -> dict[str, Any]:
        bad: list[str] = []
        for name, members in files.items():
            with bar(f"Decoding {len(members)} {name} images") as progress:
                bad += decode_split(
                    target, name, members, image_size, skip_bad, _reporter(progress)
                )
        return {"splits": list(files), "bad": bad}

    splits, meta = cached_arrays(folder, key, make)
    notes = list(layout.notes)
    if meta["bad"]:
        some = ", ".join(meta["bad"][:3])
        notes.append(f"{len(meta['bad'])} bad images were skipped: {some} ...")
    return _finished(layout.name, splits, layout.class_names, image_size, False, tuple(notes))


def _reporter(progress: Any) -> Callable[[int, int], None]:
    return lambda done, total: progress.update(done, total)


def _of_arrays(layout: ArrayLayout, image_size: int | None) -> Dataset:
    size = image_size or layout.train.images.shape[1]
    splits = {
        name: Split(_resized(split.images, size), split.labels)
        for name, split in (("train", layout.train), ("evaluation", layout.evaluation))
    }
    return _finished(layout.name, splits, layout.class_names, size, False, layout.notes)


def _resized(images: np.ndarray, size: int) -> np.ndarray:
    if images.shape[1:3] == (size, size):
        return images
    filter_ = Image.Resampling.BICUBIC
    return np.stack(
        [np.asarray(Image.fromarray(image).resize((size, size), filter_)) for image in images]
    )


def _finished(
    name: str,
    splits: dict[str, Split],
    class_names: tuple[str, ...],
    image_size: int,
    is_sample: bool,
    notes: tuple[str, ...],
) -> Dataset:
    train, evaluation = splits["train"], splits["evaluation"]
    return checked(
        Dataset(
            name,
            train,
            evaluation,
            class_names,
            image_size,
            content_fingerprint(train, evaluation),
            is_sample,
            notes,
        )
    )
