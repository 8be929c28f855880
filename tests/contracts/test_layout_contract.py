"""One contract for every layout of images: it is recognised, whole, and the same each time.

A new layout joins `MAKERS`; without data the suite fails. A user's own layout, written in one file,
passes the same contract.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.data import DataError, from_arrays, load_dataset
from nas.data.layouts.find import find_layout
from nas.data.layouts.layout import LAYOUTS, ArrayLayout, FileLayout, in_order, looked_for

SIZE, EACH = 8, 4
CLASSES = ("ant", "bee", "cow")

# What a user would write, whole: images in a folder, their classes in a table beside them.
OWN_LAYOUT = """
from pathlib import Path

from nas.data.cache import ImageFile
from nas.data.layouts.layout import LAYOUTS, FileLayout, Layout, read_text


def read(folder: Path, seed: int, fraction: float) -> FileLayout:
    rows = [line.split(",") for line in read_text(folder / "classes.csv").splitlines()]
    names = tuple(sorted({name for _, name, _ in rows}))
    parts = {
        part: [ImageFile(folder / f, names.index(n)) for f, n, p in rows if p == part]
        for part in ("train", "test")
    }
    note = "Class index: sorted name in classes.csv."
    return FileLayout(folder.name, parts["train"], parts["test"], names, 8, (note,))


