"""Scores that a file, or Keras, gives for whole splits of images, and where two of them differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from latency.device.host import current_host
from nas.data import Split
from nas.data.loader import evaluation_batches
from nas.deployment.records import Parity
from nas.system.devices import device_count

# Images that one thread works on at a time, and that Keras gets in one call.
PART = 250
Told = Callable[[int, int], None]  # images done, and images in all


def tell_nobody(done: int, total: int) -> None:
    """Takes progress and says nothing."""


def onnx_scores(data: bytes, split: Split, told: Told = tell_nobody) -> np.ndarray:
    """Scores of an ONNX file through ONNX Runtime, one image at a time as it is used.

    Args:
        data: Of the file.
        split: Images.
        told: Told the progress.

    Returns:
        (images, classes) float32.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Each thread runs images of its own: more of them a second than several threads an image.
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(images: np.ndarray) -> np.ndarray:
        return np.concatenate([session.run(None, {name: image[None]})[0] for image in images])

    with ThreadPoolExecutor(current_host().cores_visible) as pool:
        return _joined(pool.map(run, _images(split)), len(split.labels), told)


def keras_scores(
    predict: Callable[[np.ndarray], np.ndarray], split: Split, told: Told = tell_nobody
) -> np.ndarray:
    """Scores of a Keras model.

    Args:
        predict: (batch, height, width, 3) pixels -> (batch, classes) scores.
        split: Images.
        told: Told the progress.

    Returns:
        (images, classes) float32.
    """
    devices = device_count()  # the last batch is filled up, and each can be divided
    size = math.ceil(min(PART, len(split.labels)) / devices) * devices

    def run(images: np.ndarray) -> np.ndarray:
        # The last batch is filled up, so that the compiled graph sees one shape only.
        missing = size - len(images)
        padded = np.pad(images, [(0, missing), (0, 0), (0, 0), (0, 0)]) if missing else images
        return np.asarray(predict(padded), np.float32)[: len(images)]

    return _joined(map(run, _images(split)), len(split.labels), told)


def shares(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Shares of images whose own class is the best one, and among the best five.

    A tie and a score that is no number count against the network, as in
    `nas.training.evaluation.accuracy`.

    Args:
        scores: (images, classes).
        labels: (images,) class indices.
    """
    own = scores[np.arange(len(labels)), labels]
    better = (~(scores < own[:, None])).sum(axis=1) - 1
    return float((better < 1).mean()), float((better < 5).mean())


def parity(keras: np.ndarray, file: np.ndarray, file_bytes: int) -> Parity:
    """How well a file's scores are those of Keras.

    Args:
        keras: (images, classes) scores of model.keras.
        file: Likewise of the file.
        file_bytes: Its size.
    """
    same = keras.argmax(axis=1) == file.argmax(axis=1)
    return Parity(
        max_abs_difference=float(np.abs(keras - file).max()),
        max_abs_logit=float(np.abs(keras).max()),
        top1_agreement=float(same.mean()),
        file_bytes=float(file_bytes),
        images=len(same),
        flips=int((~same).sum()),
    )


def _images(split: Split) -> Iterator[np.ndarray]:
    return (images for images, _ in evaluation_batches(split, PART))


def _joined(parts: Iterator[np.ndarray], total: int, told: Told) -> np.ndarray:
    done, found = 0, []
    for part in parts:
        found.append(part)
        done = min(total, done + len(part))
        told(done, total)
    return np.concatenate(found).astype(np.float32)
