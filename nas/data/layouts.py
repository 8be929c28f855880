"""Finds the layout of a folder of images and lists its files.

Class indices: Tiny-ImageNet by line number in `wnids.txt`; folders by sorted name; CIFAR-10
and arrays by the label that is stored.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nas.data.cache import ImageFile
from nas.data.dataset import DataError, Split, split_holdout

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm"}
EVALUATION_FOLDERS = ("val", "validation", "test", "eval")
LOOKED_FOR = (
    "wnids.txt (Tiny-ImageNet), data_batch_1.bin (CIFAR-10 binary), one .npz file, "
    "train/<class>/ with val/ or test/<class>/, or <class>/ folders with images"
)


@dataclass(frozen=True)
class FileLayout:
    """Image files of both splits."""

    name: str
    train: list[ImageFile]
    evaluation: list[ImageFile]
    class_names: tuple[str, ...]
    native_size: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ArrayLayout:
    """Images that are arrays already."""

    name: str
    train: Split
    evaluation: Split
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def find_layout(folder: Path, seed: int, evaluation_fraction: float) -> FileLayout | ArrayLayout:
    """Recognises what `--data_dir` holds.

    Raises:
        DataError: Nothing there, or nothing that is known.
    """
    if not folder.exists():
        raise DataError("a folder of images", f"{folder}, which does not exist", "check --data_dir")
    if folder.is_file():
        if folder.suffix == ".npz":
            return _npz(folder, seed, evaluation_fraction)
        raise DataError(f"a folder, or an .npz file: {LOOKED_FOR}", f"{folder}", "name its folder")
    if not any(folder.iterdir()):
        raise DataError("a folder of images", f"{folder}, which is empty", "check --data_dir")
    if (folder / "wnids.txt").is_file():
        return _tiny_imagenet(folder)
    if (folder / "data_batch_1.bin").is_file():
        return _cifar10(folder)
    if (folder / "data_batch_1").is_file():
        raise DataError(
            "CIFAR-10 in its binary version (data_batch_1.bin)",
            f"the Python version in {folder}, which is pickled and may run any code",
            "take the archive named cifar-10-binary",
        )
    arrays = sorted(folder.glob("*.npz"))
    if len(arrays) == 1:
        return _npz(arrays[0], seed, evaluation_fraction)
    if (folder / "train").is_dir():
        return _train_folders(folder, seed, evaluation_fraction)
    return _class_folders(folder, seed, evaluation_fraction)


def _tiny_imagenet(folder: Path) -> FileLayout:
    names = tuple(_text(folder / "wnids.txt").split())
    index = {name: i for i, name in enumerate(names)}
    train = [
        ImageFile(path, label)
        for name, label in index.items()
        for path in _images(folder / "train" / name)
    ]
    annotations = folder / "val" / "val_annotations.txt"
    if not train or not annotations.is_file():
        raise DataError(
            "train/<wnid>/images/ and val/val_annotations.txt beside wnids.txt",
            f"{len(train)} training images, "
            f"{'an' if annotations.is_file() else 'no'} annotation file in {folder}",
            "unpack the whole archive",
        )
    evaluation = []
    for line in _text(annotations).splitlines():
        file, _, rest = line.partition("\t")
        wnid = rest.split("\t")[0]
        if wnid not in index:
            raise DataError(
                "classes of wnids.txt in val_annotations.txt", f"{wnid!r}", "unpack it again"
            )
        evaluation.append(ImageFile(folder / "val" / "images" / file, index[wnid]))
    note = "Class index: line number in wnids.txt, from 0."
    return FileLayout("Tiny-ImageNet", train, evaluation, _words(folder, names), 64, (note,))


def _words(folder: Path, wnids: tuple[str, ...]) -> tuple[str, ...]:
    """`wnid words` where words.txt has them, else the wnid."""
    path = folder / "words.txt"
    if not path.is_file():
        return wnids
    pairs = (line.partition("\t") for line in _text(path).splitlines())
    words = {key: value.split(",")[0].strip() for key, _, value in pairs}
    return tuple(f"{w} {words[w]}" if w in words else w for w in wnids)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("text in UTF-8", f"{path}: {error}", "unpack it again") from None


def _images(folder: Path) -> list[Path]:
    """Image files below a folder, sorted, without hidden ones (archives from Macs hold `._x`)."""
    if not folder.is_dir():
        return []
    return sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")
    )


def _class_dirs(folder: Path) -> list[Path]:
    return sorted(d for d in folder.iterdir() if d.is_dir() and not d.name.startswith("."))


def _train_folders(folder: Path, seed: int, fraction: float) -> FileLayout:
    found = [folder / n for n in EVALUATION_FOLDERS if (folder / n).is_dir()]
    if not found:
        return _class_folders(folder / "train", seed, fraction)
    names = tuple(d.name for d in _class_dirs(folder / "train"))
    unknown = [d.name for d in _class_dirs(found[0]) if d.name not in names]
    if unknown:
        raise DataError(
            f"the classes of {folder / 'train'} in {found[0]}",
            f"{', '.join(unknown[:5])} there alone",
            "rename or remove these folders",
        )
    train, evaluation = (
        [ImageFile(p, i) for i, n in enumerate(names) for p in _images(root / n)]
        for root in (folder / "train", found[0])
    )
    _need_images(folder, train)
    note = f"Class index: sorted folder name. Evaluated on {found[0].name}/."
    return FileLayout(folder.name, train, evaluation, names, _native_size(train), (note,))


def _class_folders(folder: Path, seed: int, fraction: float) -> FileLayout:
    members = {d.name: _images(d) for d in _class_dirs(folder)}
    members = {name: files for name, files in members.items() if files}
    if not members:
        raise DataError(
            f"one of these: {LOOKED_FOR}",
            f"{folder} with {', '.join(sorted(p.name for p in folder.iterdir())[:6])}",
            "put the images into one folder a class",
        )
    rng = np.random.default_rng((seed, 3))
    train: list[ImageFile] = []
    evaluation: list[ImageFile] = []
    for label, (name, files) in enumerate(sorted(members.items())):
        if len(files) < 2:
            raise DataError(
                "two images or more of every class", f"{len(files)} of {name}", "add images"
            )
        held = set(rng.permutation(len(files))[: max(1, round(fraction * len(files)))].tolist())
        for position, path in enumerate(files):
            (evaluation if position in held else train).append(ImageFile(path, label))
    note = (
        f"Class index: sorted folder name. No val/ or test/: {len(evaluation)} images "
        f"({fraction:.0%} of each class, seed {seed}) are held out for evaluation."
    )
    names = tuple(sorted(members))
    return FileLayout(folder.name, train, evaluation, names, _native_size(train), (note,))


def _need_images(folder: Path, files: list[ImageFile]) -> None:
    if not files:
        raise DataError(
            f"images below {folder}/train/<class>/",
            "none",
            f"use one of {', '.join(sorted(IMAGE_SUFFIXES))}",
        )


def _native_size(files: list[ImageFile]) -> int:
    """The images' own size where the first ones are small squares of one size, else 64."""
    from PIL import Image

    sizes = set()
    for file in files[:: max(1, len(files) // 8)][:8]:
        try:
            with Image.open(file.path) as image:
                sizes.add(image.size)
        except OSError:
            continue  # named properly when it is decoded
    if len(sizes) == 1:
        width, height = sizes.pop()
        if width == height and width <= 128:
            return width
    return 64


def _cifar10(folder: Path) -> ArrayLayout:
    files = [folder / f"data_batch_{i}.bin" for i in range(1, 6)]
    present = [f for f in files if f.is_file()]
    if not (folder / "test_batch.bin").is_file():
        raise DataError("test_batch.bin", f"none in {folder}", "unpack the whole archive")
    parts = [_cifar_file(path) for path in present]
    train = Split(
        np.concatenate([p.images for p in parts]), np.concatenate([p.labels for p in parts])
    )
    meta = folder / "batches.meta.txt"
    names = tuple(_text(meta).split()) if meta.is_file() else tuple("0123456789")
    note = f"Class index: the stored label. {len(present)} of 5 training batches."
    return ArrayLayout("CIFAR-10", train, _cifar_file(folder / "test_batch.bin"), names, (note,))


def _cifar_file(path: Path) -> Split:
    """Records of 1 label byte and 3072 pixel bytes, planes of red, green, blue."""
    data = np.fromfile(path, np.uint8)
    if data.size == 0 or data.size % 3073:
        raise DataError("records of 3073 bytes", f"{data.size} bytes in {path}", "unpack it again")
    records = data.reshape(-1, 3073)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return Split(np.ascontiguousarray(images), records[:, 0].astype(np.int32))


def _npz(path: Path, seed: int, fraction: float) -> ArrayLayout:
    wanted = "x_train, y_train, x_test (or x_val), y_test, or images and labels"
    arrays = _read_npz(path, wanted)
    if {"images", "labels"} <= set(arrays):
        whole = _array_split(path, arrays["images"], arrays["labels"])
        large, held = split_holdout(len(whole.labels), whole.labels, fraction, seed)
        splits = [Split(whole.images[part], whole.labels[part]) for part in (large, held)]
    else:
        suffix = "test" if "x_test" in arrays else "val"
        parts = ("x_train", "y_train", f"x_{suffix}", f"y_{suffix}")
        if not set(parts) <= set(arrays):
            raise DataError(wanted, f"{', '.join(arrays) or 'nothing'} in {path}", "rename them")
        splits = [_array_split(path, arrays[parts[i]], arrays[parts[i + 1]]) for i in (0, 2)]
    sizes = [split.images.shape[1] for split in splits]
    if sizes[0] != sizes[1]:
        raise DataError(
            "one image size", f"{sizes[0]} and {sizes[1]} pixels in {path}", "resize one part"
        )
    highest = int(max(split.labels.max() for split in splits))
    if highest >= len(splits[0].labels):  # before a name is made for each
        raise DataError(
            f"class indices below {len(splits[0].labels)}, the number of training images",
            f"{highest} in {path}",
            "number the classes from 0",
        )
    names = tuple(str(v) for v in arrays.get("class_names", range(highest + 1)))
    if len(names) <= highest:
        raise DataError(f"{highest + 1} class_names", f"{len(names)} in {path}", "add names")
    return ArrayLayout(path.stem, splits[0], splits[1], names, ("Class index: stored label.",))


def _read_npz(path: Path, wanted: str) -> dict[str, Any]:
    broken = (OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)
    try:
        with path.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("one array without a name (.npy)")
            return {name: archive[name] for name in archive.files}
    except broken as error:
        raise DataError(
            f"an .npz file with {wanted}", f"{path}: {error}", "write it again"
        ) from None


def _array_split(path: Path, images: np.ndarray, labels: np.ndarray) -> Split:
    one_each = labels.ndim in (1, 2) and labels.size == len(labels) > 0
    whole = labels.dtype.kind in "iu"
    # Beyond int32 an index would turn into another one.
    if not one_each or not whole or (labels < 0).any() or (labels > np.iinfo(np.int32).max).any():
        raise DataError(
            "labels as whole numbers from 0, one an image",
            f"{labels.dtype} of shape {labels.shape} in {path}",
            "store class indices",
        )
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[1] != images.shape[2] or images.shape[3] not in (1, 3):
        raise DataError(
            "images of shape (n, size, size, 1 or 3)", f"{images.shape} in {path}", "reshape them"
        )
    if len(images) != len(labels):
        raise DataError(
            "as many labels as images", f"{len(labels)} and {len(images)} in {path}", "match them"
        )
    if images.dtype != np.uint8:
        raise DataError("uint8 pixels 0 to 255", f"{images.dtype} in {path}", "scale and cast them")
    return Split(
        np.repeat(images, 3, 3) if images.shape[3] == 1 else images,
        labels.reshape(-1).astype(np.int32),
    )
