"""The teacher of a run: other classes are refused, and one that knows nothing is warned of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.data import Dataset, Split
from nas.errors import InputError
from nas.pipeline.teaching import teaching_for
from nas.training.recipe import Recipe
from nas.training.teachers.reading import read_teacher, with_file
from nas.training.teachers.settings import Distillation
from tests.support.teachers import ToyTeacher, expected_scores
from tests.support.toy import IMAGE_SIZE, SAMPLE_CLASSES

NAMES = ("ant", "bee", "cat", "dog")
SIZE = 8


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Images whose labels are what a `ToyTeacher` says of them."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (200, 1, 1, 3)) + np.zeros((1, SIZE, SIZE, 1), np.int64)
    labels = expected_scores(images, len(NAMES)).argmax(axis=1).astype(np.int32)
    split = Split(images.astype(np.uint8), labels)
    return Dataset("toy", split, split, NAMES, SIZE, "0", False)


def recipe_with(toy: ToyTeacher, folder: Path) -> Recipe:
    path = toy.write(folder / "teacher.onnx")
    return Recipe(1.0, distillation=with_file(Distillation(str(path))))


PLAIN = ToyTeacher(classes=4, size=SIZE)


@pytest.mark.parametrize(
    ("toy", "text"),
    [
        (replace(PLAIN, classes=10), "10 classes instead of 4"),
        (replace(PLAIN, class_names=("ant", "bee", "cat", "elk")), "no class dog; a new class elk"),
        (
            replace(PLAIN, class_names=("ant", "bee", "dog", "cat")),
            "number 2 is dog instead of cat",
        ),
        (replace(PLAIN, classes=3, class_names=("ant", "bee", "cat")), "no class dog"),
    ],
)
def test_a_teacher_of_other_classes_is_refused(
    toy: ToyTeacher, text: str, dataset: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=text) as caught:
        teaching_for(recipe_with(toy, tmp_path), dataset)
    assert caught.value.expected == "a teacher of the 4 classes of toy, in their order"


def test_a_teacher_is_tried_on_training_images_and_said(
    dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = teaching_for(recipe_with(PLAIN, tmp_path), dataset)
    assert found is not None and found.warnings == ()
    said = " ".join(capsys.readouterr().out.split())
    assert "8 × 8 px, pixels (its metadata); top-1 100.00% on 200 training images" in said
    assert "Weight 0.9, temperature 4." in said


def test_a_teacher_that_knows_nothing_of_the_classes_is_warned_of(
    dataset: Dataset, tmp_path: Path
) -> None:
    mixed = np.random.default_rng(0).permutation(dataset.train.labels)
    other = replace(dataset, train=Split(dataset.train.images, mixed))
    found = teaching_for(recipe_with(PLAIN, tmp_path), other)
    assert found is not None
    (warning,) = found.warnings
    assert "naming one class always would reach" in warning
    assert "its classes may stand in another order" in warning


def test_without_a_teacher_there_is_nothing_to_read(dataset: Dataset) -> None:
    assert teaching_for(Recipe(1.0), dataset) is None


@pytest.mark.parametrize("name", ["", "largest"])
def test_a_finished_run_has_two_teachers(name: str, toy_retrained: Path) -> None:
    settings = with_file(Distillation(str(toy_retrained / name)))
    found = read_teacher(settings, IMAGE_SIZE)
    assert found is not None and found.classes == SAMPLE_CLASSES == len(found.class_names or ())
    assert found.input.text == "32 × 32 px, pixels (its metadata)"
    network = found.path.parent.relative_to(toy_retrained).as_posix()
    assert network == (name or ".")
