"""Which folder plays which part: names that people use, what is ambiguous, what is too high."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from nas.data import DataError
from nas.data.layouts.find import find_layout
from nas.data.layouts.layout import FileLayout
from nas.data.layouts.parts import NAMES, part_names
from tests.support.image_folders import assert_three_parts, plant

Tree = Mapping[str, int | bytes | Path]


def read(root: Path, tree: Tree) -> FileLayout:
    found = find_layout(plant(root, tree), 0, 0.25)
    assert isinstance(found, FileLayout)
    return found


def counts(found: FileLayout) -> tuple[int, int]:
    return len(found.train), len(found.evaluation)


def both(part: str, cat: int, dog: int) -> dict[str, int]:
    return {f"{part}/cat": cat, f"{part}/dog": dog}


def refused(root: Path, tree: Tree, *texts: str) -> str:
    plant(root, tree)
    with pytest.raises(DataError) as error:
        find_layout(root, 0, 0.25)
    for text in texts:
        assert_three_parts(error, text)
    return error.value.fix


@pytest.mark.parametrize("train", ["train", "Train", "TRAINING", "tr", "Training_Set", "trainval"])
@pytest.mark.parametrize(
    "held",
    ["val", "Valid", "VALIDATION", "dev", "test", "Testing", "eval", "Evaluation", "Val_Set"],
)
def test_names_of_parts_in_any_case(tmp_path: Path, train: str, held: str) -> None:
    found = read(tmp_path, both(train, 3, 2) | both(held, 2, 1))
    assert found.class_names == ("cat", "dog")
    assert counts(found) == (5, 3)
    said = " ".join(found.notes)
    assert f"Training images: {train}/, 5" in said
    assert f"Evaluation images: {held}/, 3" in said


@pytest.mark.parametrize(
    ("train", "held"),
    [
        ("seg_train", "seg_test"),
        ("training_set", "test_set"),
        ("train_images", "val_images"),
        ("asl_alphabet_train", "asl_alphabet_test"),
        ("train2017", "val2017"),
        ("TrainData", "TestData"),
        ("Train images", "Valid images"),
        ("flowers-training", "flowers-validation"),
    ],
)
def test_names_of_several_words_count_where_both_parts_have_them(
    tmp_path: Path, train: str, held: str
) -> None:
    found = read(tmp_path, both(train, 3, 2) | both(held, 2, 1))
    assert (found.class_names, counts(found)) == (("cat", "dog"), (5, 3))


def test_words_alone_make_no_part() -> None:
    assert part_names(["steam_train", "electric_train", "test_tube", "bus"]) == {}
    assert part_names(["train_station", "dev_board"]) == {}
    assert part_names(["stestament", "retrain", "interval", "validate_me"]) == {}


@pytest.mark.parametrize("held", ["test1", "Test_images", "val_set_2", "my validation"])
def test_words_make_a_part_beside_another_part(tmp_path: Path, held: str) -> None:
    found = read(tmp_path / "divided", both("train", 3, 3) | both(held, 1, 1))
    assert counts(found) == (6, 2)
    refused(tmp_path / "flat", {"train": 5, held: 4}, "no class folders")
    refused(tmp_path / "half", both("train", 3, 3) | {held: 4}, "4 images and no class folders")


@pytest.mark.parametrize("extra", ["train_augmented", "test-multiple", "old_val"])
def test_a_second_folder_with_the_word_of_a_part_is_not_used(tmp_path: Path, extra: str) -> None:
    tree = both("train", 3, 3) | both("val", 1, 1) | both("test", 1, 1) | both(extra, 2, 2)
    found = read(tmp_path, tree)
    assert counts(found) == (6, 2)
    assert any("Not used" in note and f"{extra}/ (4 images)" in note for note in found.notes)


def test_an_empty_validation_folder_beside_a_test_folder_is_named(tmp_path: Path) -> None:
    tree = both("train", 3, 3) | {"val": 0} | both("test", 1, 1)
    assert "test/ is evaluated" in refused(tmp_path, tree, "no images and no class folders")


def test_a_data_set_far_down_beside_a_folder_of_images_is_named(tmp_path: Path) -> None:
    tree = both("plants/plants/train", 3, 3) | both("plants/plants/valid", 1, 1) | {"test/test": 4}
    fix = refused(tmp_path, tree, "train/, valid/, which are names of parts")
    assert f"--data_dir {tmp_path / 'plants' / 'plants'}" in fix


def test_classes_in_another_case_are_named_beside_each_other(tmp_path: Path) -> None:
    refused(tmp_path, both("train", 3, 3) | {"val/Cat": 1, "val/dog": 1}, "Cat (cat there)")


def test_the_page_of_images_has_all_names_of_parts() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "images.md").read_text("utf-8")
    for part, names in NAMES.items():
        begin = {"train": "Training"}.get(part, part.capitalize())
        (item,) = re.findall(rf"^- {begin}[:,].*?\.$", page, re.MULTILINE | re.DOTALL)
        assert re.findall(r"`(\w+)`", item) == list(names)


def test_no_name_is_of_two_parts() -> None:
    names = [name for part in NAMES.values() for name in part]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("held", ["valid", "val", "Validation", "dev"])
@pytest.mark.parametrize("test", ["test", "Testing", "evaluation"])
def test_validation_is_evaluated_and_test_is_named_as_unused(
    tmp_path: Path, held: str, test: str
) -> None:
    found = read(tmp_path, both("train", 3, 3) | both(held, 1, 1) | both(test, 4, 5))
    assert {file.path.parts[-3] for file in found.evaluation} == {held}
    assert any(f"Not used: {test}/ (9 images)" in note for note in found.notes)


def test_a_flat_test_folder_beside_train_and_val_is_named_as_unused(tmp_path: Path) -> None:
    found = read(tmp_path, both("train", 3, 3) | both("val", 1, 1) | {"test": 7})
    assert counts(found) == (6, 2)
    assert any("Not used: test/ (7 images)" in note for note in found.notes)


def test_images_without_classes_to_predict_are_named_as_unused(tmp_path: Path) -> None:
    tree = both("seg_train/seg_train", 3, 3) | both("seg_test/seg_test", 1, 1)
    found = read(tmp_path, tree | {"seg_pred/seg_pred": 4})
    assert (found.class_names, counts(found)) == (("cat", "dog"), (6, 2))
    assert any("Not used: seg_pred/ (4 images)" in note for note in found.notes)


@pytest.mark.parametrize("name", ["train/train", "training/training", "Train/train"])
def test_a_part_inside_a_folder_of_its_own_name_is_read(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, both(name, 3, 3) | both("test/test", 1, 1))
    assert counts(found) == (6, 2)
    assert any(f"Training images: {name}/" in note for note in found.notes)


def test_train_alone_is_divided(tmp_path: Path) -> None:
    found = read(tmp_path, both("train", 8, 8))
    assert counts(found) == (12, 4)
    assert any("No folder of evaluation images" in note for note in found.notes)


@pytest.mark.parametrize("name", ["train", "Training", "val", "test", "dev", "eval"])
def test_a_class_may_be_called_like_a_part(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, {"bus": 4, "plane": 4, name: 4})
    assert set(found.class_names) == {"bus", "plane", name}
    assert any("Taken for classes" in note and f"{name}/" in note for note in found.notes)


@pytest.mark.parametrize(
    "pair", [("steam_train", "electric_train"), ("train_station", "dev_board")]
)
def test_classes_whose_names_hold_words_of_parts(tmp_path: Path, pair: tuple[str, str]) -> None:
    assert read(tmp_path, dict.fromkeys(pair, 4)).class_names == tuple(sorted(pair))


@pytest.mark.parametrize("name", ["test", "val", "Testing", "valid"])
@pytest.mark.parametrize("flat", [0, 5])
def test_a_part_without_class_folders_is_named(tmp_path: Path, name: str, flat: int) -> None:
    tree = both("train", 3, 3) | {name: flat}
    fix = refused(tmp_path, tree, str(tmp_path / name), f"{flat or 'no'} images and no class")
    assert f"{name}/<class>/" in fix


@pytest.mark.parametrize(
    "tree",
    [
        {"train": 5, "test": 5},
        {"train": 5, "val/cat": 3, "val/dog": 3},
        {"train_images": 5, "test_images": 5, "masks": 5},
        {"trainA": 5, "trainB": 5, "testA": 5, "testB": 5},
        {"train": 5, "test": 5, "pred": 5, "train.csv": b"id,label"},
        {"train": 5},
        {"train": 0, "val/cat": 3, "val/dog": 3},
    ],
)
def test_training_images_without_class_folders_are_named(tmp_path: Path, tree: Tree) -> None:
    fix = refused(tmp_path, tree, str(tmp_path / "train"), "no class folders")
    assert "<class>/" in fix


@pytest.mark.parametrize("name", ["train", "val"])
def test_what_a_part_holds_instead_of_classes_is_named(tmp_path: Path, name: str) -> None:
    tree: dict[str, int | bytes] = {f"{name}/cat.zip": b"x", f"{name}/dog.zip": b"x"}
    tree.update(both("val" if name == "train" else "train", 3, 3))
    refused(tmp_path, tree, "no images", "but cat.zip, dog.zip")


def test_evaluation_folders_without_training_images(tmp_path: Path) -> None:
    refused(tmp_path, both("val", 3, 3) | both("test", 3, 3), "val/, test/ alone", "train/")


@pytest.mark.parametrize(
    ("tree", "texts"),
    [
        (both("train", 3, 3) | both("Training", 3, 3), ("Training/, train/",)),
        (both("train", 3, 3) | both("val", 1, 1) | both("valid", 1, 1), ("val/, valid/",)),
        (both("train", 3, 3) | both("test", 1, 1) | both("eval", 1, 1), ("eval/", "test/")),
        (both("train", 3, 3) | both("unseen", 1, 1), ("unseen/", "no part by name")),
        (both("train", 3, 3) | {"bus": 4, "plane": 4}, ("bus/, plane/",)),
    ],
)
def test_folders_that_may_be_more_than_one_thing(
    tmp_path: Path, tree: Tree, texts: tuple[str, ...]
) -> None:
    refused(tmp_path, tree, *texts)


@pytest.mark.parametrize(
    "names", [("Lernen", "Pruefen"), ("fold1", "fold2", "fold3"), ("A", "B"), ("part one", "test")]
)
def test_folders_that_hold_nothing_but_the_same_folders(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    tree: dict[str, int] = {}
    for name in names:
        tree |= both(name, 3, 3)
    fix = refused(
        tmp_path, tree, "nothing but the same folders: cat/, dog/", f"{sorted(names)[0]}/"
    )
    assert "train/ and val/" in fix


def test_classes_that_hold_the_parts_themselves(tmp_path: Path) -> None:
    tree = {f"{name}/{part}": 3 for name in ("cat", "dog") for part in ("train", "test")}
    fix = refused(tmp_path, tree, str(tmp_path / "cat"), "names of parts")
    assert "train/cat/" in fix


def test_two_data_sets_side_by_side(tmp_path: Path) -> None:
    tree = (
        both("pets/train", 2, 2) | both("pets/val", 1, 1) | {"flowers/rose": 3, "flowers/lily": 3}
    )
    assert f"--data_dir {tmp_path / 'pets'}" in refused(tmp_path, tree, "names of parts")


@pytest.mark.parametrize("inner", ["images", "JPEGImages"])
def test_one_folder_inside_each_class_is_no_class(tmp_path: Path, inner: str) -> None:
    found = read(tmp_path, {f"cat/{inner}": 4, f"dog/{inner}": 4})
    assert (found.class_names, counts(found)) == (("cat", "dog"), (6, 2))


def test_folders_inside_a_class_are_named(tmp_path: Path) -> None:
    found = read(tmp_path, {"cat/wild": 4, "cat/tame": 4, "dog": 4, "dog/puppy": 4})
    assert counts(found) == (12, 4)
    (note,) = [note for note in found.notes if "count for it" in note]
    assert all(name in note for name in ("cat/wild/", "cat/tame/", "dog/puppy/"))


@pytest.mark.parametrize(
    ("tree", "inner"),
    [
        (both("data/train", 3, 3) | both("data/val", 1, 1), "data"),
        (both("archive/flowers", 3, 3), "archive/flowers"),
        (both("ILSVRC/Data/CLS-LOC/train", 3, 3), "ILSVRC/Data/CLS-LOC"),
        (both("images", 3, 3) | {"docs/readme.txt": b"x"}, "images"),
        (both("images", 3, 3) | {"__MACOSX/images/cat": 3}, "images"),
        (
            {"tiny-imagenet-200/wnids.txt": b"n1\nn2", "tiny-imagenet-200/train/n1": 1},
            "tiny-imagenet-200",
        ),
        ({"cifar-10-batches-bin/data_batch_1.bin": b""}, "cifar-10-batches-bin"),
        ({"arrays/digits.npz": b""}, "arrays"),
        ({"a/train": 3, "a/test": 3}, "a"),
    ],
)
def test_a_folder_too_high_is_answered_with_the_inner_one(
    tmp_path: Path, tree: Tree, inner: str
) -> None:
    assert f"--data_dir {tmp_path / inner}" in refused(tmp_path, tree)


def test_classes_too_far_down_in_a_part(tmp_path: Path) -> None:
    tree = both("train/images", 3, 3) | both("val/images", 1, 1)
    fix = refused(tmp_path / "both", tree, str(tmp_path / "both" / "train" / "images"))
    assert "up into" in fix
    tree = both("train", 3, 3) | both("val/images", 1, 1)
    fix = refused(tmp_path / "one", tree, "images, of which there are no training images")
    assert f"move what is in {tmp_path / 'one' / 'val' / 'images'} up into" in fix


@pytest.mark.parametrize(
    "names", [("images", "masks"), ("Images", "Labels"), ("img", "gt"), ("rgb", "depth", "masks")]
)
def test_pictures_with_what_is_drawn_over_them_are_no_classes(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    refused(tmp_path, dict.fromkeys(names, 4), f"{names[0]}/", "drawn over")


def test_one_class_is_refused_by_name(tmp_path: Path) -> None:
    refused(tmp_path, {"cat": 4}, "two classes or more", "cat/")
