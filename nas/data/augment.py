"""What is done to training images: one record, and its changes in their order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from nas.data.augmentation import geometry
from nas.data.augmentation.boxes import Cutout, Erasing
from nas.data.augmentation.mixing import Mixing
from nas.data.augmentation.policies import RandAugment, trivially_augmented
from nas.errors import InputError
from nas.ranges import check_count, check_number

Streams = dict[str, np.random.Generator]
# Each change draws from a stream of its own, so that one more leaves the others as they were.
# A later one goes to the end.
STREAMS = ("rotation", "policy", "blur", "erasing", "cutout", "mixing")
# Where a device erases, it takes the noise from so many pictures of it.
NOISES = 256


@dataclass(frozen=True)
class Augmentation:
    """What is done to training images, in this order, each image on its own.

    Args:
        crop_padding_pixels: The image is reflected outwards by this much, then cropped back
            to its size at a random place; 0 for none.
        flip: Mirrored left to right with probability one half.
        rotation_degrees: Turned by an angle from minus this to this, from 0, for none, to 180; the
            corners show a reflection.
        rand_augment: Operations of one strength.
        trivial_augment: One operation of any strength, in place of RandAugment.
        blur_sigma_pixels: Blurred by a Gaussian whose standard deviation is drawn from 0 to this;
            0 for none.
        erasing: A rectangle of noise.
        cutout: A grey square.
        mixing: With other images of the batch, after all others.

    Raises:
        InputError: A value is out of its range, or both policies are asked for.
    """

    crop_padding_pixels: int = 4
    flip: bool = True
    rotation_degrees: float = 0.0
    rand_augment: RandAugment = RandAugment()
    trivial_augment: bool = False
    blur_sigma_pixels: float = 0.0
    erasing: Erasing = Erasing()
    cutout: Cutout = Cutout()
    mixing: Mixing = Mixing()

    def __post_init__(self) -> None:
        check_count("crop_padding_pixels", self.crop_padding_pixels, least=0)
        check_number("rotation_degrees", self.rotation_degrees, least=0, most=180)
        check_number("blur_sigma_pixels", self.blur_sigma_pixels, least=0)
        magnitude = self.rand_augment.rand_augment_magnitude
        if self.trivial_augment and magnitude is not None:
            raise InputError(
                "one of rand_augment_magnitude and trivial_augment",
                f"magnitude {magnitude:g} and trivial_augment",
                "leave trivial_augment out, or set rand_augment_magnitude to None",
            )

    def check_size(self, size: int) -> None:
        """Refuses images that are too small for what is to be done to them.

        Args:
            size: Height and width in pixels.

        Raises:
            InputError: They are.
        """
        padding = self.crop_padding_pixels
        if 1 < size <= padding:  # a single pixel is the same however far it is reflected
            raise InputError(
                f"crop_padding_pixels from 0 to {size - 1}, as far as an image of {size} pixels "
                "is reflected once",
                f"{padding}",
                f"set crop_padding_pixels to {size - 1} or less",
            )
        pixels = self.cutout.cutout_pixels
        if pixels is not None and pixels > size:
            raise InputError(
                f"cutout_pixels from 1 to {size}, the side of the images",
                f"{pixels}",
                f"set cutout_pixels to {size} or less",
            )
        self.mixing.check_size(size)

    def apply(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Changes images (n, height, width, 3), each on its own; none is mixed.

        Args:
            images: uint8; not changed.
            rng: Source of chance, fresh from its seed.
        """
        streams = self._streams(rng)
        images = self._moved(images, rng, streams)
        if self.erasing.erasing_probability:
            images = self.erasing.apply(images, streams["erasing"])
        if self.cutout.is_on:
            images = self.cutout.apply(images, streams["cutout"])
        return images

    def moved(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The first part of `apply`: all but what `drawn` stands for.

        Args:
            images: (n, height, width, 3) uint8; not changed.
            rng: Source of chance, fresh from its seed.
        """
        return self._moved(images, rng, self._streams(rng))

    def _moved(self, images: np.ndarray, rng: np.random.Generator, streams: Streams) -> np.ndarray:
        count = len(images)
        if self.crop_padding_pixels:
            corners = geometry.crop_corners(count, self.crop_padding_pixels, rng)
            images = geometry.cropped(images, self.crop_padding_pixels, corners)
        if self.flip:
            images = geometry.mirrored(images, geometry.mirrors(count, rng))
        if self.rotation_degrees:
            most = self.rotation_degrees
            images = geometry.rotated(images, streams["rotation"].uniform(-most, most, count))
        if self.rand_augment.rand_augment_magnitude is not None:
            images = self.rand_augment.apply(images, streams["policy"])
        if self.trivial_augment:
            images = trivially_augmented(images, streams["policy"])
        if self.blur_sigma_pixels:
            sigmas = streams["blur"].uniform(0.0, self.blur_sigma_pixels, count)
            images = geometry.blurred(images, sigmas)
        return images

    @property
    def needs_pillow(self) -> bool:
        """Whether images are changed in ways that only the host knows."""
        has_policy = self.rand_augment.rand_augment_magnitude is not None or self.trivial_augment
        return bool(self.rotation_degrees or self.blur_sigma_pixels or has_policy)

    def drawn(
        self,
        count: int,
        side: tuple[int, int],
        rng: np.random.Generator,
        *,
        is_moved: bool,
        mixed_side: tuple[int, int] | None = None,
    ) -> dict[str, np.ndarray]:
        """What chance decided about a batch, for whoever changes its images elsewhere.

        It is what `apply` and `mix` would have drawn, the noise of erasing excepted.

        Args:
            count: Images of the batch.
            side: Their height and width in pixels.
            rng: Source of chance, fresh from its seed.
            is_moved: Whether the images went through `moved` already.
            mixed_side: Their height and width when they are mixed; None where it is `side`.

        Returns:
            `tops` and `lefts` of crops, which images are `mirrored`, boxes that are `erased` and
            `cut`, one of `NOISES` kinds of `noise`, and `others`, `pasted` boxes, the `blended`
            and the whole own `share` of mixed ones; only of what is on.
        """
        streams = self._streams(rng)
        found: dict[str, np.ndarray] = {}
        if self.crop_padding_pixels and not is_moved:
            corners = geometry.crop_corners(count, self.crop_padding_pixels, rng)
            found["tops"], found["lefts"] = corners
        if self.flip and not is_moved:
            found["mirrored"] = geometry.mirrors(count, rng)
        if self.erasing.erasing_probability:
            found["erased"] = self.erasing.boxes(count, side, streams["erasing"])
            found["noise"] = streams["erasing"].integers(0, NOISES, count)
        if self.cutout.is_on:
            found["cut"] = self.cutout.boxes(count, side, streams["cutout"])
        if self.mixing.is_on:
            mixture = self.mixing.draw(count, mixed_side or side, streams["mixing"])
            found |= {
                "others": mixture.others,
                "pasted": mixture.boxes,
                "blended": mixture.blended,
                "share": mixture.share,
            }
        # JAX has no whole numbers of 64 bits.
        is_whole = {name: np.issubdtype(array.dtype, np.integer) for name, array in found.items()}
        return {n: array.astype(np.int32) if is_whole[n] else array for n, array in found.items()}

    def mix(
        self, images: np.ndarray, targets: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mixes the images of a batch, and their targets; the same images where nothing is mixed.

        Args:
            images: (n, height, width, 3) float32.
            targets: (n, classes) float32, each row of sum 1.
            rng: Source of chance, fresh from its seed.
        """
        if not self.mixing.is_on:
            return images, targets
        return self.mixing.apply(images, targets, self._streams(rng)["mixing"])

    @staticmethod
    def _streams(rng: np.random.Generator) -> Streams:
        return dict(zip(STREAMS, rng.spawn(len(STREAMS)), strict=True))

    @property
    def mild(self) -> Self:
        """Crops and mirror images alone: what images of the same kind may look like.

        Statistics of a finished network are taken on these. What it will see has no grey squares,
        no noise, and is of one class.
        """
        plain = Augmentation()
        return replace(
            self,
            rotation_degrees=0.0,
            rand_augment=plain.rand_augment,
            trivial_augment=False,
            blur_sigma_pixels=0.0,
            erasing=plain.erasing,
            cutout=plain.cutout,
            mixing=plain.mixing,
        )

    @property
    def unmixed(self) -> Self:
        """The same without mixing: every image keeps its one label."""
        return replace(self, mixing=Mixing())
