"""Input that cannot be used: each error has three parts and nothing is left behind."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.data import DataError, load_dataset
from nas.data.decoding import decode_image
from nas.data.preparation import Preparation
from tests.support.image_folders import assert_three_parts, write_folders


def write_npz(path: Path, **change: np.ndarray) -> Path:
    images = np.random.default_rng(0).integers(0, 255, (20, 8, 8, 3), np.uint8)
    arrays = {"images": images, "labels": np.arange(20) % 2, **change}
    np.savez(path, allow_pickle=False, **arrays)
    return path


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-300])


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[200:260] = b"\xff" * 60
    path.write_bytes(bytes(data))


def unname(path: Path) -> None:
    with path.open("wb") as stream:
        np.save(stream, np.zeros((4, 8, 8, 3), np.uint8))


def claim_too_much(path: Path) -> None:
    """An array whose header asks for more memory than there is."""
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (9000000, 9000, 9000, 3), }"
    header += b" " * (127 - 10 - len(header)) + b"\n"
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", array)
        archive.writestr("labels.npy", array)


@pytest.mark.parametrize("break_file", [truncate, damage, unname, claim_too_much])
def test_broken_npz_is_named(tmp_path: Path, break_file: Callable[[Path], None]) -> None:
    path = write_npz(tmp_path / "a.npz")
    break_file(path)
    with pytest.raises(DataError) as error:
        load_dataset(path, cache_dir=tmp_path / "cache")
    assert_three_parts(error, "a.npz")


@pytest.mark.parametrize(
    "labels, text",
    [
        (np.array(3), "one an image"),
        (np.arange(20) - 1, "whole numbers from 0"),
        (np.where(np.arange(20) < 10, 0, 18), "below 18"),
        (np.where(np.arange(20) < 10, 0, 2**32), "whole numbers from 0"),
    ],
)
def test_labels_that_are_no_class_index(tmp_path: Path, labels: np.ndarray, text: str) -> None:
    path = write_npz(tmp_path / "a.npz", labels=labels)
    with pytest.raises(DataError) as error:
        load_dataset(path, cache_dir=tmp_path / "cache")
    assert_three_parts(error, text)


def test_arrays_without_images(tmp_path: Path) -> None:
    path = write_npz(
        tmp_path / "a.npz", images=np.zeros((0, 8, 8, 3), np.uint8), labels=np.zeros(0, np.int32)
    )
    with pytest.raises(DataError) as error:
        load_dataset(path, cache_dir=tmp_path / "cache")
    assert_three_parts(error, "one an image")


def test_arrays_of_two_sizes(tmp_path: Path) -> None:
    images, labels = np.zeros((4, 8, 8, 3), np.uint8), np.arange(4) % 2
    path = tmp_path / "a.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images[:, :6, :6], y_test=labels)
    with pytest.raises(DataError) as error:
        load_dataset(path, cache_dir=tmp_path / "cache")
    assert_three_parts(error, "8 and 6 pixels")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, np.int8])
@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("suffix", ["val", "test"])
def test_arrays_of_both_parts(
    tmp_path: Path, dtype: type[np.integer], column: bool, suffix: str
) -> None:
    images = np.random.default_rng(0).integers(0, 255, (6, 8, 8, 1), np.uint8)
    labels = np.array([2, 0, 1, 1, 0, 2], dtype)
    path = tmp_path / "a.npz"
    stored = labels[:, None] if column else labels
    held = {f"x_{suffix}": images[:3], f"y_{suffix}": labels[:3]}
    np.savez(path, allow_pickle=False, x_train=images, y_train=stored, **held)
    data = load_dataset(path, cache_dir=tmp_path / "cache")
    assert data.train.labels.tolist() == [2, 0, 1, 1, 0, 2]
    assert data.evaluation.labels.tolist() == [2, 0, 1]
    assert data.train.images.shape == (6, 8, 8, 3)
    assert np.array_equal(data.train.images[..., 2], images[..., 0])


def test_cifar10_label_without_a_class(tmp_path: Path) -> None:
    records = np.zeros((20, 3073), np.uint8)
    records[:, 0] = np.arange(20) % 10
    (tmp_path / "data_batch_1.bin").write_bytes(records.tobytes())
    records[4, 0] = 77
    (tmp_path / "test_batch.bin").write_bytes(records.tobytes())
    with pytest.raises(DataError) as error:
        load_dataset(tmp_path, cache_dir=tmp_path / "cache")
    assert_three_parts(error, "77 in CIFAR-10")


def test_cifar10_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("data_batch_1.bin", "test_batch.bin"):
        (tmp_path / name).write_bytes(bytes(3073 * 10))

    def refuse(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(np, "fromfile", refuse)
    with pytest.raises(DataError) as error:
        load_dataset(tmp_path, cache_dir=tmp_path / "cache")
    assert_three_parts(error, "data_batch_1.bin")


def test_one_class_is_refused_before_decoding(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "data", ("a",))
    with pytest.raises(DataError) as error:
        load_dataset(root, cache_dir=tmp_path / "cache")
    assert_three_parts(error, "two classes")
    assert not list((tmp_path / "cache").rglob("*")), "nothing may be left of a refused data set"


def test_class_whose_images_are_all_bad(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "data", ("a", "b", "c"))
    for path in (root / "b").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(DataError) as error:
        load_dataset(root, cache_dir=tmp_path / "cache", skip_bad_images=True)
    assert_three_parts(error, "none of b")
    assert "4 bad images were skipped: b/" in error.value.received


def test_all_images_are_bad(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "data", ("a", "b", "c"))
    for path in root.rglob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(DataError) as error:
        load_dataset(root, cache_dir=tmp_path / "cache", skip_bad_images=True)
    assert_three_parts(error, "12 bad images were skipped")


def test_class_list_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "wnids.txt").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataError) as error:
        load_dataset(tmp_path, cache_dir=tmp_path / "cache")
    assert_three_parts(error, "wnids.txt")


def test_hidden_files_are_no_images(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "data")
    (root / "a" / "._0.png").write_bytes(b"\x00\x05\x16\x07")  # what archives from Macs hold
    data = load_dataset(root, cache_dir=tmp_path / "cache")
    assert len(data.train.labels) + len(data.evaluation.labels) == 8


def test_truncated_jpeg_is_bad(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError) as error:
        decode_image(path, Preparation(64))
    assert_three_parts(error, "--skip_bad_images")
    assert "a.jpg" in str(error.value)


@pytest.mark.parametrize(
    ("images", "fix"),
    [
        (np.zeros((20, 8, 9, 3), np.uint8), "crop or pad them to squares"),
        (np.zeros((20, 8, 9), np.uint8), "crop or pad them to squares"),
        (np.zeros((20, 3, 8, 8), np.uint8), "numpy.moveaxis(images, 1, 3)"),
        (np.zeros((20, 1, 8, 8), np.float32), "numpy.moveaxis(images, 1, 3)"),
        (np.zeros((20, 3, 8, 9), np.uint8), "numpy.moveaxis(images, 1, 3), and crop or pad"),
        (np.zeros((8, 8, 3, 20), np.uint8), "numpy.moveaxis(images, 3, 0)"),
        (np.zeros((20, 8, 8, 4), np.uint8), "compose the alpha channel"),
        (np.zeros((20, 192), np.uint8), "images.reshape(n, size, size, channels)"),
        (np.zeros((20, 0, 0, 3), np.uint8), "crop or pad"),
        (np.full((20, 8, 8, 3), 0.5), "(images * 255).round().astype(numpy.uint8)"),
        (np.full((20, 8, 8, 3), 200.0), "images.round().astype(numpy.uint8)"),
        (np.full((20, 8, 8, 3), 200, np.int64), "images.round().astype(numpy.uint8)"),
        (np.full((20, 8, 8, 3), 4095, np.uint16), "which go from 4095 to 4095, to 0 to 255"),
        (np.full((20, 8, 8, 3), -1.0), "which go from -1.0 to -1.0, to 0 to 255"),
        (np.full((20, 8, 8, 3), np.nan), "which go from nan to nan"),
        (np.zeros((20, 8, 8, 3), bool), "images.astype(numpy.uint8) * 255"),
    ],
)
def test_arrays_of_another_form_are_refused_with_what_mends_them(
    tmp_path: Path, images: np.ndarray, fix: str
) -> None:
    path = write_npz(tmp_path / "a.npz", images=images)
    with pytest.raises(DataError) as error:
        load_dataset(path, cache_dir=tmp_path / "cache")
    assert_three_parts(error, "a.npz")
    assert fix in error.value.fix


@pytest.mark.parametrize(
    ("images", "fix"),
    [
        (np.random.default_rng(0).integers(0, 255, (20, 3, 8, 8), np.uint8), "numpy.moveaxis"),
        (np.random.default_rng(0).random((20, 8, 8, 3)), "images * 255"),
    ],
)
def test_what_mends_arrays_does(tmp_path: Path, images: np.ndarray, fix: str) -> None:
    with pytest.raises(DataError) as error:
        load_dataset(write_npz(tmp_path / "a.npz", images=images), cache_dir=tmp_path / "cache")
    assert fix in error.value.fix
    usual = np.moveaxis(images, 1, 3) if images.ndim == 4 and images.shape[1] == 3 else images
    mended = usual if usual.dtype == np.uint8 else (usual * 255).round().astype(np.uint8)
    data = load_dataset(write_npz(tmp_path / "a.npz", images=mended), cache_dir=tmp_path / "cache")
    assert data.image_size == 8
