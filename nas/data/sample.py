"""The embedded sample: images drawn by this program, so that the first run needs no data.

Twelve classes: capital letters made of straight strokes, somewhere in the image, turned, slanted
and squeezed, each with other colours, and crossed by short strokes that mean nothing. Every letter
is partly like another (E and F, H and N), so that parts alone tell some letters and only the whole
tells all: small networks learn most images and larger ones the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NAME = "embedded sample"
IMAGE_SIZE = 32
# Strokes of a letter as x0, y0, x1, y1 in a square from -1 to 1, y downwards.
LETTERS: dict[str, tuple[tuple[float, float, float, float], ...]] = {
    "A": ((-0.8, 1, 0, -1), (0, -1, 0.8, 1), (-0.45, 0.25, 0.45, 0.25)),
    "E": ((-0.7, -1, -0.7, 1), (-0.7, -1, 0.7, -1), (-0.7, 0, 0.5, 0), (-0.7, 1, 0.7, 1)),
    "F": ((-0.7, -1, -0.7, 1), (-0.7, -1, 0.7, -1), (-0.7, 0, 0.5, 0)),
    "H": ((-0.7, -1, -0.7, 1), (0.7, -1, 0.7, 1), (-0.7, 0, 0.7, 0)),
    "K": ((-0.7, -1, -0.7, 1), (-0.7, 0, 0.7, -1), (-0.7, 0, 0.7, 1)),
    "L": ((-0.7, -1, -0.7, 1), (-0.7, 1, 0.7, 1)),
    "M": ((-0.8, 1, -0.8, -1), (-0.8, -1, 0, 0.2), (0, 0.2, 0.8, -1), (0.8, -1, 0.8, 1)),
    "N": ((-0.7, 1, -0.7, -1), (-0.7, -1, 0.7, 1), (0.7, 1, 0.7, -1)),
    "T": ((-0.8, -1, 0.8, -1), (0, -1, 0, 1)),
    "X": ((-0.8, -1, 0.8, 1), (0.8, -1, -0.8, 1)),
    "Y": ((-0.8, -1, 0, 0), (0.8, -1, 0, 0), (0, 0, 0, 1)),
    "Z": ((-0.8, -1, 0.8, -1), (0.8, -1, -0.8, 1), (-0.8, 1, 0.8, 1)),
}
CLASS_NAMES = tuple(LETTERS)
MOST_STROKES = max(len(strokes) for strokes in LETTERS.values())
# How much images of one class differ: the larger, the more a network must be able to do.
STRAY_STROKES = 2
TURN_RADIANS = 0.4
SLANT = 0.25
LETTER_SHARES = (0.55, 0.9)  # height and width of a letter as shares of the image's
STRAY_SHARES = (0.12, 0.25)
SHAKE = 0.08  # standard deviation of a stroke's ends, in the letter's square
CONTRASTS = (0.3, 0.65)
NOISE = 0.05
THICKNESS_PIXELS = (1.2, 2.6)  # at 32 pixels


@dataclass(frozen=True)
class SampleSize:
    """Images drawn for each split."""

    train: int
    evaluation: int


DEFAULT = SampleSize(train=10_000, evaluation=2_000)
SMOKE = SampleSize(train=240, evaluation=48)


def labels_of(count: int) -> np.ndarray:
    """(count,) int32: as many of each class as `draw` draws, in the order of the classes.

    Args:
        count: Number of images.
    """
    return np.sort(np.arange(count, dtype=np.int32) % len(CLASS_NAMES))


def draw(count: int, seed: int, image_size: int = IMAGE_SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Draws images with labels in random order, every class equally often.

    Args:
        count: Number of images.
        seed: Of everything.
        image_size: Height and width in pixels; everything grows with it.

    Returns:
        (count, image_size, image_size, 3) uint8 and (count,) int32.
    """
    rng = np.random.default_rng((seed, image_size))
    labels = (np.arange(count) % len(CLASS_NAMES)).astype(np.int32)
    rng.shuffle(labels)
    images = np.empty((count, image_size, image_size, 3), np.uint8)
    for start in range(0, count, 512):
        part = slice(start, min(count, start + 512))
        letters, drawn = _letter_strokes(labels[part], rng, image_size)
        strays = _stray_strokes(len(letters), rng, image_size)
        strokes = np.concatenate([letters, strays], axis=1)
        always = np.ones(strays.shape[:2], bool)
        ink = _ink(strokes, np.concatenate([drawn, always], axis=1), rng, image_size)
        canvas = _coloured(ink, rng)
        canvas += rng.normal(0.0, NOISE, canvas.shape).astype(np.float32)
        images[part] = np.clip(canvas * 255.0, 0, 255).astype(np.uint8)
    return images, labels


