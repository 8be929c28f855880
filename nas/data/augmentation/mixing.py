"""MixUp and CutMix: images of two, with targets of two classes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nas.data.augmentation.boxes import Boxes, box_mask
from nas.errors import InputError
from nas.ranges import check_number


@dataclass(frozen=True)
class Mixture:
    """How the images of a batch are mixed, each with one other.

    Args:
        others: (n,) places of the others in the batch.
        boxes: (n, 4) what is pasted of the other, inside of the image; empty where nothing is.
        blended: (n,) float32 share of the image itself, from 0 to 1; 1 where nothing is blended.
        side: Height and width of the images in pixels.
    """

    others: np.ndarray
    boxes: Boxes
    blended: np.ndarray
    side: tuple[int, int]

    @property
    def share(self) -> np.ndarray:
        """Share of each image itself in its targets: (n,) float32."""
        tops, lefts, bottoms, rights = self.boxes.T
        pasted = (bottoms - tops) * (rights - lefts) / math.prod(self.side)
        share: np.ndarray = (self.blended * (1.0 - pasted)).astype(np.float32)
        return share


@dataclass(frozen=True)
class Mixing:
    """Images are mixed with others of their batch, and their targets in the same shares.

    Where both kinds have an alpha, each image gets one of them, with probability one half.

    Source: MixUp, Zhang et al. 2017, arXiv 1710.09412; CutMix, Yun et al. 2019, arXiv 1905.04899.

    Args:
        mixup_alpha: Both parameters of the Beta distribution of an image's own share in MixUp,
            above 0; 0.2 is usual. None for no MixUp.
        cutmix_alpha: The same for CutMix, where a rectangle of the other image is pasted, above 0;
            1 is usual. None for no CutMix.
        mixing_probability: Share of the images that are mixed, above 0 and up to 1.

    Raises:
        InputError: A value is out of its range, or a probability is named with nothing to mix by.
    """

    mixup_alpha: float | None = None
    cutmix_alpha: float | None = None
    mixing_probability: float = 1.0

    def __post_init__(self) -> None:
        check_number("mixup_alpha", self.mixup_alpha, above=0, optional=True)
        check_number("cutmix_alpha", self.cutmix_alpha, above=0, optional=True)
        check_number("mixing_probability", self.mixing_probability, above=0, most=1)
        if not self.is_on and self.mixing_probability != 1.0:
            raise InputError(
                "mixup_alpha or cutmix_alpha with mixing_probability",
                f"{self.mixing_probability:g} without either",
                "set mixup_alpha or cutmix_alpha to a number above 0, or leave all of them out",
            )

    @property
    def is_on(self) -> bool:
        """Whether images are mixed."""
        return (self.mixup_alpha, self.cutmix_alpha) != (None, None)

    def check_size(self, size: int) -> None:
        """Refuses images of which no part can be pasted.

        Args:
            size: Height and width in pixels.

        Raises:
            InputError: They are of one pixel.
        """
        if self.cutmix_alpha is not None and size < 2:
            raise InputError(
                "images of 2 pixels or more a side with cutmix_alpha",
                f"{size}, of which no part can be pasted",
                "leave cutmix_alpha out, or use mixup_alpha",
            )

    def draw(self, count: int, side: tuple[int, int], rng: np.random.Generator) -> Mixture:
        """How the images of a batch are mixed.

        Args:
            count: Number of images.
            side: Height and width of the images in pixels.
            rng: Source of chance.
        """
        others = _partners(count, rng)
        is_mixed = rng.random(count) < self.mixing_probability
        pastes = self._pastes(count, rng)
        own = np.where(pastes, _beta(self.cutmix_alpha, count, rng), 1.0)
        boxes = _boxes(own, side, rng)
        # Of a rectangle only what lies inside of the image counts.
        boxes = np.clip(boxes, 0, [*side, *side]) * (is_mixed & pastes)[:, None]
        blended = np.where(is_mixed & ~pastes, _beta(self.mixup_alpha, count, rng), 1.0)
        return Mixture(others, boxes, blended.astype(np.float32), side)

    def apply(
        self, images: np.ndarray, targets: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mixed images and their targets.

        Args:
            images: (n, height, width, channels) float32.
            targets: (n, classes) float32, each row of sum 1.
            rng: Source of chance.
        """
        side = images.shape[1:3]
        mixture = self.draw(len(images), side, rng)
        others, share = mixture.others, mixture.share
        outside = np.where(box_mask(mixture.boxes, side), 0.0, 1.0).astype(np.float32)
        pixel_share = (outside * mixture.blended[:, None, None])[..., None]
        mixed = images * pixel_share + images[others] * (1.0 - pixel_share)
        return mixed, targets * share[:, None] + targets[others] * (1.0 - share[:, None])

    def _pastes(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Which images get a rectangle of another one: (n,)."""
        drawn = rng.random(count) < 0.5
        if self.mixup_alpha is None or self.cutmix_alpha is None:
            return np.full(count, self.cutmix_alpha is not None)
        return drawn


def _partners(count: int, rng: np.random.Generator) -> np.ndarray:
    """For each image another one of the batch, itself only where there is no other: (n,)."""
    order = rng.permutation(count)
    found = np.empty(count, int)
    found[order] = np.roll(order, 1)
    return found


def _beta(alpha: float | None, count: int, rng: np.random.Generator) -> np.ndarray:
    # Drawn either way, so that one kind does not change what the other draws.
    return rng.beta(alpha or 1.0, alpha or 1.0, count)


def _boxes(own: np.ndarray, side: tuple[int, int], rng: np.random.Generator) -> Boxes:
    """Rectangles that leave about the own share, around any pixel; they may hang over borders."""
    height, width = side
    ratio = np.sqrt(1.0 - own)
    heights, widths = (np.rint(length * ratio).astype(int) for length in (height, width))
    tops = rng.integers(0, height, len(own)) - heights // 2
    lefts = rng.integers(0, width, len(own)) - widths // 2
    return np.stack([tops, lefts, tops + heights, lefts + widths], axis=1)
