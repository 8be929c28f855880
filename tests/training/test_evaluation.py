"""Accuracy over whole splits, and statistics that are made anew."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pytest

from nas.data import Split
from nas.deployment.scores import shares
from nas.errors import InputError
from nas.layers.batch_norm import BatchNorm
from nas.training.evaluation import (
    accuracy,
    batch_norm_layers,
    own_momentum,
    reestimate_statistics,
)

CLASSES = 7


def toy_split(count: int) -> Split:
    rng = np.random.default_rng(count)
    images = rng.integers(0, 256, (count, 4, 4, 3), np.uint8)
    return Split(images, rng.integers(0, CLASSES, count).astype(np.int32))


class Scores:
    """Each image's scores follow from its own pixels alone; counts what it was asked for."""

    def __init__(self) -> None:
        self.weights = np.random.default_rng(1).standard_normal((48, CLASSES))
        self.sizes: list[int] = []

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.sizes.append(len(images))
        flat = images.reshape(len(images), -1).astype(np.float64)
        # One image at a time: a product of matrices may sum in another order for other shapes.
        return np.stack([row @ self.weights for row in flat]).astype(np.float32)


@pytest.mark.parametrize("count", [1, 5, 64])
def test_accuracy_is_exactly_the_same_for_every_batch_size(count: int) -> None:
    split = toy_split(count)
    expected = accuracy(Scores(), split, 1)
    assert expected.count == count
    for batch_size in (2, 3, 16, 63, 64, 65, 250):
        assert accuracy(Scores(), split, batch_size) == expected


def test_no_batch_is_larger_than_the_data() -> None:
    scores = Scores()
    accuracy(scores, toy_split(48))
    assert scores.sizes == [48]
    scores = Scores()
    accuracy(scores, toy_split(48), 20)
    assert scores.sizes == [20, 20, 20]  # one shape only, else graphs are traced again
    scores = Scores()
    accuracy(scores, toy_split(48), 20, indices=np.arange(7))
    assert scores.sizes == [7]


def test_top5_counts_what_is_among_the_best_five_and_a_tie_counts_against() -> None:
    labels = np.array([0, 4, 5, 1], np.int32)
    table = np.tile(np.arange(CLASSES, 0, -1, dtype=np.float32), (4, 1))
    table[3] = 1.0
    split = Split(np.zeros((4, 2, 2, 3), np.uint8), labels)
    found = accuracy(lambda images: table, split, 4)
    assert (found.top1, found.top5) == (0.25, 0.5)


def test_scores_that_overflow_are_neither_hidden_nor_an_error() -> None:
    split = Split(np.zeros((2, 2, 2, 3), np.uint8), np.zeros(2, np.int32))
    with np.errstate(invalid="ignore"):
        found = accuracy(lambda images: np.full((2, CLASSES), np.nan, np.float32), split, 2)
    assert np.isnan(found.cross_entropy)
    assert (found.count, found.top1, found.top5) == (2, 0.0, 0.0)


def test_a_score_that_is_no_number_counts_against_the_network() -> None:
    split = Split(np.zeros((3, 2, 2, 3), np.uint8), np.zeros(3, np.int32))
    table = np.tile(np.arange(CLASSES, 0, -1, dtype=np.float32), (3, 1))
    table[0, 3] = table[1, 0] = np.nan
    with np.errstate(invalid="ignore"):
        found = accuracy(lambda images: table, split, 3)
    # Of one image another class has no number, of one the own class has none, and one is right.
    assert (found.top1, found.top5) == (1 / 3, 2 / 3)
    assert shares(table, split.labels) == (found.top1, found.top5)


def test_nothing_to_evaluate_on_is_refused() -> None:
    with pytest.raises(InputError, match="images to evaluate on"):
        accuracy(Scores(), toy_split(3), indices=np.array([], int))


def toy_model() -> keras.Model:
    return keras.Sequential([keras.Input((4, 4, 3)), BatchNorm(momentum=0.9)])


def test_statistics_are_the_plain_mean_over_batches() -> None:
    model = toy_model()
    batches = np.random.default_rng(0).uniform(0, 255, (3, 8, 4, 4, 3)).astype(np.float32)
    assert reestimate_statistics(model, iter(batches)) == 3
    (norm,) = batch_norm_layers(model)
    expected = batches.mean(axis=(0, 1, 2, 3))
    # float32 means of a few thousand pixels up to 255, averaged three times.
    np.testing.assert_allclose(keras.ops.convert_to_numpy(norm.mean), expected, rtol=1e-5)
    assert norm.momentum == 0.9


def test_the_momentum_comes_back_after_an_exception() -> None:
    model = toy_model()

    def broken() -> Iterator[np.ndarray]:
        yield np.zeros((2, 4, 4, 3), np.float32)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        reestimate_statistics(model, broken())
    assert [norm.momentum for norm in batch_norm_layers(model)] == [0.9]


def test_each_normalisation_gets_its_own_momentum_back() -> None:
    norms = [BatchNorm(0.9), BatchNorm(0.5)]
    with own_momentum(norms) as set_momentum:
        set_momentum(0.0)
        assert [norm.momentum for norm in norms] == [0.0, 0.0]
    assert [norm.momentum for norm in norms] == [0.9, 0.5]
