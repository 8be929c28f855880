"""The images and the space of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.architecture.text import parse
from nas.data import Dataset, Split
from nas.data.dataset import selection_fingerprint
from nas.data.preparation import Preparation
from nas.errors import InputError, SpaceError
from nas.pipeline.inputs import check_fits, keep_data, load_data, looks_of, source_now, space_of
from nas.recipes.scales import IMAGES, SMOKE
from nas.runs.data import DataRecord, DataSource, class_differences
from nas.runs.folder import RunFolder
from tests.support import image_folders
from tests.support.run_config import run_config


@pytest.fixture
def dataset() -> Dataset:
    return Dataset("toy", *splits(4), ("a", "b"), 32, "0" * 16, False, ("2 were skipped",))


def splits(count: int) -> tuple[Split, Split]:
    labels = np.arange(count, dtype=np.int32) % 2
    split = Split(np.zeros((count, 32, 32, 3), np.uint8), labels)
    return split, split


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", run_config(), "test")


def test_images_that_were_handed_over_are_used_as_they_are(
    dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load_data(DataSource("memory"), SMOKE, 0, dataset) is dataset
    assert "2 were skipped" in capsys.readouterr().out


def test_at_toy_size_few_images_are_used_and_a_run_that_has_all_of_them_keeps_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rng = np.random.default_rng(0)
    many = Split(rng.integers(0, 256, (900, 8, 8, 3), np.uint8), np.arange(900, dtype=np.int32) % 2)
    whole = Dataset("many", many, many, ("a", "b"), 8, "0" * 16, False)
    source = DataSource("memory")
    found = load_data(source, SMOKE, 0, whole)
    assert (len(found.train.labels), len(found.evaluation.labels)) == (480, 120)
    assert "Toy size: 480 of 900 training and 120 of 900 evaluation" in capsys.readouterr().out
    looks = looks_of(source, SMOKE, 0, whole)
    assert (len(looks.train_labels), len(looks.evaluation_labels)) == (480, 120)
    # Runs of toy size that began with all images, as earlier versions did, or with these few.
    for record, expected in ((DataRecord.of(whole), whole), (DataRecord.of(found), found)):
        again = load_data(source, SMOKE, 0, whole, record)
        assert again.fingerprint == expected.fingerprint
        assert len(looks_of(source, SMOKE, 0, whole, record).train_labels) == len(
            expected.train.labels
        )
        record.check_same(again, "a run began with", "name others")
    assert load_data(source, IMAGES, 0, whole) is whole
    assert len(looks_of(source, IMAGES, 0, whole).train_labels) == 900


def test_images_that_were_handed_over_must_come_again() -> None:
    with pytest.raises(InputError, match="handed over"):
        load_data(DataSource("memory"), SMOKE, 0)


def test_the_record_of_the_images_is_written_once(folder: RunFolder, dataset: Dataset) -> None:
    record = keep_data(folder, dataset)
    assert (record.train_images, record.num_classes, record.notes) == (4, 2, ("2 were skipped",))
    before = (folder.path / "data.json").stat().st_mtime_ns
    assert keep_data(folder, replace(dataset, name="elsewhere")) == record
    assert (folder.path / "data.json").stat().st_mtime_ns == before
    assert folder.read(DataRecord) == record


def test_the_record_says_how_later_images_become_arrays(
    folder: RunFolder, dataset: Dataset
) -> None:
    prepared = Preparation(32, "pad", white=4095)
    keep_data(folder, replace(dataset, preparation=prepared))
    assert folder.read(DataRecord).preparation == prepared


def test_other_images_are_refused(folder: RunFolder, dataset: Dataset) -> None:
    keep_data(folder, dataset)
    with pytest.raises(InputError, match="the images that the run began with") as caught:
        keep_data(folder, replace(dataset, fingerprint="1" * 16))
    assert "1" * 16 in caught.value.received


def test_a_run_of_an_earlier_version_goes_on_with_the_same_images(
    folder: RunFolder, dataset: Dataset
) -> None:
    """Its fingerprint was made by another formula."""
    earlier = selection_fingerprint(dataset.train, dataset.evaluation)
    folder.write(DataRecord.of(replace(dataset, fingerprint=earlier)))
    assert keep_data(folder, dataset).fingerprint == earlier != dataset.fingerprint
    other = Split(dataset.train.images + 1, dataset.train.labels)
    with pytest.raises(InputError, match="the images that the run began with"):
        keep_data(folder, replace(dataset, train=other))


def test_images_that_were_handed_over_have_no_files_to_verify(dataset: Dataset) -> None:
    with pytest.raises(InputError, match="--verify_data"):
        load_data(DataSource("memory", verify_data=True), SMOKE, 0, dataset)


CHANGES: list[tuple[dict[str, Any], list[str]]] = [
    ({"class_names": ("a", "b", "c")}, ["a new class c"]),
    ({"class_names": ("a",)}, ["no class b"]),
    ({"class_names": ("a", "x", "y")}, ["no class b", "a new class x, y"]),
    (
        {"class_names": ("b", "a")},
        ["the classes in another order: number 0 is b instead of a"],
    ),
    ({"image_size": 48}, ["48 px instead of 32"]),
    (
        {"train": splits(6)[0], "evaluation": splits(2)[1]},
        ["6 training images instead of 4", "2 evaluation images instead of 4"],
    ),
    ({"fingerprint": "1" * 16}, ["other pixels or labels, or another division"]),
]


@pytest.mark.parametrize(("changes", "said"), CHANGES)
def test_what_differs_between_images_is_named(
    changes: dict[str, Any], said: list[str], folder: RunFolder, dataset: Dataset
) -> None:
    keep_data(folder, dataset)
    other = replace(dataset, name="others", **changes)
    with pytest.raises(InputError, match="the images that the run began with") as caught:
        keep_data(folder, other)
    assert "2 classes (a, b), 4 training and 4 evaluation images of 32 px" in caught.value.expected
    assert caught.value.received.startswith("others, with ")
    assert all(part in caught.value.received for part in said)
    assert "main.py --arch" in caught.value.fix


def test_of_many_classes_the_first_are_named() -> None:
    names = [f"c{number}" for number in range(200)]
    assert class_differences(names, names) == []
    assert class_differences(names, names[7:]) == ["no class c0, c1, c2, c3, c4 and 2 more"]
    assert class_differences(["a", "b"], ["a", "a", "b"]) == ["3 classes instead of 2"]


def test_images_of_a_run_are_read_where_they_are_now() -> None:
    recorded = DataSource("files", "/was/here", 48, skip_bad_images=True)
    assert source_now(recorded, None) == recorded
    moved = source_now(recorded, DataSource("files", "/is/there"))
    assert moved == replace(recorded, path="/is/there")
    arrays = source_now(recorded, DataSource("memory"))
    assert (arrays.kind, arrays.path) == ("memory", None)


@pytest.mark.parametrize("path", ["/gone/photos", "photos"])
def test_images_that_are_gone_may_be_named_again(path: str, dataset: Dataset) -> None:
    record = DataRecord.of(dataset)
    with pytest.raises(InputError, match=f"began with, at {path}") as caught:
        load_data(DataSource("files", path), SMOKE, 0, None, record)
    assert "--data_dir" in caught.value.fix


def test_other_classes_are_refused_before_anything_is_decoded(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = image_folders.write_folders(tmp_path / "photos", ("a", "x"), 4)

    def decode(*arguments: Any, **options: Any) -> None:
        raise AssertionError("images were decoded")

    monkeypatch.setattr("nas.data.load.decode_splits", decode)
    with pytest.raises(InputError, match="the images that the run began with") as caught:
        load_data(DataSource("files", str(photos)), SMOKE, 0, None, DataRecord.of(dataset))
    assert "no class b; a new class x" in caught.value.received
    assert str(photos) in caught.value.received


@pytest.mark.parametrize(
    ("text", "takes_any_classes", "said"),
    [
        ("in_s48 cn_k3_s2_c8 gap fc_c2", True, "images of 48 px"),
        ("in_s32 cn_k3_s2_c8 gap fc_c5", False, "images of 5 classes"),
        ("in_s32 cn_k3_s2_c8 gap fc_c5", True, None),
        ("in_s32 cn_k3_s2_c8 gap fc_c2", False, None),
    ],
)
def test_images_that_a_network_does_not_take_are_refused(
    text: str, takes_any_classes: bool, said: str | None, dataset: Dataset
) -> None:
    if said is None:
        check_fits(parse(text), dataset, takes_any_classes)
        return
    with pytest.raises(InputError, match=said) as caught:
        check_fits(parse(text), dataset, takes_any_classes)
    assert "in toy" in caught.value.received


def test_a_space_fits_the_images_where_none_is_named(dataset: Dataset) -> None:
    assert space_of(None, dataset).name == "cifar"
    assert space_of(None, replace(dataset, image_size=64)).name == "tiny"
    assert space_of("toy", dataset).name == "toy"
    assert space_of("toy", dataset).num_classes == 2


def test_a_space_of_one_network_is_refused_with_the_methods_that_need_no_choice(
    dataset: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "one.py"
    path.write_text(
        "from nas.architecture.spec import Conv, Dense, GlobalAveragePool\n"
        "from nas.search_space.space import Space\n"
        "SPACE = Space('one', 32, (Conv(3, 2, 8), GlobalAveragePool(), Dense(2)))\n"
    )
    with pytest.raises(SpaceError, match="space one, which has one network") as caught:
        space_of(str(path), dataset)
    assert "--method asha, hyperband, grid" in caught.value.fix
    with pytest.raises(SpaceError, match="whose knobs hold for the whole network"):
        space_of("cnv", dataset)