def _letter_strokes(
    labels: np.ndarray, rng: np.random.Generator, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Strokes (n, strokes, 4) in pixels, whole letters inside the image, and which are drawn."""
    drawn = np.array([[i < len(s) for i in range(MOST_STROKES)] for s in LETTERS.values()])[labels]
    # Unused places repeat the first stroke, so that they never reach beyond the letter.
    padded = [(*s, *[s[0]] * (MOST_STROKES - len(s))) for s in LETTERS.values()]
    strokes = np.array(padded)[labels]
    strokes = strokes + rng.normal(0.0, SHAKE, strokes.shape)
    count = len(labels)
    ends = strokes.reshape(count, 2 * MOST_STROKES, 2)
    halves = rng.uniform(*LETTER_SHARES, (count, 2, 1)) * size / 2
    slants = rng.uniform(-SLANT, SLANT, (count, 1))
    x = (ends[..., 0] + slants * ends[..., 1]) * halves[:, 0]
    y = ends[..., 1] * halves[:, 1]
    turns = rng.uniform(-TURN_RADIANS, TURN_RADIANS, (count, 1))
    turned = np.stack(
        [np.cos(turns) * x - np.sin(turns) * y, np.sin(turns) * x + np.cos(turns) * y], axis=-1
    )
    # A wide letter that was turned may be larger than the image, and half of it is another letter.
    widest = np.ptp(turned, axis=1).max(axis=1)
    turned *= np.minimum(1.0, (size - 3.0) / widest)[:, None, None]
    least, most = 1.0 - turned.min(axis=1), size - 2.0 - turned.max(axis=1)
    moved = turned + (least + (most - least) * rng.random((count, 2)))[:, None]
    return moved.reshape(count, MOST_STROKES, 4), drawn


def _stray_strokes(count: int, rng: np.random.Generator, size: int) -> np.ndarray:
    """Short strokes (n, strokes, 4) anywhere, in pixels."""
    begins = rng.uniform(0, size, (count, STRAY_STROKES, 2))
    lengths = rng.uniform(*STRAY_SHARES, (count, STRAY_STROKES, 1)) * size
    angles = rng.uniform(0, 2 * np.pi, (count, STRAY_STROKES))
    towards = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return np.concatenate([begins, begins + lengths * towards], axis=-1)


def _ink(strokes: np.ndarray, drawn: np.ndarray, rng: np.random.Generator, size: int) -> np.ndarray:
    """(n, size, size) float32, 1 on a stroke and 0 beside it; one thickness an image."""
    count = len(strokes)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    nearest = np.full((count, size, size), np.inf, np.float32)
    for number in range(strokes.shape[1]):
        ends = strokes[:, number].astype(np.float32)
        x0, y0, x1, y1 = (ends[:, i, None, None] for i in range(4))
        dx, dy = x1 - x0, y1 - y0
        # The nearest point of the stroke, as a share of the way from its begin to its end.
        share = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy + 1e-6), 0, 1)
        distance = np.hypot(x - x0 - share * dx, y - y0 - share * dy)
        distance[~drawn[:, number]] = np.inf
        np.minimum(nearest, distance, out=nearest)
    thickness = rng.uniform(*THICKNESS_PIXELS, count).astype(np.float32) * size / 32
    return np.clip(thickness[:, None, None] / 2 + 0.5 - nearest, 0, 1)


def _coloured(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n, size, size, 3) float32 from 0 to 1: shaded paper, and lighter or darker ink."""
    count, size, _ = ink.shape
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    paper = rng.uniform(0.2, 0.8, (count, 1, 1, 3))
    slope = rng.uniform(-0.3, 0.3, (2, count, 1, 1))
    shade = (slope[0] * x + slope[1] * y)[..., None]
    contrast = rng.uniform(*CONTRASTS, (count, 1, 1, 1))
    lighter = rng.random((count, 1, 1, 1)) < 0.5
    level = paper.mean(axis=-1, keepdims=True)
    # Ink that would leave the range of colours goes the other way.
    lighter = (lighter & (level + contrast < 1.05)) | (level - contrast < -0.05)
    hue = rng.normal(0.0, 0.05, (count, 1, 1, 3))
    ink_colour = np.where(lighter, contrast, -contrast) + hue
    canvas: np.ndarray = (paper + shade + ink[..., None] * ink_colour).astype(np.float32)
    return canvas
