"""The embedded sample: images drawn by this program, so that the first run needs no data.

Twelve classes = 3 grounds x 4 arrangements. The ground is a local cue (direction of noisy
stripes). The arrangement is a distant one: a disc and a ring stand far apart, side by side
or one above the other, and which is which decides. A network that sees both marks at once
must be deep or have large kernels; one that sees a part cannot tell the order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

IMAGE_SIZE = 64
GROUNDS = ("level", "rising", "falling")
ARRANGEMENTS = ("disc_left", "disc_right", "disc_above", "disc_below")
CLASS_NAMES = tuple(f"{g}_{a}" for g in GROUNDS for a in ARRANGEMENTS)
MARK_PIXELS = 11
# Milder than the marks, so that the order of the marks is what costs effort.
STRIPE_ANGLES = {"level": 0.0, "rising": np.pi / 3, "falling": -np.pi / 3}


@dataclass(frozen=True)
class SampleSize:
    """Images drawn for each split."""

    train: int
    evaluation: int


DEFAULT = SampleSize(train=7200, evaluation=1200)
SMOKE = SampleSize(train=240, evaluation=48)


def draw(count: int, seed: int, image_size: int = IMAGE_SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Draws images with labels in turn, every class equally often.

    Args:
        count: Number of images.
        seed: Of everything.
        image_size: Height and width in pixels; the drawing is made for 64.

    Returns:
        (count, image_size, image_size, 3) uint8 and (count,) int32.
    """
    rng = np.random.default_rng((seed, image_size))
    labels = (np.arange(count) % len(CLASS_NAMES)).astype(np.int32)
    rng.shuffle(labels)
    images = np.empty((count, image_size, image_size, 3), np.uint8)
    for start in range(0, count, 512):
        part = slice(start, min(count, start + 512))
        canvas = _grounds(labels[part] // len(ARRANGEMENTS), rng, image_size)
        _add_marks(canvas, labels[part] % len(ARRANGEMENTS), rng)
        canvas += rng.normal(0.0, 0.06, canvas.shape).astype(np.float32)
        images[part] = np.clip(canvas * 255.0, 0, 255).astype(np.uint8)
    return images, labels


def _grounds(kinds: np.ndarray, rng: np.random.Generator, size: int) -> np.ndarray:
    """(n, size, size, 3) float32 stripes between two random colours, 0 to 1."""
    count = len(kinds)
    angles = np.array(list(STRIPE_ANGLES.values()))[kinds] + rng.normal(0, 0.12, count)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    period = rng.uniform(4.0, 9.0, count) * size / IMAGE_SIZE
    along = np.sin(angles)[:, None, None] * x[None] + np.cos(angles)[:, None, None] * y[None]
    phase = rng.uniform(0, 2 * np.pi, count)[:, None, None]
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * along / period[:, None, None] + phase)
    first = rng.uniform(0.2, 0.8, (count, 1, 1, 3))
    second = np.clip(first + rng.uniform(-0.3, 0.3, (count, 1, 1, 3)), 0.1, 0.9)
    grounds: np.ndarray = (first + (second - first) * wave[..., None]).astype(np.float32)
    return grounds


def _stamps(pixels: int) -> dict[str, np.ndarray]:
    """Masks (pixels, pixels) of the marks, 0 to 1."""
    centre = (pixels - 1) / 2
    y, x = np.mgrid[0:pixels, 0:pixels] - centre
    radius = np.hypot(x, y)
    disc = np.clip(centre + 0.5 - radius, 0, 1)
    ring = disc * np.clip(radius - (centre - 2.2), 0, 1)
    bar = (np.abs(x) < 1.6) * (np.abs(y) < centre - 0.5)
    cross = np.maximum(bar, bar.T)
    return {"disc": disc, "ring": ring, "cross": cross.astype(float)}


def _add_marks(canvas: np.ndarray, arrangements: np.ndarray, rng: np.random.Generator) -> None:
    """Puts disc, ring and two crosses, which mean nothing, on each image."""
    size = canvas.shape[1]
    pixels = max(5, round(MARK_PIXELS * size / IMAGE_SIZE)) | 1
    stamps = _stamps(pixels)
    room = size - pixels
    for image, arrangement in zip(canvas, arrangements, strict=True):
        distance = int(rng.uniform(0.46, 0.62) * size)
        # Along the axis of the arrangement: first mark, then `distance` further the second.
        near = int(rng.integers(0, room - distance + 1))
        across = int(rng.integers(0, room + 1))
        drift = int(rng.integers(-6, 7))
        beside = int(np.clip(across + drift, 0, room))
        places = [(near, across), (near + distance, beside)]
        if arrangement in (1, 3):
            places.reverse()
        if arrangement < 2:  # side by side: the axis is x
            places = [(b, a) for a, b in places]
        taken = list(places)
        for _ in range(2):
            spot = (int(rng.integers(0, room + 1)), int(rng.integers(0, room + 1)))
            if all(max(abs(spot[0] - t[0]), abs(spot[1] - t[1])) > pixels for t in taken):
                taken.append(spot)
                _stamp(image, stamps["cross"], spot, rng)
        _stamp(image, stamps["disc"], places[0], rng)
        _stamp(image, stamps["ring"], places[1], rng)


def _stamp(
    image: np.ndarray, mask: np.ndarray, place: tuple[int, int], rng: np.random.Generator
) -> None:
    """Blends a mark of a light or dark random colour into an image."""
    top, left = place
    area = image[top : top + mask.shape[0], left : left + mask.shape[1]]
    light = rng.random() < 0.5
    colour = rng.uniform(0.85, 1.0, 3) if light else rng.uniform(0.0, 0.12, 3)
    area += mask[..., None].astype(np.float32) * (colour.astype(np.float32) - area)
