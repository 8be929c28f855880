"""`--data_dir` -> a data set, through the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from latency.device.cache_folder import cache_folder
from nas.data.cache import ImageFile, cached_arrays, write_split
from nas.data.dataset import DataError, Dataset, Split, check_labels, evaluation_notes
from nas.data.duplicates import Hashed, duplicate_notes, fingerprint, image_digests
from nas.data.layouts.arrays import array_layout, array_split
from nas.data.layouts.find import EVALUATION_SHARE, find_layout
from nas.data.layouts.layout import ArrayLayout, FileLayout
from nas.data.notes import decoding_notes, relative, skipped_note
from nas.data.preparation import Preparation, Resize
from nas.data.samples import LETTERS, SAMPLES
from nas.data.sources import Files, Sources
from nas.data.split_decoding import decode_splits
from nas.system.console import bar

SAMPLE_HOLDS = "an embedded sample, which is drawn"


def _take_any(class_names: tuple[str, ...]) -> None:
    """Takes whatever classes there are."""


def load_dataset(
    data_dir: str | Path | None,
    *,
    image_size: int | None = None,
    resize: Resize = "squeeze",
    skip_bad_images: bool = False,
    verify_data: bool = False,
    cache_dir: Path | None = None,
    seed: int = 0,
    check_classes: Callable[[tuple[str, ...]], None] = _take_any,
) -> Dataset:
    """Reads images of any known layout, decoding files once into a cache.

    Args:
        data_dir: Folder or .npz file; None for the embedded sample `letters`; see `load_sample`.
        image_size: Height and width in pixels; None for the images' own.
        resize: What becomes of files whose images are not square; see `Preparation`.
        skip_bad_images: Go on without files that cannot be decoded.
        verify_data: Compare the contents of all files with those that were decoded, not only of
            a sample and of those that look changed.
        cache_dir: Where arrays are kept; see `latency.device.cache_folder` for the default.
        seed: Of the division where the layout has none. Samples are always the same.
        check_classes: Told the class names before anything is decoded; it may refuse them.

    Raises:
        DataError: Missing, broken or unknown images; see `nas.data.layouts.layout.looked_for`.
            An option of files beside images that are no files.
    """
    folder = cache_folder() if cache_dir is None else Path(cache_dir)
    if data_dir is None:
        refuse_file_options(SAMPLE_HOLDS, resize, skip_bad_images, verify_data)
        return load_sample(image_size, cache_dir=folder)
    layout = find_layout(data_dir, seed, EVALUATION_SHARE)
    check_classes(layout.class_names)
    if isinstance(layout, ArrayLayout):
        # Arrays are read anew at every start: to verify them says nothing more.
        refuse_file_options(f"{data_dir}, which holds arrays", resize, skip_bad_images)
        return _of_arrays(layout, image_size)
    preparation = Preparation(image_size or layout.native_size, resize)
    root = Path(data_dir).expanduser().absolute()
    return _from_files(layout, root, preparation, skip_bad_images, verify_data, folder)


def refuse_sample(data_dir: str, sample: str) -> None:
    """Refuses an embedded sample beside images of a user's own.

    Args:
        data_dir: What was named.
        sample: Likewise.

    Raises:
        DataError: Always.
    """
    raise DataError(
        "either --data_dir or --sample",
        f"both: {data_dir} and the embedded sample {sample!r}",
        "leave one of them out",
    )


def refuse_file_options(
    received: str, resize: Resize, skip_bad_images: bool, verify_data: bool = False
) -> None:
    """Refuses options that apply to files of images alone.

    Args:
        received: What is there in place of files.
        resize: As `load_dataset` takes it; `squeeze` is no wish.
        skip_bad_images: Likewise.
        verify_data: Likewise.

    Raises:
        DataError: One is given.
    """
    options = {
        "resize": resize != "squeeze",
        "skip_bad_images": skip_bad_images,
        "verify_data": verify_data,
    }
    for name, given in options.items():
        if given:
            raise DataError(f"files of images with --{name}", received, f"leave --{name} out")


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


def load_sample(
    image_size: int | None = None,
    *,
    name: str = LETTERS,
    is_toy: bool = False,
    cache_dir: Path | None = None,
) -> Dataset:
    """An embedded sample, drawn once into a cache.

    Args:
        image_size: Height and width in pixels; None for its own.
        name: In `SAMPLES`.
        is_toy: Draw as few images as `--smoke` does.
        cache_dir: Where arrays are kept; see `latency.device.cache_folder` for the default.
    """
    folder = cache_folder() if cache_dir is None else Path(cache_dir)
    drawn = SAMPLES[name]
    size = drawn.size(is_toy)
    pixels = image_size or drawn.image_size
    settings = {"sample": drawn.key, "size": [size.train, size.evaluation], "pixels": pixels}

    def make(target: Path) -> dict[str, Any]:
        counts = {"train": (size.train, 0), "evaluation": (size.evaluation, 1)}
        with bar("Drawing the sample") as progress:
            for done, (part, (count, seed)) in enumerate(counts.items()):
                progress.update(done, len(counts))
                write_split(target, part, *drawn.draw(count, seed, pixels))
        return {"splits": list(counts)}

    key = Sources.of({}).key(settings)
    _, splits, _ = cached_arrays(folder, key, make)
    hashed = [_hashed_arrays(part, split) for part, split in splits.items()]
    return _finished(
        drawn.title, hashed, drawn.class_names, Preparation(pixels), (), is_sample=True
    )


def _from_files(
    layout: FileLayout,
    root: Path,
    preparation: Preparation,
    skip_bad: bool,
    verify: bool,
    folder: Path,
) -> Dataset:
    files: Files = {"train": layout.train, "evaluation": layout.evaluation}
    # Before the minutes of decoding; what skipped images leave is checked again at the end.
    train, evaluation = (np.array([f.label for f in part], np.int32) for part in files.values())
    check_labels(layout.name, layout.class_names, train, evaluation)
    entry, splits, meta = _cached_files(files, root, preparation, skip_bad, verify, folder)
    skipped = (meta["skipped"],) if meta["skipped"] else ()
    verified = f"The contents of all {len(train) + len(evaluation)} files are those decoded."
    notes = (*layout.notes, *skipped, *meta["notes"], *((verified,) if verify else ()))
    hashed = [_hashed_files(entry, name, splits[name], files[name], root) for name in files]
    prepared = replace(preparation, white=meta["white"])
    try:
        return _finished(layout.name, hashed, layout.class_names, prepared, notes)
    except DataError as error:
        # What is missing now was there before bad images were skipped.
        received = ". ".join((error.received, *skipped)).removesuffix(".")
        raise DataError(error.expected, received, error.fix) from None


def _cached_files(
    files: Files, root: Path, preparation: Preparation, skip_bad: bool, verify: bool, folder: Path
) -> tuple[Path, dict[str, Split], dict[str, Any]]:
    """Decoded files: the entry of the cache, its arrays, and what decoding found."""
    sources = Sources.of(files, skip_bad)
    settings = {"preparation": asdict(preparation), "skip_bad": skip_bad}

    def make(target: Path) -> dict[str, Any]:
        splits, white = decode_splits(target, files, preparation, skip_bad)
        sources.keep(target, {split.name: split.sha256 for split in splits})
        return {
            "splits": list(files),
            "white": white,
            "skipped": skipped_note(splits, root),
            "notes": decoding_notes(splits, replace(preparation, white=white), root),
        }

    def is_current(entry: Path) -> bool:
        same = sources.are_those_of(entry, whole=verify)
        there = all(len(_rows(entry, name)) == len(_digests(entry, name)) for name in files)
        whole = not verify or all(_pixels_are_whole(entry, name) for name in files)
        return same and there and whole

    return cached_arrays(folder, sources.key(settings), make, is_current)


def _pixels_are_whole(entry: Path, name: str) -> bool:
    """Whether the pixels in the cache are those that were written."""
    images = np.load(entry / f"{name}_images.npy", mmap_mode="r", allow_pickle=False)
    return np.array_equal(image_digests(images), _digests(entry, name))


def _rows(entry: Path, name: str) -> np.ndarray:
    rows: np.ndarray = np.load(entry / f"{name}_rows.npy", allow_pickle=False)
    return rows


def _digests(entry: Path, name: str) -> np.ndarray:
    digests: np.ndarray = np.load(entry / f"{name}_digests.npy", allow_pickle=False)
    return digests


def _hashed_files(
    entry: Path, name: str, split: Split, files: Sequence[ImageFile], root: Path
) -> Hashed:
    rows = _rows(entry, name)
    return Hashed(split, _digests(entry, name), lambda row: relative(files[rows[row]].path, root))


def _hashed_arrays(name: str, split: Split) -> Hashed:
    return Hashed(split, image_digests(split.images), lambda row: f"{name} image {row}")


def _of_arrays(layout: ArrayLayout, image_size: int | None) -> Dataset:
    size = image_size or layout.train.images.shape[1]
    parts = {"training": layout.train, "evaluation": layout.evaluation}
    hashed = [
        _hashed_arrays(name, Split(_resized(split.images, size), split.labels))
        for name, split in parts.items()
    ]
    return _finished(layout.name, hashed, layout.class_names, Preparation(size), layout.notes)


def _resized(images: np.ndarray, size: int) -> np.ndarray:
    if images.shape[1:3] == (size, size):
        return images
    filter_ = Image.Resampling.BICUBIC
    return np.stack(
        [np.asarray(Image.fromarray(image).resize((size, size), filter_)) for image in images]
    )


def _finished(
    name: str,
    splits: Sequence[Hashed],
    class_names: tuple[str, ...],
    preparation: Preparation,
    notes: tuple[str, ...],
    is_sample: bool = False,
) -> Dataset:
    train, evaluation = splits
    check_labels(name, class_names, train.split.labels, evaluation.split.labels)
    missing = evaluation_notes(class_names, evaluation.split.labels)
    copies = duplicate_notes(train, evaluation, class_names)
    return Dataset(
        name,
        train.split,
        evaluation.split,
        class_names,
        preparation.image_size,
        fingerprint(splits),
        is_sample,
        (*notes, *missing, *copies),
        preparation,
    )
