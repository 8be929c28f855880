"""Random crops and mirror images, vectorised on uint8."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nas.ranges import check_count


@dataclass(frozen=True)
class Augmentation:
    """What is done to training images.

    Args:
        crop_padding_pixels: The image is reflected outwards by this much, then cropped back
            to its size at a random place; 0 for none.
        flip: Mirrored left to right with probability one half.

    Raises:
        InputError: The padding is negative.
    """

    crop_padding_pixels: int = 4
    flip: bool = True

    def __post_init__(self) -> None:
        check_count("crop_padding_pixels", self.crop_padding_pixels, least=0)

    def apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Augments images (n, height, width, channels), each on its own.

        Args:
            images: uint8; not changed.
            rng: Source of chance.
        """
        count, height, width, _ = images.shape
        pad = self.crop_padding_pixels
        if pad:
            tops = rng.integers(0, 2 * pad + 1, count)
            lefts = rng.integers(0, 2 * pad + 1, count)
            padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
            windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), (1, 2))
            # (n, height, width, channels) again: the window axes come last in the view.
            images = windows[np.arange(count), tops, lefts].transpose(0, 2, 3, 1)
        if self.flip:
            mirrored = np.asarray(rng.random(count) < 0.5)
            images = np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)
        return images
