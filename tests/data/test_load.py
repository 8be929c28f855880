"""Layouts, cache, batches and the embedded sample, on small data made here."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nas.data import DataError, Split, load_dataset, sample, split_holdout
from nas.data.augment import Augmentation
from nas.data.cache import cached_arrays, write_split
from nas.data.loader import BatchLoader, evaluation_batches
from tests.support.programs import run_program


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def tiny_imagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "data"
    flags = ("--output", str(folder), "--images_per_class", "6", "--image_size", "64")
    done = run_program("scripts/make_sample_data.py", *flags)
    assert done.exit_code == 0, done.err
    return folder


def mode_of(path: Path) -> str:
    with Image.open(path) as image:
        return image.mode


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def colour_image(path: Path, colour: tuple[int, int, int], size: int = 16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size, size), colour).save(path)


def colour_folders(root: Path, count: int = 5, size: int = 16) -> Path:
    for name, colour in (("red", (255, 0, 0)), ("green", (0, 255, 0)), ("blue", (0, 0, 255))):
        for i in range(count):
            colour_image(root / name / f"{i}.png", colour, size)
    return root


def test_tiny_imagenet_layout_and_class_rule(tiny_imagenet: Path, cache: Path) -> None:
    data = load_dataset(tiny_imagenet, cache_dir=cache)
    assert data.train.images.shape == (72, 64, 64, 3)
    assert data.evaluation.images.shape == (12, 64, 64, 3)
    assert any("line number in wnids.txt" in note for note in data.notes)
    wnids = (tiny_imagenet / "wnids.txt").read_text().split()
    assert wnids != sorted(wnids), "else the rule would not be tested"
    assert data.class_names[0] == f"{wnids[0]} {sample.CLASS_NAMES[0]}"
    # Validation labels come from the annotation file, not from the order of the files.
    lines = (tiny_imagenet / "val" / "val_annotations.txt").read_text().splitlines()
    expected = [wnids.index(line.split("\t")[1]) for line in lines]
    assert data.evaluation.labels.tolist() == expected
    # Train and evaluation agree on what an index means: both were drawn from these classes.
    label = data.train.labels[0]
    path = tiny_imagenet / "train" / wnids[label] / "images" / f"{wnids[label]}_0.JPEG"
    assert np.array_equal(data.train.images[0], pixels_of(path))


def test_missing_validation_image_is_named(
    tiny_imagenet: Path, cache: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_imagenet, copy)
    (copy / "val" / "images" / "val_3.JPEG").unlink()
    with pytest.raises(DataError, match=r"(?s)labels name.*val_3\.JPEG.*Fix"):
        load_dataset(copy, cache_dir=cache)


def test_grey_images_become_rgb(tiny_imagenet: Path, cache: Path) -> None:
    grey = [p for p in tiny_imagenet.rglob("*.JPEG") if mode_of(p) == "L"]
    assert grey, "the sample data must hold some"
    data = load_dataset(tiny_imagenet, cache_dir=cache)
    channels = data.train.images.astype(int)
    flat = (channels.max(axis=3) == channels.min(axis=3)).all(axis=(1, 2))
    assert flat.sum() == len([p for p in grey if "train" in str(p)])


@pytest.mark.parametrize("mode", ["RGBA", "P", "CMYK", "LA"])
def test_other_image_modes(tmp_path: Path, cache: Path, mode: str) -> None:
    suffix = "jpg" if mode == "CMYK" else "png"
    for name in ("a", "b"):
        for i in range(2):
            path = tmp_path / "data" / name / f"{i}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16), (10 * i, 99, 3)).convert(mode).save(path)
    assert load_dataset(tmp_path / "data", cache_dir=cache).train.images.shape[-1] == 3


def test_folders_split_by_seed(tmp_path: Path, cache: Path) -> None:
    root = colour_folders(tmp_path / "data", count=20)
    data = load_dataset(root, cache_dir=cache)
    assert data.class_names == ("blue", "green", "red")
    assert np.bincount(data.evaluation.labels).tolist() == [2, 2, 2]
    assert np.bincount(data.train.labels).tolist() == [18, 18, 18]
    assert data.image_size == 16
    blue = data.train.images[data.train.labels == 0]
    assert (blue[..., 2] > 250).all() and (blue[..., 0] < 5).all()
    assert load_dataset(root, cache_dir=cache).fingerprint == data.fingerprint


@pytest.mark.parametrize("name", ["val", "test", "validation"])
def test_train_and_evaluation_folders(tmp_path: Path, cache: Path, name: str) -> None:
    colour_folders(tmp_path / "data" / "train", count=4)
    colour_folders(tmp_path / "data" / name, count=2)
    data = load_dataset(tmp_path / "data", cache_dir=cache)
    assert (len(data.train.labels), len(data.evaluation.labels)) == (12, 6)


def test_class_missing_from_training_is_named(tmp_path: Path, cache: Path) -> None:
    colour_folders(tmp_path / "data" / "train", count=2)
    colour_image(tmp_path / "data" / "val" / "violet" / "0.png", (99, 0, 99))
    with pytest.raises(DataError, match="violet"):
        load_dataset(tmp_path / "data", cache_dir=cache)


def test_images_are_resized(tmp_path: Path, cache: Path) -> None:
    root = colour_folders(tmp_path / "data", size=40)
    assert load_dataset(root, cache_dir=cache, image_size=24).train.images.shape[1:3] == (24, 24)


def write_cifar(folder: Path, batches: int = 2, count: int = 20) -> np.ndarray:
    folder.mkdir()
    records = np.random.default_rng(0).integers(0, 255, (batches + 1, count, 3073), np.uint8)
    records[:, :, 0] = np.arange(count) % 10
    for i in range(batches):
        (folder / f"data_batch_{i + 1}.bin").write_bytes(records[i].tobytes())
    (folder / "test_batch.bin").write_bytes(records[-1].tobytes())
    return records


def test_cifar10_binary(tmp_path: Path, cache: Path) -> None:
    records = write_cifar(tmp_path / "cifar")
    data = load_dataset(tmp_path / "cifar", cache_dir=cache)
    assert data.train.images.shape == (40, 32, 32, 3)
    # Source: https://www.cs.toronto.edu/~kriz/cifar.html: 1024 red, then green, then blue.
    assert data.train.images[3, 0, 1].tolist() == records[0, 3, [2, 1026, 2050]].tolist()
    assert data.train.labels[:12].tolist() == [*range(10), 0, 1]


def test_cifar10_pickles_are_refused(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps({"data": 1}))
    with pytest.raises(DataError, match="binary version"):
        load_dataset(tmp_path, cache_dir=cache)


def test_truncated_cifar10(tmp_path: Path, cache: Path) -> None:
    write_cifar(tmp_path / "cifar")
    (tmp_path / "cifar" / "data_batch_2.bin").write_bytes(b"short")
    with pytest.raises(DataError, match="3073 bytes"):
        load_dataset(tmp_path / "cifar", cache_dir=cache)


def arrays(count: int = 20) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "images": rng.integers(0, 255, (count, 8, 8, 3), np.uint8),
        "labels": np.arange(count) % 2,
    }


def save_arrays(path: Path, values: dict[str, Any]) -> None:
    np.savez(path, **values)


def test_npz(tmp_path: Path, cache: Path) -> None:
    np.savez(tmp_path / "a.npz", allow_pickle=False, **arrays())
    data = load_dataset(tmp_path / "a.npz", cache_dir=cache)
    assert (len(data.train.labels), len(data.evaluation.labels)) == (18, 2)


@pytest.mark.parametrize(
    "change, text",
    [
        ({"labels": np.arange(20) / 2}, "whole numbers"),
        ({"labels": np.arange(19)}, "as many labels"),
        ({"images": np.zeros((20, 8, 9, 3), np.uint8)}, "shape"),
        ({"images": np.zeros((20, 8, 8, 3), np.float32)}, "uint8"),
        ({"labels": np.array([{}] * 20)}, "x_train"),
        ({"labels": np.zeros(20, int)}, "two classes"),
    ],
)
def test_bad_npz(tmp_path: Path, cache: Path, change: dict[str, np.ndarray], text: str) -> None:
    np.savez(tmp_path / "a.npz", allow_pickle=True, **{**arrays(), **change})
    with pytest.raises(DataError, match=text) as error:
        load_dataset(tmp_path / "a.npz", cache_dir=cache)
    assert all(part in str(error.value) for part in ("Expected", "Received", "Fix"))


def test_bad_images_stop_or_are_skipped(tmp_path: Path, cache: Path) -> None:
    root = colour_folders(tmp_path / "data" / "train", count=4).parent
    colour_folders(root / "val", count=2)
    whole = (root / "train" / "red" / "1.png").read_bytes()
    (root / "train" / "red" / "1.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"1\.png"):
        load_dataset(root, cache_dir=cache)
    assert not list(cache.rglob("done.json"))
    data = load_dataset(root, cache_dir=cache, skip_bad_images=True)
    assert len(data.train.labels) == len(data.train.images) == 11
    assert any("1 bad images were skipped" in note for note in data.notes)


def test_cache_is_used_again_and_half_made_entries_are_not(tmp_path: Path) -> None:
    calls = []

    def make(folder: Path) -> dict[str, object]:
        calls.append(folder)
        write_split(folder, "train", np.zeros((1, 2, 2, 3), np.uint8), np.zeros(1))
        return {"splits": ["train"]}

    entry = tmp_path / "images" / "key"
    entry.mkdir(parents=True)
    (entry / "train_images.npy").write_bytes(b"half")  # no done.json: killed in the middle
    left = tmp_path / "images" / ".key.999999999.x"
    left.mkdir()
    for _ in range(2):
        _, splits, _ = cached_arrays(tmp_path, "key", make)
        assert splits["train"].images.shape == (1, 2, 2, 3)
    assert len(calls) == 1
    assert not left.exists()


def test_changed_file_is_decoded_again(tmp_path: Path, cache: Path) -> None:
    root = colour_folders(tmp_path / "data")
    first = load_dataset(root, cache_dir=cache)
    for i in range(5):
        colour_image(root / "red" / f"{i}.png", (200, 10, 10))
    again = load_dataset(root, cache_dir=cache)
    assert again.fingerprint != first.fingerprint


def numbered(count: int) -> Split:
    images = np.broadcast_to(
        np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 6, 6, 3)
    )
    return Split(np.array(images), np.arange(count, dtype=np.int32))


def test_batches_leave_nothing_out() -> None:
    loader = BatchLoader(numbered(50), batch_size=8, seed=3)
    seen = np.concatenate([loader.batch(step)[1] for step in range(25)])  # 200 = 4 epochs
    assert np.bincount(seen).tolist() == [4] * 50


def test_images_and_labels_stay_together() -> None:
    loader = BatchLoader(numbered(50), batch_size=8, seed=3, augment=Augmentation(2, True))
    images, labels = loader.batch(7)
    assert images.dtype == np.float32
    assert np.array_equal(images.mean(axis=(1, 2, 3)), labels)


def test_iterate_equals_batch_from_any_step() -> None:
    loader = BatchLoader(numbered(50), batch_size=8, seed=3, augment=Augmentation(2, True))
    for step, (images, labels) in enumerate(loader.iterate(5, 12), start=5):
        other = BatchLoader(
            numbered(50), batch_size=8, seed=3, augment=Augmentation(2, True)
        ).batch(step)
        assert np.array_equal(images, other[0]) and np.array_equal(labels, other[1])


def test_other_seed_other_order() -> None:
    first, second = (BatchLoader(numbered(50), batch_size=50, seed=s).batch(0) for s in (0, 1))
    assert sorted(first[1]) == sorted(second[1])
    small = [BatchLoader(numbered(50), batch_size=8, seed=s).batch(0)[1].tolist() for s in (0, 1)]
    assert small[0] != small[1]


def test_errors_of_the_thread_reach_the_reader() -> None:
    loader = BatchLoader(numbered(4), batch_size=2, seed=0)
    loader.split = Split(np.zeros((1, 2, 2, 3), np.uint8), np.zeros(1, np.int32))
    with pytest.raises(IndexError):
        list(loader.iterate(0, 5))


def test_evaluation_reads_everything_once() -> None:
    parts = list(evaluation_batches(numbered(23), 10))
    assert [len(labels) for _, labels in parts] == [10, 10, 3]
    assert np.concatenate([labels for _, labels in parts]).tolist() == list(range(23))


def test_crops_are_windows_of_the_padded_image() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (1, 6, 6, 3), np.uint8)
    padded = np.pad(image[0], ((2, 2), (2, 2), (0, 0)), mode="reflect")
    windows = [padded[t : t + 6, left : left + 6] for t in range(5) for left in range(5)]
    found = set()
    for seed in range(60):
        crop = Augmentation(2, False).apply(image, np.random.default_rng(seed))[0]
        places = [i for i, window in enumerate(windows) if np.array_equal(window, crop)]
        assert len(places) == 1
        found.add(places[0])
    assert len(found) > 15


def test_flip_mirrors_about_half() -> None:
    images = np.repeat(np.arange(6, dtype=np.uint8)[None, None, :, None], 400, 0)
    out = Augmentation(0, True).apply(np.repeat(images, 3, 3), np.random.default_rng(0))
    mirrored = (out[:, 0, 0, 0] == 5).mean()
    # 400 draws of 1/2: four standard deviations are 0.1.
    assert 0.4 < mirrored < 0.6


def test_holdout_is_stratified_and_whole() -> None:
    labels = np.arange(100) % 4
    large, held = split_holdout(100, labels, 0.2, seed=0)
    assert sorted([*large, *held]) == list(range(100))
    assert np.bincount(labels[held]).tolist() == [5, 5, 5, 5]
    assert not np.array_equal(held, split_holdout(100, labels, 0.2, seed=1)[1])


def test_holdout_needs_two_of_a_class() -> None:
    with pytest.raises(DataError, match="two images"):
        split_holdout(3, np.array([0, 0, 1]), 0.2, seed=0)


def test_sample_is_the_same_everywhere() -> None:
    images, labels = sample.draw(24, seed=0)
    again, _ = sample.draw(24, seed=0)
    assert np.array_equal(images, again)
    assert np.bincount(labels).tolist() == [2] * 12
    assert images.shape == (24, 32, 32, 3) and images.dtype == np.uint8
    # Rounded, so that the last bit of another CPU's sine cannot break it.
    text = str((images.astype(float).mean(axis=(1, 2)) / 4).round().astype(int).tolist())
    assert hashlib.sha256(text.encode()).hexdigest()[:12] == "fe415bf67a98"


def test_sample_letters_are_whole_and_have_their_own_strokes() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(600) % len(sample.CLASS_NAMES)
    strokes, drawn = sample._letter_strokes(labels, rng, 32)
    # Room for the rounding of a place.
    is_whole = strokes.min() > 0.999 and strokes.max() < 30.001
    assert is_whole, "a cut letter may be another one"
    counts = [len(sample.LETTERS[sample.CLASS_NAMES[label]]) for label in labels]
    assert drawn.sum(axis=1).tolist() == counts
    assert len({sample.LETTERS[name] for name in sample.CLASS_NAMES}) == 12


def test_sample_ink_lies_on_the_strokes() -> None:
    rng = np.random.default_rng(0)
    strokes = np.array([[[4.0, 16.0, 28.0, 16.0], [16.0, 4.0, 16.0, 28.0]]])
    ink = sample._ink(strokes, np.array([[True, False]]), rng, 32)[0]
    assert ink[16, 4:29].min() == 1.0, "the stroke that is drawn"
    assert ink[:13].max() == ink[20:].max() == 0.0, "the stroke that is not"


def test_sample_grows_with_the_image() -> None:
    images, _ = sample.draw(2, seed=0, image_size=48)
    assert images.shape == (2, 48, 48, 3)


def test_unknown_layout_says_what_was_looked_for(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "readme.md").write_text("hello")
    with pytest.raises(DataError, match=r"(?s)wnids\.txt.*data_batch_1\.bin.*readme\.md"):
        load_dataset(tmp_path / "data", cache_dir=cache)


def test_full_disk_is_an_error_with_three_parts(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    def full(*arguments: object, **settings: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np.lib.format, "open_memmap", full)
    root = colour_folders(tmp_path / "data")
    with pytest.raises(DataError, match="(?s)Expected.*No space left.*STOPWATCH_CACHE"):
        load_dataset(root, cache_dir=cache)
    assert not list(cache.rglob("*.npy")) and not list(cache.rglob("done.json"))


@pytest.mark.real_data
def test_real_tiny_imagenet(cache: Path) -> None:
    folder = os.environ.get("TINY_IMAGENET")
    if not folder:
        pytest.skip("set TINY_IMAGENET to the unpacked data set")
    data = load_dataset(folder, cache_dir=cache)
    assert data.train.images.shape == (100_000, 64, 64, 3)
    assert np.bincount(data.evaluation.labels).tolist() == [50] * 200
    mean = np.mean([data.train.images[i::100].mean(axis=(0, 1, 2)) for i in range(100)], axis=0)
    # Train mean stated by the data's own documentation: 0.480, 0.448, 0.398.
    np.testing.assert_allclose(mean / 255, (0.480, 0.448, 0.398), atol=0.001)


def test_a_share_that_would_hold_out_a_whole_class_is_named_as_the_fault() -> None:
    labels = np.array([0] * 7 + [1] * 7)
    with pytest.raises(DataError, match=r"Received: 0\.999 of 7 images of class 0.*\n.*than 0\.86"):
        split_holdout(14, labels, 0.999, seed=0)
