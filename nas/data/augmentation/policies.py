"""RandAugment and TrivialAugment: changes of colour and shape drawn for each image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from nas.errors import InputError
from nas.ranges import check_count, check_number

# Strengths come in this many steps above none, as in the published code of both.
STEPS = 30
# What stands where an image was moved away: the network sees about 0.
GREY = (128, 128, 128)
Change = Callable[[Image.Image, float], Image.Image]


@dataclass(frozen=True)
class Operation:
    """One kind of change.

    Args:
        change: From image and strength to image; at strength 0 nothing changes.
        usual: Greatest strength in RandAugment.
        wide: Greatest strength in TrivialAugment.
        is_signed: Whether the strength is negative for half of the images.
        moves: Whether `usual` is a share of the image's side, and `wide` pixels.
    """

    change: Change
    usual: float = 0.0
    wide: float = 0.0
    is_signed: bool = False
    moves: bool = False

    def greatest(self, side: int, is_wide: bool) -> float:
        """Greatest strength, of a move in pixels.

        Args:
            side: Of the image in pixels.
            is_wide: Whether for TrivialAugment.
        """
        if is_wide:
            return self.wide
        return self.usual * side if self.moves else self.usual


def _affine(image: Image.Image, *rows: float) -> Image.Image:
    return image.transform(
        image.size, Image.Transform.AFFINE, rows, Image.Resampling.BILINEAR, fillcolor=GREY
    )


def _enhance(kind: Callable[[Image.Image], ImageEnhance._Enhance]) -> Change:
    return lambda image, strength: kind(image).enhance(1.0 + strength)


# The fourteen of both papers. Ranges are those of RandAugment and of TrivialAugment's wide space.
OPERATIONS: Mapping[str, Operation] = {
    "identity": Operation(lambda image, _: image),
    "auto_contrast": Operation(lambda image, _: ImageOps.autocontrast(image)),
    "equalize": Operation(lambda image, _: ImageOps.equalize(image)),
    "rotate": Operation(
        lambda image, degrees: image.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=GREY),
        30.0,
        135.0,
        is_signed=True,
    ),
    # Pixels from a threshold on are inverted: none at strength 0, all at 256.
    "solarize": Operation(
        lambda image, strength: ImageOps.solarize(image, round(256 - strength)), 256.0, 256.0
    ),
    "color": Operation(_enhance(ImageEnhance.Color), 0.9, 0.99, is_signed=True),
    # The strength is how many of the eight bits are dropped.
    "posterize": Operation(
        lambda image, strength: ImageOps.posterize(image, 8 - round(strength)), 4.0, 6.0
    ),
    "contrast": Operation(_enhance(ImageEnhance.Contrast), 0.9, 0.99, is_signed=True),
    "brightness": Operation(_enhance(ImageEnhance.Brightness), 0.9, 0.99, is_signed=True),
    "sharpness": Operation(_enhance(ImageEnhance.Sharpness), 0.9, 0.99, is_signed=True),
    "shear_x": Operation(lambda image, s: _affine(image, 1, s, 0, 0, 1, 0), 0.3, 0.99, True),
    "shear_y": Operation(lambda image, s: _affine(image, 1, 0, 0, s, 1, 0), 0.3, 0.99, True),
    "translate_x": Operation(
        lambda image, pixels: _affine(image, 1, 0, pixels, 0, 1, 0), 150 / 331, 32.0, True, True
    ),
    "translate_y": Operation(
        lambda image, pixels: _affine(image, 1, 0, 0, 0, 1, pixels), 150 / 331, 32.0, True, True
    ),
}
NAMES = tuple(OPERATIONS)


@dataclass(frozen=True)
class RandAugment:
    """Some operations of fourteen, drawn for each image, all of one strength.

    Source: Cubuk et al. 2019, arXiv 1909.13719.

    Args:
        rand_augment_magnitude: Strength of each operation, from 0 to 30; 9 is usual. None for no
            RandAugment. Two operations, the contrast that fills the range and the equal histogram,
            have no strength.
        rand_augment_operations: Operations an image, 1 or more, one after the other.

    Raises:
        InputError: A value is out of its range, or operations are named without a magnitude.
    """

    rand_augment_magnitude: float | None = None
    rand_augment_operations: int = 2

    def __post_init__(self) -> None:
        magnitude = self.rand_augment_magnitude
        check_number("rand_augment_magnitude", magnitude, least=0, most=STEPS, optional=True)
        check_count("rand_augment_operations", self.rand_augment_operations)
        if magnitude is None and self.rand_augment_operations != 2:
            raise InputError(
                "rand_augment_magnitude with rand_augment_operations",
                f"{self.rand_augment_operations} operations without a magnitude",
                "set rand_augment_magnitude to a number from 0 to 30, or leave both out",
            )

    def apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Changes images (n, height, width, 3), each on its own.

        Args:
            images: uint8.
            rng: Source of chance.
        """
        count = len(images)
        kinds = rng.integers(0, len(NAMES), (count, self.rand_augment_operations))
        levels = np.full(count, float(self.rand_augment_magnitude or 0.0))
        return _changed(images, kinds, levels, _signs(kinds, rng), is_wide=False)


def trivially_augmented(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Images after one operation of fourteen each, of any strength.

    Args:
        images: (n, height, width, 3) uint8.
        rng: Source of chance.

    Source: Mueller and Hutter 2021, arXiv 2103.10158, the wide space.
    """
    kinds = rng.integers(0, len(NAMES), (len(images), 1))
    levels = rng.integers(0, STEPS + 1, len(images)).astype(float)
    return _changed(images, kinds, levels, _signs(kinds, rng), is_wide=True)


def _signs(kinds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(kinds.shape) < 0.5, -1.0, 1.0)


def _changed(
    images: np.ndarray, kinds: np.ndarray, levels: np.ndarray, signs: np.ndarray, is_wide: bool
) -> np.ndarray:
    """Images after their operations.

    Args:
        images: (n, height, width, 3) uint8.
        kinds: (n, operations) places in `NAMES`.
        levels: (n,) strengths, 0 to `STEPS`.
        signs: (n, operations) of strengths.
        is_wide: Whether ranges are TrivialAugment's.
    """
    side = min(images.shape[1:3])
    found = np.empty_like(images)
    for n, pixels in enumerate(images):
        image = Image.fromarray(pixels)
        for kind, sign in zip(kinds[n], signs[n], strict=True):
            operation = OPERATIONS[NAMES[kind]]
            strength = operation.greatest(side, is_wide) * levels[n] / STEPS
            image = operation.change(image, strength * sign if operation.is_signed else strength)
        found[n] = np.asarray(image)
    return found
