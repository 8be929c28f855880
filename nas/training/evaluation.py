"""Accuracy on whole splits, and statistics averaged anew."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import keras
import numpy as np

from nas.data import Split
from nas.data.loader import evaluation_batches
from nas.errors import InputError
from nas.layers.batch_norm import BatchNorm
from nas.layers.fast import Tensor
from nas.system.devices import device_count
from nas.system.graphs import one_graph


@dataclass(frozen=True)
class Accuracy:
    """Shares from 0 to 1 over `count` images."""

    top1: float
    top5: float
    cross_entropy: float
    count: int


def accuracy(
    predict: Callable[[np.ndarray], np.ndarray],
    split: Split,
    batch_size: int = 250,
    indices: np.ndarray | None = None,
) -> Accuracy:
    """Top-1 and top-5 over every image, the last partial batch included.

    Args:
        predict: (batch, height, width, 3) pixels -> (batch, classes) scores.
        split: Images and labels.
        batch_size: Images a call at most; fewer where there are fewer images.
        indices: Part of the split; None for all of it.

    Raises:
        InputError: There are no images.
    """
    rows = np.arange(len(split.labels)) if indices is None else np.asarray(indices)
    if not len(rows):
        raise InputError("images to evaluate on", "none", "name at least one index of the split")
    devices = device_count()  # the last batch is filled up, and each can be divided
    size = math.ceil(min(batch_size, len(rows)) / devices) * devices
    top1 = top5 = 0
    losses: list[float] = []
    for images, labels in evaluation_batches(split, size, rows):
        # The last batch is filled up, so that the compiled graph sees one shape only.
        missing = size - len(images)
        padded = np.pad(images, [(0, missing), (0, 0), (0, 0), (0, 0)]) if missing else images
        scores = np.asarray(predict(padded), np.float64)[: len(labels)]
        own = scores[np.arange(len(labels)), labels]
        # A tie counts against the network, else equal scores would all be right; so does what is no
        # number, which is neither below another one nor above it.
        better = (~(scores < own[:, None])).sum(axis=1) - 1
        top1 += int((better < 1).sum())
        top5 += int((better < 5).sum())
        shifted = scores - scores.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=1)) + scores.max(axis=1)
        losses += (log_sum - own).tolist()
    count = len(losses)
    # Summed without rounding, so that the mean does not depend on the batches.
    return Accuracy(top1 / count, top5 / count, _exact_sum(losses) / count, count)


def _exact_sum(values: list[float]) -> float:
    """The sum of numbers in any order; NaN where one of them is none, infinite where one is."""
    is_finite = all(math.isfinite(value) for value in values)
    return math.fsum(values) if is_finite else sum(values)


def batch_norm_layers(model: keras.Model) -> Iterator[BatchNorm]:
    """All our normalisation layers of a model, nested ones included."""
    for layer in model._flatten_layers():
        if isinstance(layer, BatchNorm):
            yield layer


@contextmanager
def own_momentum(layers: Iterable[BatchNorm]) -> Iterator[Callable[[Tensor], None]]:
    """Lets the momentum of normalisations be set; at the end all have their own again.

    The momentum is read when a graph is traced, so a compiled graph keeps the one of its tracing,
    unless it is an argument of the graph.

    Args:
        layers: Normalisations of a model.

    Yields:
        Sets the momentum of all of them, a share of the old statistics from 0 to below 1.
    """
    kept = [(layer, layer.momentum) for layer in layers]

    def set_momentum(momentum: Tensor) -> None:
        for layer, _ in kept:
            layer.momentum = momentum

    try:
        yield set_momentum
    finally:
        for layer, momentum in kept:
            layer.momentum = momentum


def reestimate_statistics(model: keras.Model, batches: Iterator[np.ndarray]) -> int:
    """Replaces running statistics by the mean over batches under the current weights.

    Weights that were averaged, or shared with other networks, have statistics that belong
    to other weights; accuracies under those say nothing.

    Args:
        model: With `BatchNorm` layers.
        batches: Pixels (batch, height, width, 3), about 20 of them.

    Returns:
        Number of batches used.
    """
    count = 0
    with own_momentum(batch_norm_layers(model)) as set_momentum:

        def average(images: Tensor, momentum: Tensor) -> None:
            set_momentum(momentum)
            model(images, training=True)

        run = one_graph(average, model)
        for images in batches:
            # i / (i + 1) makes the running value the plain mean of the batches so far.
            run(images, count / (count + 1))
            count += 1
    return count
