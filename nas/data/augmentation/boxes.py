"""Rectangles of images that are erased: random erasing and cutout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nas.errors import InputError
from nas.ranges import check_count, check_number

# A mid grey, which the network sees as about 0.
GREY = 128
# Height over width of what is erased, relative to those of the image, lies from this to its
# inverse.
LEAST_ASPECT = 0.3


# (n, 4): first row, first column, row and column after the last ones, of a rectangle of each image.
# It may hang over the borders, and an empty one begins where it ends.
Boxes = np.ndarray


def box_mask(boxes: Boxes, side: tuple[int, int]) -> np.ndarray:
    """Which pixels lie inside of one rectangle an image: (n, height, width).

    Args:
        boxes: One rectangle an image.
        side: Height and width of the images in pixels.
    """
    tops, lefts, bottoms, rights = boxes.T[:, :, None]
    rows, columns = (np.arange(length) for length in side)
    in_rows = (rows >= tops) & (rows < bottoms)
    in_columns = (columns >= lefts) & (columns < rights)
    inside: np.ndarray = in_rows[:, :, None] & in_columns[:, None, :]
    return inside


@dataclass(frozen=True)
class Erasing:
    """A rectangle of an image becomes noise.

    Source: Zhong et al. 2017, arXiv 1708.04896, with random values.

    Args:
        erasing_probability: Share of the images that it happens to, from 0, for none, to 1.
        erasing_share: Least and greatest share of an image's pixels, each above 0 and up to 1.

    Raises:
        InputError: A value is out of its range, or the least is above the greatest.
    """

    erasing_probability: float = 0.0
    erasing_share: tuple[float, float] = (0.02, 0.33)

    def __post_init__(self) -> None:
        check_number("erasing_probability", self.erasing_probability, least=0, most=1)
        for share in self.erasing_share:
            check_number("erasing_share", share, above=0, most=1)
        least, most = self.erasing_share
        if least > most:
            raise InputError(
                "the least erasing_share before the greatest", f"{least:g}:{most:g}", "swap them"
            )
        if not self.erasing_probability and self.erasing_share != Erasing.erasing_share:
            raise InputError(
                "erasing_probability above 0 with erasing_share",
                f"{least:g}:{most:g} with probability 0",
                "set erasing_probability to a number above 0 and up to 1, or leave both out",
            )

    def boxes(self, count: int, side: tuple[int, int], rng: np.random.Generator) -> Boxes:
        """What is erased of each image; nothing of those that are not chosen.

        Args:
            count: Number of images.
            side: Height and width of the images in pixels.
            rng: Source of chance.
        """
        height, width = side
        chosen = rng.random(count) < self.erasing_probability
        share = rng.uniform(*self.erasing_share, count)
        # Drawn among those that fit into the image, so that the share is always reached.
        aspect = np.maximum(LEAST_ASPECT, share) ** rng.uniform(-1.0, 1.0, count)
        heights = np.maximum(1, np.rint(height * np.sqrt(share * aspect))).astype(int)
        widths = np.maximum(1, np.rint(width * np.sqrt(share / aspect))).astype(int)
        tops = rng.integers(0, height - heights + 1)
        lefts = rng.integers(0, width - widths + 1)
        bottoms, rights = tops + heights * chosen, lefts + widths * chosen
        return np.stack([tops, lefts, bottoms, rights], axis=1)

    def apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Erases images (n, height, width, channels), each on its own.

        Args:
            images: uint8.
            rng: Source of chance.
        """
        side = images.shape[1:3]
        mask = box_mask(self.boxes(len(images), side, rng), side)
        noise = rng.integers(0, 256, images.shape, np.uint8)
        return np.where(mask[..., None], noise, images)


@dataclass(frozen=True)
class Cutout:
    """A square of every image becomes grey; its centre lies anywhere, so that it may be cut off.

    Source: DeVries and Taylor 2017, arXiv 1708.04552.

    Args:
        cutout_pixels: Side of the square in pixels, 1 or more; None for no cutout.
        cutout_share: The same as a share of the image's side, above 0 and up to 1.

    Raises:
        InputError: A value is out of its range, or both are given.
    """

    cutout_pixels: int | None = None
    cutout_share: float | None = None

    def __post_init__(self) -> None:
        if self.cutout_pixels is not None:
            check_count("cutout_pixels", self.cutout_pixels)
        check_number("cutout_share", self.cutout_share, above=0, most=1, optional=True)
        if None not in (self.cutout_pixels, self.cutout_share):
            raise InputError(
                "one of cutout_pixels and cutout_share",
                f"{self.cutout_pixels} and {self.cutout_share:g}",
                "set one of them to None",
            )

    @property
    def is_on(self) -> bool:
        """Whether anything is cut out."""
        return (self.cutout_pixels, self.cutout_share) != (None, None)

    def side(self, image_side: int) -> int:
        """Side of the square in pixels.

        Args:
            image_side: Of the image in pixels.
        """
        if self.cutout_share is not None:
            return max(1, round(self.cutout_share * image_side))
        return self.cutout_pixels or 0

    def boxes(self, count: int, side: tuple[int, int], rng: np.random.Generator) -> Boxes:
        """What is cut out of each image.

        Args:
            count: Number of images.
            side: Height and width of the images in pixels.
            rng: Source of chance.
        """
        height, width = side
        length = self.side(min(height, width))
        tops = rng.integers(0, height, count) - length // 2
        lefts = rng.integers(0, width, count) - length // 2
        return np.stack([tops, lefts, tops + length, lefts + length], axis=1)

    def apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Cuts a square out of images (n, height, width, channels), each on its own.

        Args:
            images: uint8.
            rng: Source of chance.
        """
        side = images.shape[1:3]
        mask = box_mask(self.boxes(len(images), side, rng), side)
        return np.where(mask[..., None], np.uint8(GREY), images)
