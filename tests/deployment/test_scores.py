"""Scores over whole splits, and the images on which two files differ."""

from __future__ import annotations

import numpy as np
import pytest

from nas.architecture.text import parse
from nas.architecture.weights import random_weights
from nas.builders.onnx_model import to_onnx_bytes
from nas.data import Split
from nas.deployment import scores as module
from nas.deployment.flips import flips
from nas.deployment.scores import keras_scores, onnx_scores, parity, shares
from nas.training.evaluation import accuracy


def split(count: int, size: int = 8, classes: int = 6) -> Split:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, size, size, 3)).astype(np.uint8)
    return Split(images, rng.integers(0, classes, count).astype(np.int32))


def test_shares_are_those_of_our_own_evaluation_ties_included() -> None:
    images = split(40)
    # Few values: many of the best scores are equal.
    scores = np.random.default_rng(1).integers(0, 9, (40, 6)).astype(np.float32)
    rows = iter(scores.reshape(4, 10, 6))
    own = accuracy(lambda _: next(rows), images, batch_size=10)
    assert shares(scores, images.labels) == (own.top1, own.top5)
    assert 0 < own.top1 < own.top5


@pytest.mark.parametrize("part", [3, 7, 250])
def test_every_image_is_scored_once_and_in_order(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PART", part)
    images, told = split(7), list[tuple[int, int]]()

    def predict(batch: np.ndarray) -> np.ndarray:
        assert len(batch) == min(part, 7), "one shape for the compiled graph"
        return batch[:, 0, 0, :]

    found = keras_scores(predict, images, lambda *done: told.append(done))
    assert np.array_equal(found, images.images[:, 0, 0, :].astype(np.float32))
    assert told[-1] == (7, 7)


def test_an_onnx_file_scores_a_whole_split_as_image_by_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import onnxruntime

    network = parse("in_s8 cn_k3_s2_c8 gap fc_c6")
    data, images = to_onnx_bytes(network, random_weights(network)), split(9)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    expected = [
        session.run(None, {"image": image[None].astype(np.float32)})[0][0]
        for image in images.images
    ]
    monkeypatch.setattr(module, "PART", 2)  # several threads have parts of it
    assert np.array_equal(onnx_scores(data, images), expected)


def test_every_image_with_another_class_is_listed_with_both_margins() -> None:
    keras = np.array([[1, 2, 0], [5, 1, 1], [0, 0, 3]], np.float32)
    file = np.array([[2, 1.5, 0], [5, 1, 1], [0, 4, 3]], np.float32)
    found = flips("fp32", keras, file, np.array([1, 0, 0]))
    assert [(f.image, f.label, f.keras_class, f.file_class) for f in found] == [
        (0, 1, 1, 0),
        (2, 0, 2, 1),
    ]
    assert [(f.keras_margin, f.file_margin) for f in found] == [(1.0, 0.5), (3.0, 1.0)]
    whole = parity(keras, file, 10)
    assert (whole.images, whole.flips, whole.top1_agreement) == (3, 2, pytest.approx(1 / 3))
    assert (whole.max_abs_difference, whole.max_abs_logit, whole.file_bytes) == (4.0, 5.0, 10.0)
