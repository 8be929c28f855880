"""Data that is not what it was: contents behind the cache, fingerprints, and copies of images."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.data import DataError, Dataset, from_arrays, load_dataset, sources, split_decoding
from nas.data.dataset import selection_fingerprint
from nas.data.decoding import Decoded, decode
from nas.data.preparation import Preparation

SIZE = 8
CLASSES = ("a", "b", "c")


def write_image(path: Path, seed: int) -> None:
    """An uncompressed image: all have one size in bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three classes of twelve images, and three of each to evaluate on."""
    for part, count in (("train", 12), ("val", 3)):
        for label, name in enumerate(CLASSES):
            for i in range(count):
                write_image(tmp_path / "data" / part / name / f"{i}.bmp", 100 * label + i + count)
    return tmp_path / "data"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files that were decoded, in any order."""
    seen: list[Path] = []

    def counted(data: bytes, preparation: Preparation, path: Path) -> Decoded:
        seen.append(path)
        return decode(data, preparation, path)

    monkeypatch.setattr(split_decoding, "decode", counted)
    return seen


@pytest.fixture
def load(root: Path, tmp_path: Path) -> Callable[..., Dataset]:
    def loaded(**options: bool) -> Dataset:
        return load_dataset(root, cache_dir=tmp_path / "cache", **options)  # type: ignore[arg-type]

    return loaded


def overwrite(path: Path, seed: int) -> None:
    """Other contents of the same size, with the same modification time, in the same inode."""
    times = path.stat()
    other = path.with_suffix(".new.bmp")
    write_image(other, seed)
    path.write_bytes(other.read_bytes())
    other.unlink()
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_size == times.st_size and path.stat().st_ino == times.st_ino
    assert path.stat().st_mtime_ns == times.st_mtime_ns


def replace(path: Path, seed: int) -> None:
    """The same, as a new file in the place of the old one."""
    times = path.stat()
    other = path.parent / "other.tmp"
    write_image(other.with_suffix(".bmp"), seed)
    os.utime(other.with_suffix(".bmp"), ns=(times.st_atime_ns, times.st_mtime_ns))
    os.replace(other.with_suffix(".bmp"), path)


@pytest.mark.parametrize("change", [overwrite, replace])
@pytest.mark.parametrize("verify", [False, True])
def test_a_class_of_other_files_of_the_same_size_and_times_is_decoded_again(
    root: Path, load: Callable[..., Dataset], change: Callable[[Path, int], None], verify: bool
) -> None:
    first = load()
    before = first.train.images[first.train.labels == 1].copy()
    for number, path in enumerate(sorted((root / "train" / "b").iterdir())):
        change(path, 9000 + number)
    again = load(verify_data=verify)
    assert again.fingerprint != first.fingerprint
    assert not (again.train.images[again.train.labels == 1] == before).all()


@pytest.mark.parametrize("change", [overwrite, replace])
def test_one_other_image_is_noticed(
    root: Path, load: Callable[..., Dataset], change: Callable[[Path, int], None]
) -> None:
    first = load()
    change(root / "train" / "b" / "7.bmp", 9000)
    again = load()
    rows = np.flatnonzero((again.train.images != first.train.images).any(axis=(1, 2, 3)))
    names = sorted(p.name for p in (root / "train" / "b").iterdir())
    assert rows.tolist() == [12 + names.index("7.bmp")]
    assert again.fingerprint != first.fingerprint


