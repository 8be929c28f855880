"""Accuracy on whole splits, and statistics averaged anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import keras
import numpy as np

from nas.data import Split
from nas.data.loader import evaluation_batches
from nas.layers.batch_norm import BatchNorm


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
        batch_size: Images a call.
        indices: Part of the split; None for all of it.
    """
    top1 = top5 = count = 0
    total_loss = 0.0
    for images, labels in evaluation_batches(split, batch_size, indices):
        # The last batch is filled up, so that the compiled graph sees one shape only.
        missing = batch_size - len(images)
        padded = np.pad(images, [(0, missing), (0, 0), (0, 0), (0, 0)]) if missing else images
        scores = np.asarray(predict(padded), np.float64)[: len(labels)]
        own = scores[np.arange(len(labels)), labels]
        # A tie counts against the network, else equal scores would all be right.
        better = (scores >= own[:, None]).sum(axis=1) - 1
        top1 += int((better < 1).sum())
        top5 += int((better < 5).sum())
        shifted = scores - scores.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=1)) + scores.max(axis=1)
        total_loss += float((log_sum - own).sum())
        count += len(labels)
    return Accuracy(top1 / count, top5 / count, total_loss / count, count)


def batch_norm_layers(model: keras.Model) -> Iterator[BatchNorm]:
    """All our normalisation layers of a model, nested ones included."""
    for layer in model._flatten_layers():
        if isinstance(layer, BatchNorm):
            yield layer


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
    layers = list(batch_norm_layers(model))
    before = [layer.momentum for layer in layers]
    count = 0
    for images in batches:
        for layer in layers:
            # i / (i + 1) makes the running value the plain mean of the batches so far.
            layer.momentum = count / (count + 1)
        model(images, training=True)
        count += 1
    for layer, momentum in zip(layers, before, strict=True):
        layer.momentum = momentum
    return count
