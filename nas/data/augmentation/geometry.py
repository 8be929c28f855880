"""Crops, mirror images, rotations, blur and other sizes of uint8 images, each on its own."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageFilter

# The corners of a square that turns by 45 degrees reach out by this share of its side.
CORNER_SHARE = (math.sqrt(2.0) - 1.0) / 2.0


def reflected(images: np.ndarray, pixels: int) -> np.ndarray:
    """Images that go on beyond their borders as in a mirror, the border itself not repeated.

    Args:
        images: (n, height, width, channels).
        pixels: On each side, 0 or more.
    """
    around = (pixels, pixels)
    return np.pad(images, ((0, 0), around, around, (0, 0)), mode="reflect")


def crop_corners(
    count: int, pixels: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Top rows and left columns (n,) of windows in images that were reflected outwards.

    Args:
        count: How many.
        pixels: Of reflection on each side, 1 or more.
        rng: Source of chance.
    """
    return rng.integers(0, 2 * pixels + 1, count), rng.integers(0, 2 * pixels + 1, count)


def cropped(images: np.ndarray, pixels: int, corners: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Windows of the images' own size in the reflected images.

    Args:
        images: (n, height, width, channels).
        pixels: Of reflection on each side, 1 or more.
        corners: As `crop_corners` draws them.
    """
    count, height, width, _ = images.shape
    padded = reflected(images, pixels)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), (1, 2))
    # (n, height, width, channels) again: the window axes come last in the view.
    return np.ascontiguousarray(windows[np.arange(count), *corners].transpose(0, 2, 3, 1))


def mirrors(count: int, rng: np.random.Generator) -> np.ndarray:
    """Which images are mirrored, about half of them: (n,).

    Args:
        count: How many.
        rng: Source of chance.
    """
    return np.asarray(rng.random(count) < 0.5)


def mirrored(images: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Images of which some are mirrored left to right.

    Args:
        images: (n, height, width, channels).
        chosen: (n,) which.
    """
    return np.where(chosen[:, None, None, None], images[:, :, ::-1], images)


def rotated(images: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Images turned around their centre, with what a mirror at the border would show.

    Args:
        images: (n, height, width, channels) uint8.
        degrees: (n,) counter-clockwise.
    """
    height, width = images.shape[1:3]
    margin = math.ceil(CORNER_SHARE * max(height, width)) + 1
    found = np.empty_like(images)
    for n, (image, angle) in enumerate(
        zip(reflected(images, margin), np.radians(degrees), strict=True)
    ):
        # Rounded, so that right angles are exact: Pillow cuts fractions of values off.
        cos, sin = round(math.cos(angle), 12), round(math.sin(angle), 12)
        # Where an output pixel comes from: its distance from the centre, turned back.
        x = width / 2 + margin - cos * width / 2 + sin * height / 2
        y = height / 2 + margin - sin * width / 2 - cos * height / 2
        turned = Image.fromarray(image).transform(
            (width, height),
            Image.Transform.AFFINE,
            (cos, -sin, x, sin, cos, y),
            Image.Resampling.BILINEAR,
        )
        found[n] = np.asarray(turned)
    return found


def blurred(images: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Images blurred by a Gaussian, which Pillow builds of three box filters.

    Args:
        images: (n, height, width, channels) uint8.
        sigmas: (n,) standard deviations in pixels, 0 or more.
    """
    found = np.empty_like(images)
    for n, (image, sigma) in enumerate(zip(images, sigmas, strict=True)):
        soft = Image.fromarray(image).filter(ImageFilter.GaussianBlur(float(sigma)))
        found[n] = np.asarray(soft)
    return found


def resized(images: np.ndarray, size: int) -> np.ndarray:
    """Smaller images, every pixel the mean of those that it stands for.

    Args:
        images: (n, height, width, channels) uint8.
        size: Height and width in pixels, 1 or more.
    """
    count, height, width, channels = images.shape
    if (height, width) == (size, size):
        return images
    found = np.empty((count, size, size, channels), np.uint8)
    for n, image in enumerate(images):
        smaller = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
        found[n] = np.asarray(smaller)
    return found