def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that tells neither change times nor inodes."""
    look = sources._look
    monkeypatch.setattr(sources, "_look", lambda *asked: (*look(*asked)[:2], 0, 0))


def test_where_the_disk_tells_nothing_a_sample_of_every_class_is_read(
    root: Path, load: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    blind(monkeypatch)
    monkeypatch.setattr(sources, "SAMPLED", 1)
    first = load()
    for number, path in enumerate(sorted((root / "train" / "b").iterdir())):
        overwrite(path, 9000 + number)
    assert load().fingerprint != first.fingerprint


def test_verifying_reads_all_contents(
    root: Path, load: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    blind(monkeypatch)
    monkeypatch.setattr(sources, "SAMPLED", 1)
    first = load()
    overwrite(root / "train" / "b" / "7.bmp", 9000)
    assert load().fingerprint == first.fingerprint, "else the sample alone sees this"
    monkeypatch.setattr(sources, "MANY", 10)  # with a bar
    verified = load(verify_data=True)
    assert verified.fingerprint != first.fingerprint
    assert "The contents of all 45 files are those decoded." in verified.notes


def test_verifying_finds_pixels_that_the_disk_has_changed(
    load: Callable[..., Dataset], tmp_path: Path
) -> None:
    first = np.array(load().train.images)
    (array,) = tmp_path.rglob("train_images.npy")
    data = bytearray(array.read_bytes())
    data[-1] ^= 1
    array.write_bytes(data)
    assert not np.array_equal(load().train.images, first), "else nothing was damaged"
    assert np.array_equal(load(verify_data=True).train.images, first)


def test_files_are_decoded_once(load: Callable[..., Dataset], decoded: list[Path]) -> None:
    first = load()
    assert len(decoded) == 45
    assert load().fingerprint == load(verify_data=True).fingerprint == first.fingerprint
    assert len(decoded) == 45


def test_touched_and_copied_files_are_read_and_not_decoded_again(
    root: Path, load: Callable[..., Dataset], decoded: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load()
    kept = root.with_name("kept")
    root.rename(kept)
    shutil.copytree(kept, root)
    for path in root.rglob("*.bmp"):
        os.utime(path, (1, 1))
    assert load().fingerprint == first.fingerprint and len(decoded) == 45
    read: list[Path] = []
    hashed = sources.file_sha256

    def counted(path: Path) -> bytes:
        read.append(path)
        return hashed(path)

    monkeypatch.setattr(sources, "file_sha256", counted)
    load()
    assert len(read) < 45, "how they look now is written down"


def test_a_repaired_image_is_no_longer_left_out(
    root: Path, load: Callable[..., Dataset], tmp_path: Path
) -> None:
    path = root / "train" / "a" / "3.bmp"
    whole = path.read_bytes()
    path.write_bytes(b"x" * len(whole))
    assert len(load(skip_bad_images=True).train.labels) == 35
    path.write_bytes(whole)
    assert len(load(skip_bad_images=True).train.labels) == 36


def test_arrays_that_somebody_has_open_outlive_a_change_of_files(
    root: Path, load: Callable[..., Dataset]
) -> None:
    first = load()
    before = np.array(first.train.images)
    overwrite(root / "train" / "b" / "7.bmp", 9000)
    load()
    assert np.array_equal(first.train.images, before)


def test_the_disk_of_somebody_else_is_only_read(
    root: Path, load: Callable[..., Dataset], decoded: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load()
    for path in root.rglob("*.bmp"):
        os.utime(path, (1, 1))

    def refuse(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sources, "write_array", refuse)
    assert load().fingerprint == first.fingerprint and len(decoded) == 45


def test_a_name_that_is_no_text_is_a_name(tmp_path: Path) -> None:
    for name in CLASSES:
        for number in range(2):
            write_image(tmp_path / "data" / name / f"{number}.bmp", number)
    odd = os.fsdecode(b"\xff\xfe.bmp")
    (tmp_path / "data" / "a" / odd).write_bytes(b"text")
    with pytest.raises(DataError) as error:
        load_dataset(tmp_path / "data", cache_dir=tmp_path / "cache")
    assert r"a/\xff\xfe.bmp: no image" in error.value.received
    data = load_dataset(tmp_path / "data", cache_dir=tmp_path / "cache", skip_bad_images=True)
    (note,) = (note for note in data.notes if "skipped" in note)
    assert r"a/\xff\xfe.bmp: no image" in note


# Fingerprints.


def arrays(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 4, 4, 3), np.uint8)
    return images, np.arange(count) % 2


def test_every_image_of_every_part_is_in_the_fingerprint() -> None:
    images, labels = arrays(1200)
    held, held_labels = arrays(40)
    usual = from_arrays(images, labels, held, held_labels).fingerprint
    prints = {usual}
    for part in range(3):
        changed, changed_held = images.copy(), held.copy()
        if part == 0:
            changed[1::2, 0, 0, 0] ^= 1  # every second image; a selection of every second is blind
        elif part == 1:
            changed[777, 3, 3, 2] ^= 1
        else:
            changed_held[-1, 3, 3, 2] ^= 1
        prints.add(from_arrays(changed, labels, changed_held, held_labels).fingerprint)
    other_labels = labels.copy()
    other_labels[[10, 11]] = other_labels[[11, 10]]
    prints.add(from_arrays(images, other_labels, held, held_labels).fingerprint)
    assert len(prints) == 5


def test_fingerprints_of_earlier_versions_are_known() -> None:
    """A run of an earlier version goes on where its images are the same."""
    images, labels = arrays(40)
    data = from_arrays(images, labels, images[:4], labels[:4])
    earlier = selection_fingerprint(data.train, data.evaluation)
    # What the version before gave for these arrays.
    assert earlier == "ec66e306328d737a" != data.fingerprint
    assert data.has_fingerprint(earlier) and data.has_fingerprint(data.fingerprint)
    assert not data.has_fingerprint("0" * 16)


# Copies.


def warnings_of(data: Dataset) -> list[str]:
    return [note for note in data.notes if note.startswith("Warning")]


def test_copies_between_training_and_evaluation_are_counted_and_named(
    root: Path, load: Callable[..., Dataset]
) -> None:
    assert not warnings_of(load())
    for name in CLASSES:
        for i in range(3):
            shutil.copy(root / "train" / name / f"{i}.bmp", root / "val" / name / f"{i}.bmp")
    (text,) = warnings_of(load())
    assert "exact duplicates of training images among the evaluation images: 9 of 9 (" in text
    assert f"{Path('val/a/0.bmp')} is {Path('train/a/0.bmp')}" in text


def test_a_copy_in_another_format_is_a_copy(root: Path, load: Callable[..., Dataset]) -> None:
    with Image.open(root / "train" / "a" / "5.bmp") as image:
        image.save(root / "val" / "b" / "copy.png")
    (text,) = warnings_of(load())
    assert "evaluation images: 1 of 10, 1 of them of another class (" in text
    assert "val/b/copy.png is train/a/5.bmp" in text


def test_training_images_of_two_classes_at_once_are_named(
    root: Path, load: Callable[..., Dataset]
) -> None:
    shutil.copy(root / "train" / "a" / "5.bmp", root / "train" / "c" / "copy.bmp")
    (text,) = warnings_of(load())
    assert "in different classes among the training images: 2 (" in text
    assert "train/a/5.bmp (a) is train/c/copy.bmp (c)" in text


def test_copies_within_a_class_are_nothing_to_warn_of(
    root: Path, load: Callable[..., Dataset]
) -> None:
    shutil.copy(root / "train" / "a" / "5.bmp", root / "train" / "a" / "copy.bmp")
    assert not warnings_of(load())


def test_names_are_right_where_bad_images_were_left_out(
    root: Path, load: Callable[..., Dataset]
) -> None:
    (root / "train" / "a" / "0.bmp").write_bytes(b"broken")
    shutil.copy(root / "train" / "a" / "5.bmp", root / "val" / "a" / "copy.bmp")
    (text,) = warnings_of(load(skip_bad_images=True))
    assert "val/a/copy.bmp is train/a/5.bmp" in text


def test_copies_in_arrays_are_named_by_their_rows() -> None:
    images, labels = arrays(40)
    data = from_arrays(images, labels, images[[7, 9]], labels[[7, 9]])
    (text,) = warnings_of(data)
    assert "2 of 2 (" in text
    assert "evaluation image 0 is training image 7" in text