LAYOUTS.register(
    "table", Layout("classes.csv", lambda path: (path / "classes.csv").is_file(), read)
)
"""


def picture(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def tiny_imagenet(root: Path) -> None:
    root.mkdir()
    (root / "wnids.txt").write_text("\n".join(reversed(CLASSES)))
    lines = []
    for number, name in enumerate(CLASSES * EACH):
        picture(root / "train" / name / "images" / f"{number}.JPEG", number)
        picture(root / "val" / "images" / f"val_{number}.JPEG", 100 + number)
        lines.append(f"val_{number}.JPEG\t{name}\t0\t0\t7\t7")
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines))


def cifar10(root: Path) -> None:
    root.mkdir()
    records = np.random.default_rng(0).integers(0, 256, (20, 3073), np.uint8)
    records[:, 0] = np.arange(20) % 10
    for name in ("data_batch_1.bin", "test_batch.bin"):
        (root / name).write_bytes(records.tobytes())


def npz(root: Path) -> None:
    root.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (12, SIZE, SIZE, 3), np.uint8)
    np.savez(root / "images.npz", images=images, labels=np.arange(12) % 3)


def class_folders(root: Path) -> None:
    for number, name in enumerate(CLASSES * EACH):
        picture(root / name / f"{number}.png", number)


def train_folders(root: Path) -> None:
    class_folders(root / "train")
    class_folders(root / "test")


def table(root: Path) -> None:
    lines = []
    for number, name in enumerate(CLASSES * EACH):
        picture(root / f"{number}.png", number)
        lines.append(f"{number}.png,{name},{'test' if number < len(CLASSES) else 'train'}")
    (root / "classes.csv").write_text("\n".join(lines))


MAKERS: dict[str, Callable[[Path], None]] = {
    "class_folders": class_folders,
    "train_folders": train_folders,
    "npz": npz,
    "cifar10": cifar10,
    "tiny_imagenet": tiny_imagenet,
    "table": table,
}
ALL = [*LAYOUTS.names, "table"]


@pytest.fixture(scope="module", autouse=True)
def own_layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    path = tmp_path_factory.mktemp("own") / "table_layout.py"
    path.write_text(OWN_LAYOUT)
    spec = importlib.util.spec_from_file_location("table_layout", path)
    assert spec and spec.loader
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    yield
    LAYOUTS.remove("table")


@pytest.fixture
def data(tmp_path: Path, name: str) -> Path:
    assert name in MAKERS, f"Fix: add data of the layout {name!r} to MAKERS."
    MAKERS[name](tmp_path / "data")
    return tmp_path / "data"


def as_lists(found: FileLayout | ArrayLayout) -> list[list[tuple[Path | bytes, int]]]:
    """Both splits as (where or which pixels, class)."""
    if isinstance(found, FileLayout):
        return [[(f.path, f.label) for f in part] for part in (found.train, found.evaluation)]
    return [
        [(images.tobytes(), int(label)) for images, label in zip(*parts, strict=True)]
        for parts in (
            (found.train.images, found.train.labels),
            (found.evaluation.images, found.evaluation.labels),
        )
    ]


@pytest.mark.parametrize("name", ALL)
def test_the_first_layout_that_recognises_data_is_its_own(name: str, data: Path) -> None:
    first = next(layout for layout in in_order() if layout.recognises(data))
    assert first is LAYOUTS[name]


@pytest.mark.parametrize("name", ALL)
def test_both_splits_hold_images_of_named_classes_and_share_none(name: str, data: Path) -> None:
    found = LAYOUTS[name].read(data, 0, 0.25)
    train, evaluation = as_lists(found)
    assert train and evaluation
    classes = len(found.class_names)
    assert classes == len(set(found.class_names)) == (10 if name == "cifar10" else 3)
    assert all(0 <= label < classes for _, label in [*train, *evaluation])
    assert len({label for _, label in train}) == classes
    assert "Class index" in found.notes[0]
    if name not in ("cifar10",):  # its test file is a copy of the training file here
        assert not {where for where, _ in train} & {where for where, _ in evaluation}


@pytest.mark.parametrize("name", ALL)
def test_the_same_data_and_seed_give_the_same_splits(name: str, data: Path) -> None:
    layout = LAYOUTS[name]
    first, second = (as_lists(layout.read(data, 3, 0.25)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", ALL)
def test_a_data_set_comes_from_every_layout(name: str, data: Path, tmp_path: Path) -> None:
    found = load_dataset(data, cache_dir=tmp_path / "cache")
    assert found.train.images.dtype == np.uint8 and found.train.images.shape[3] == 3
    assert found.train.images.shape[1] == found.image_size
    assert len(found.fingerprint) == 16 and not found.is_sample
    moved = tmp_path / "elsewhere"
    shutil.copytree(data, moved)
    again = load_dataset(moved, cache_dir=tmp_path / "cache")
    assert again.fingerprint == found.fingerprint  # of the content, not of the place


@pytest.mark.parametrize("name", ALL)
def test_what_a_layout_needs_is_named_where_nothing_is_recognised(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no images")
    assert LAYOUTS[name].looked_for in looked_for()
    with pytest.raises(DataError) as unknown:
        find_layout(path, 0, 0.1)
    assert LAYOUTS[name].looked_for in unknown.value.expected


def test_every_layout_has_data_here() -> None:
    assert set(LAYOUTS.names) == set(MAKERS)


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="taken"):
        LAYOUTS.register("npz", LAYOUTS["npz"])


def test_a_program_gives_arrays_as_the_file_would(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (9, SIZE, SIZE), np.uint8)
    labels = np.arange(9) % 3
    found = from_arrays(grey[:6], labels[:6], grey[6:], labels[6:], CLASSES)
    np.savez(
        tmp_path / "a.npz",
        x_train=grey[:6],
        y_train=labels[:6],
        x_test=grey[6:],
        y_test=labels[6:],
        class_names=np.array(CLASSES),
    )
    stored = load_dataset(tmp_path / "a.npz", cache_dir=tmp_path / "cache")
    assert found.fingerprint == stored.fingerprint
    assert found.class_names == stored.class_names == CLASSES
    assert found.train.images.shape == (6, SIZE, SIZE, 3)
    assert from_arrays(grey[:6], labels[:6], grey[6:], labels[6:]).class_names == ("0", "1", "2")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"x_train": np.zeros((6, 8, 8, 3), np.float32)}, "x_train"),
        ({"y_test": np.array([0.5, 1.0, 2.0])}, "y_test"),
        ({"x_test": np.zeros((3, 6, 6, 3), np.uint8)}, "8 and 6 pixels"),
        ({"class_names": ("one",)}, "3 class_names"),
        ({"y_train": np.array([0, 0, 0, 1, 1, 1])}, "none of"),
    ],
)
def test_arrays_that_cannot_be_used_are_named(change: dict[str, object], text: str) -> None:
    labels = np.arange(6) % 3
    usual: dict[str, object] = {
        "x_train": np.zeros((6, 8, 8, 3), np.uint8),
        "y_train": labels,
        "x_test": np.zeros((3, 8, 8, 3), np.uint8),
        "y_test": labels[:3],
    }
    with pytest.raises(DataError) as refused:
        from_arrays(**{**usual, **change})  # type: ignore[arg-type]
    assert text in str(refused.value)
