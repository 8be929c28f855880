"""What people name that is no folder of images: each its own answer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from nas.data import DataError, from_arrays, load_dataset
from nas.data.layouts.find import find_layout
from nas.data.layouts.layout import ArrayLayout
from tests.support.image_folders import PNG, assert_three_parts, plant

Tree = Mapping[str, int | bytes | Path]


def refusal(path: str | Path) -> pytest.ExceptionInfo[DataError]:
    with pytest.raises(DataError) as error:
        find_layout(path, 0, 0.25)
    assert_three_parts(error, Path(path).name)
    return error


@pytest.mark.parametrize(
    ("name", "what", "fix"),
    [
        ("images.zip", "an archive", "unpack"),
        ("images.tar.gz", "an archive", "unpack"),
        ("IMAGES.TAR", "an archive", "unpack"),
        ("train.csv", "a table", "one folder a class"),
        ("coco.json", "a table", "one folder a class"),
        ("data.h5", "arrays", "numpy.savez"),
        ("x_train.npy", "arrays", "numpy.savez"),
        ("data.parquet", "arrays", "numpy.savez"),
        ("train-00000.tfrecord", "records", "numpy.savez"),
        ("data.mdb", "records", "numpy.savez"),
        ("data.pkl", "pickle", "numpy.savez"),
        ("train-images.ubyte", "raw numbers", "numpy.savez"),
        ("model.onnx", "a network", "one folder a class"),
        ("cat.jpg", "one image", "one folder a class"),
        ("film.mp4", "a film", "frames"),
        ("notes.docx", "a file", "--data_dir"),
    ],
)
def test_files_that_are_no_images(tmp_path: Path, name: str, what: str, fix: str) -> None:
    error = refusal(plant(tmp_path, {name: b"x"}) / name)
    assert what in error.value.received and fix in error.value.fix


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/flowers.zip",
        "s3://bucket/flowers",
        "gs://bucket/flowers",
        "HTTP://example.org/a",
        "file:///home/me/flowers",
        "hf://datasets/me/flowers",
    ],
)
def test_addresses_are_told_from_paths(tmp_path: Path, address: str) -> None:
    assert refusal(address).value.received == f"{address}, an address"
    # As it is after somebody made it a whole path, which joins the slashes.
    received = refusal(tmp_path / Path(address)).value.received
    assert received.replace("///", "//") == f"{address}, an address".replace("///", "//")


def test_a_missing_folder_is_named_with_what_is_near(tmp_path: Path) -> None:
    plant(tmp_path, {"Flowers/a": 1})
    assert str(tmp_path / "Flowers") in refusal(tmp_path / "flower").value.received
    assert "near" not in refusal(tmp_path / "quite" / "different").value.received


def test_a_path_through_a_file_is_named(tmp_path: Path) -> None:
    plant(tmp_path, {"a.zip": b"x"})
    assert "is a file" in refusal(tmp_path / "a.zip" / "train").value.received


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    plant(tmp_path, {"data": tmp_path / "gone"})
    assert str(tmp_path / "gone") in refusal(tmp_path / "data").value.received


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_paths_that_no_disk_has(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError) as error:
        find_layout(tmp_path / name, 0, 0.25)
    assert_three_parts(error, str(tmp_path))


@pytest.mark.parametrize(
    ("tree", "received", "fix"),
    [
        ({"images.zip": b"x"}, "images.zip", "images.zip is an archive: unpack"),
        ({"n01440764.tar": b"x", "n01443537.tar": b"x"}, "n01440764.tar", "unpack"),
        ({"train.bin": b"x", "test.bin": b"x"}, "train.bin", "raw numbers"),
        ({"train-images-idx3-ubyte": b"x"}, "train-images-idx3-ubyte", "raw numbers"),
        ({"train-00000-of-00002.parquet": b"x"}, "train-00000", "numpy.savez"),
        ({"x_train.npy": b"x", "y_train.npy": b"x"}, "x_train.npy", "numpy.savez"),
        (
            {"0.png": PNG, "1.png": PNG, "labels.csv": b"x"},
            "2 images such as 0.png",
            "labels.csv is a table",
        ),
        ({"images": 4, "labels.csv": b"x"}, "images/", "table"),
        ({"data.h5": b"x"}, "data.h5", "one folder a class"),
        ({".DS_Store": b"x", "__MACOSX": 0}, "__MACOSX/", "one folder a class"),
    ],
)
def test_folders_without_classes(tmp_path: Path, tree: Tree, received: str, fix: str) -> None:
    error = refusal(plant(tmp_path / "data", tree))
    assert received in error.value.received and fix in error.value.fix


def save(path: Path, **change: np.ndarray | None) -> Path:
    arrays = {"images": np.zeros((8, 8, 8, 3), np.uint8), "labels": np.arange(8) % 2, **change}
    kept = {name: array for name, array in arrays.items() if array is not None}
    np.savez(path, allow_pickle=True, **kept)
    return path


@pytest.mark.parametrize("folders", [{"a": 3, "b": 3}, {"train/a": 3, "train/b": 3}])
@pytest.mark.parametrize("count", [1, 2])
def test_an_npz_beside_folders_is_ambiguous(tmp_path: Path, folders: Tree, count: int) -> None:
    for number in range(count):
        save(tmp_path / f"features{number}.npz")
    error = refusal(plant(tmp_path, folders))
    assert f"both: {', '.join(f'features{i}.npz' for i in range(count))}" in error.value.received
    assert f"{next(iter(folders)).partition('/')[0]}/" in error.value.received
    assert f"--data_dir {tmp_path / 'features0.npz'}" in error.value.fix


def test_several_npz_files_are_named(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        save(tmp_path / name)
    assert "a.npz, b.npz" in refusal(tmp_path).value.received


def test_a_hidden_npz_is_no_second_one(tmp_path: Path) -> None:
    save(tmp_path / "a.npz")
    (tmp_path / "._a.npz").write_bytes(b"\x00\x05\x16\x07")
    assert isinstance(find_layout(tmp_path, 0, 0.25), ArrayLayout)


def test_a_pointer_of_git_lfs_in_place_of_an_npz(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid x\nsize 9\n")
    assert "git lfs pull" in refusal(tmp_path / "a.npz").value.fix


@pytest.mark.parametrize(
    ("labels", "received", "fix"),
    [
        (np.arange(8) % 2 + 1, "labels from 1", "subtract 1"),
        (np.arange(8) % 3 + 5, "labels from 5", "subtract 5"),
        (np.arange(8) % 2 * 2 - 1, "-1 among them (4 of 8", "from 0"),
        (np.array([0, 1, 0, 1, 0, 1, 0, -1]), "-1 among them (1 of 8", "leave out"),
        (np.eye(4)[np.arange(8) % 4].astype(int), "shape (8, 4)", "numpy.argmax"),
        (np.array(["cat", "dog"] * 4), "<U3", "numpy.unique"),
        (np.arange(8) % 2 * 1.0, "float64", "whole numbers"),
        (np.arange(8) % 2 == 0, "bool", "whole numbers"),
    ],
)
def test_labels_that_people_store(
    tmp_path: Path, labels: np.ndarray, received: str, fix: str
) -> None:
    error = refusal(save(tmp_path / "a.npz", labels=labels))
    assert received in error.value.received and fix in error.value.fix
    with pytest.raises(DataError, match="Fix"):
        images = np.zeros((8, 8, 8, 3), np.uint8)
        from_arrays(images, labels, images, labels)


def test_a_class_of_one_image_is_named_with_its_file(tmp_path: Path) -> None:
    error = refusal(save(tmp_path / "a.npz", labels=np.array([0, 1, 0, 1, 0, 1, 0, 2])))
    assert "1 of class 2 in" in error.value.received


def test_colours_before_rows_are_told(tmp_path: Path) -> None:
    images = np.zeros((8, 3, 8, 8), np.uint8)
    assert (
        "numpy.moveaxis(images, 1, 3)" in refusal(save(tmp_path / "a.npz", images=images)).value.fix
    )


def test_arrays_that_are_not_used_are_named(tmp_path: Path) -> None:
    images, labels = np.zeros((8, 8, 8, 3), np.uint8), np.arange(8) % 2
    parts = {
        f"{axis}_{part}": a
        for part in ("train", "val", "test")
        for axis, a in (("x", images), ("y", labels))
    }
    found = find_layout(
        save(tmp_path / "a.npz", images=None, labels=None, extra=np.zeros(3), **parts), 0, 0.25
    )
    assert any("Evaluation images: x_val" in note for note in found.notes)
    (note,) = [note for note in found.notes if "Not used" in note]
    assert all(name in note for name in ("x_test", "y_test", "extra"))


def test_an_array_name_that_is_missing_is_told_with_those_there(tmp_path: Path) -> None:
    error = refusal(save(tmp_path / "a.npz", images=None, labels=None, train_images=np.zeros(3)))
    assert "train_images" in error.value.received and "x_train" in error.value.expected


def test_a_refused_folder_leaves_nothing(tmp_path: Path) -> None:
    plant(tmp_path / "data", {"train/a": 3, "train/b": 3, "test": 3})
    with pytest.raises(DataError):
        load_dataset(tmp_path / "data", cache_dir=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
