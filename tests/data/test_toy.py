"""At toy size few images are used, however many there are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nas.data import Dataset, Split
from nas.data.look import Looks
from nas.data.toy import EVALUATION_IMAGES, TRAIN_IMAGES, toy_looks, toy_part


def dataset(train: int, evaluation: int, classes: int = 3, order: str = "mixed") -> Dataset:
    splits = []
    for count in (train, evaluation):
        labels = (np.arange(count) % classes).astype(np.int32)
        labels = np.sort(labels) if order == "sorted" else labels
        # Each image has its place in it, so that it can be told from all others.
        places = np.arange(count, dtype="<u4").view(np.uint8).reshape(count, 1, 1, 4)
        splits.append(Split(np.tile(places[..., :3], (1, 2, 2, 1)), labels))
    names = tuple(f"class {n}" for n in range(classes))
    return Dataset("many", splits[0], splits[1], names, 2, "0" * 16, is_sample=False)


def places_of(split: Split) -> np.ndarray:
    pixels = split.images[:, 0, 0].astype(int)
    return pixels @ np.array([1, 256, 65536])


@pytest.mark.parametrize("order", ["mixed", "sorted"])
def test_the_first_images_of_each_class_are_left(order: str) -> None:
    whole = dataset(100_000, 10_000, order=order)
    part = toy_part(whole)
    for found, all_of_it, count in (
        (part.train, whole.train, TRAIN_IMAGES),
        (part.evaluation, whole.evaluation, EVALUATION_IMAGES),
    ):
        assert np.array_equal(np.bincount(found.labels), [count // 3] * 3)
        places = places_of(found)
        assert np.all(np.diff(places) > 0), "in their order"
        assert np.array_equal(found.labels, all_of_it.labels[places])
        for label in range(3):
            own = np.flatnonzero(all_of_it.labels == label)[: count // 3]
            assert np.array_equal(places[found.labels == label], own)
    assert part.notes == (
        "Toy size: 480 of 100000 training and 120 of 10000 evaluation images, the first of each "
        "class.",
    )
    assert part.class_names == whole.class_names and part.name == whole.name


def test_many_classes_have_some_images_each() -> None:
    part = toy_part(dataset(100_000, 10_000, classes=1000))
    assert np.array_equal(np.bincount(part.train.labels), [4] * 1000)
    assert np.array_equal(np.bincount(part.evaluation.labels), [1] * 1000)


def test_a_class_with_few_images_keeps_them() -> None:
    whole = dataset(3000, 300)
    labels = np.where(np.arange(3000) < 2, 1, 2 * (np.arange(3000) % 2)).astype(np.int32)
    part = toy_part(replace(whole, train=Split(whole.train.images, labels)))
    assert np.array_equal(np.bincount(part.train.labels), [160, 2, 160])


def test_fingerprints_tell_the_whole_from_its_part() -> None:
    whole = dataset(5000, 500)
    part, again = toy_part(whole), toy_part(dataset(5000, 500))
    assert part.fingerprint == again.fingerprint != whole.fingerprint
    assert len(part.fingerprint) == 16 and int(part.fingerprint, 16) >= 0
    others = [dataset(5000, 500, order="sorted"), replace(whole, fingerprint="1" * 16)]
    assert part.fingerprint not in {toy_part(other).fingerprint for other in others}


def test_small_data_and_samples_stay_as_they_are() -> None:
    small = dataset(TRAIN_IMAGES, EVALUATION_IMAGES)
    assert toy_part(small) is small
    drawn = replace(dataset(5000, 500), is_sample=True)
    assert toy_part(drawn) is drawn
    assert toy_looks(Looks.of(drawn)).train_labels is drawn.train.labels
    part = toy_part(dataset(5000, EVALUATION_IMAGES - 3))
    assert len(part.evaluation.labels) == EVALUATION_IMAGES - 3 and toy_part(part) is part


def test_what_is_looked_at_is_what_will_be_left() -> None:
    whole = dataset(5000, 500, classes=7)
    looks, part = toy_looks(Looks.of(whole)), toy_part(whole)
    assert np.array_equal(looks.train_labels, part.train.labels)
    assert np.array_equal(looks.evaluation_labels, part.evaluation.labels)
