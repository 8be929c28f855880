"""Images whose classes differ only in what is far apart: accuracy needs large receptive fields.

Every image is full of pairs of equal dots. The two dots of a pair stand a fixed distance apart,
side by side, one above the other, or on a diagonal, and that direction is the class. Single dots,
their number and their colours say nothing, so a network that sees less than the distance at
a resolution that still tells dots apart cannot learn, whatever its width.

The distance is 4 pixels of the `planted` space's 8x8 maps: a wide 7x7 kernel on these, with some
field before it, spans it where the dots' places are still known. On coarser maps they are lost, on
finer ones no kernel reaches that far.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

IMAGE_SIZE = 64
DISTANCE_PIXELS = 32
PAIRS = 70
DOT_PIXELS = 2
CLASS_NAMES = ("beside", "above", "diagonal")


def draw(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws images with labels in turn, every class equally often.

    Args:
        count: Number of images.
        seed: Of everything.

    Returns:
        (count, 64, 64, 3) uint8 and (count,) int32.
    """
    rng = np.random.default_rng((seed, 21))
    labels = (np.arange(count) % len(CLASS_NAMES)).astype(np.int32)
    rng.shuffle(labels)
    images = np.empty((count, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    for number, label in enumerate(labels):
        images[number] = _image(int(label), rng)
    return images, labels


def _image(label: int, rng: np.random.Generator) -> np.ndarray:
    # Drawn on a larger canvas, so that pairs may reach over the border.
    margin = DISTANCE_PIXELS + DOT_PIXELS
    size = IMAGE_SIZE + 2 * margin
    canvas = np.full((size, size), 0.5, np.float32)
    # As many pairs on each area, wherever the crop lies.
    count = round(PAIRS * (size / IMAGE_SIZE) ** 2)
    places = rng.integers(0, size - DOT_PIXELS, (count, 2))
    shades = rng.choice(np.array([0.1, 0.9], np.float32), count)
    diagonal = round(DISTANCE_PIXELS / np.sqrt(2.0))
    for (top, left), shade in zip(places.tolist(), shades, strict=True):
        # Mirroring an image turns one diagonal into the other: both are one class.
        side = diagonal if rng.random() < 0.5 else -diagonal
        down, right = ((0, DISTANCE_PIXELS), (DISTANCE_PIXELS, 0), (diagonal, side))[label]
        for y, x in ((top, left), (top + down, left + right)):
            if x >= 0 and x + DOT_PIXELS <= size and y + DOT_PIXELS <= size:
                canvas[y : y + DOT_PIXELS, x : x + DOT_PIXELS] = shade
    part = canvas[margin : margin + IMAGE_SIZE, margin : margin + IMAGE_SIZE, None]
    noisy = part + rng.normal(0.0, 0.06, (IMAGE_SIZE, IMAGE_SIZE, 3))
    return np.clip(noisy * 255.0, 0, 255).astype(np.uint8)


def write(path: Path, train: int, evaluation: int) -> None:
    """Writes an .npz that `--data_dir` reads, unless it is there.

    Args:
        path: Of the file.
        train: Training images.
        evaluation: Evaluation images.
    """
    if path.is_file():
        return
    (x_train, y_train), (x_test, y_test) = draw(train, 0), draw(evaluation, 1)
    part = path.with_suffix(".part.npz")
    np.savez(part, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    part.replace(path)
