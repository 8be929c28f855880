"""Batches that are made on the device of the training, out of images that stay there.

What chance decides is drawn on the host, so that a batch is the same wherever it is made.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from nas.data.augment import NOISES
from nas.data.augmentation.boxes import GREY
from nas.data.loader import Plan
from nas.system.devices import device_count

Tensor = Any  # a tensor of whichever backend Keras runs on
NOISE_SEED = 0
# A place in all pixels is a whole number of 32 bits, with a sign.
MOST_PIXELS = 2**31 - 1
# Weights, maps and the rest need room as well.
SHARE_OF_MEMORY = 0.4
# Where the device is the processor, its memory is that of all programs.
MOST_BYTES_ON_PROCESSOR = 2**28


class DeviceImages:
    """The images of a split on the device, and batches of them by their plans.

    Args:
        images: All images (n, height, width, 3) uint8, which are copied to the device; None where
            plans bring their own.
        side: Height and width of the images in pixels.
        num_classes: Of the targets.
        crop_padding_pixels: As the augmentation has it.
        erases: Whether the augmentation erases.
    """

    def __init__(
        self,
        images: np.ndarray | None,
        side: tuple[int, int],
        num_classes: int,
        crop_padding_pixels: int,
        erases: bool,
    ) -> None:
        self._side, self._classes = side, num_classes
        self._padding = crop_padding_pixels
        self.is_resident = images is not None
        self.arrays: dict[str, Tensor] = {}
        if images is not None:
            pixels = np.asarray(images).reshape(-1, images.shape[-1])
            self.arrays["pixels"] = ops.convert_to_tensor(pixels)
        if erases:
            rng = np.random.default_rng(NOISE_SEED)
            noise = rng.integers(0, 256, (NOISES, *side, 3), np.uint8)
            self.arrays["noises"] = ops.convert_to_tensor(noise)

    def batch(
        self, plan: Plan | dict[str, Tensor], arrays: dict[str, Tensor], size: int | None = None
    ) -> Tensor:
        """Pixels (n, height, width, 3) float32 and targets (n, classes) float32.

        Args:
            plan: Of `BatchLoader.plan`.
            arrays: `self.arrays`, or what a compiled function got in their place.
            size: Height and width that the images are made smaller to, before they are mixed; None
                where they keep theirs.
        """
        pixels = plan["images"] if "images" in plan else self._taken(plan, arrays["pixels"])
        if "erased" in plan:
            noise = ops.take(arrays["noises"], plan["noise"], axis=0)
            pixels = ops.where(_mask(plan["erased"], self._side), noise, pixels)
        if "cut" in plan:
            pixels = ops.where(_mask(plan["cut"], self._side), ops.cast(GREY, "uint8"), pixels)
        pixels = ops.cast(pixels, "float32")
        side = self._side if size is None else (size, size)
        if side != self._side:
            pixels = _smaller(pixels, side)
        targets = ops.one_hot(plan["labels"], self._classes, dtype="float32")
        if "others" not in plan:
            return pixels, targets
        blended = ops.reshape(plan["blended"], (-1, 1, 1, 1))
        own = blended * ops.cast(~_mask(plan["pasted"], side), "float32")
        pixels = own * pixels + (1.0 - own) * ops.take(pixels, plan["others"], axis=0)
        share = ops.reshape(plan["share"], (-1, 1))
        targets = share * targets + (1.0 - share) * ops.take(targets, plan["others"], axis=0)
        return pixels, targets

    def _taken(self, plan: Plan | dict[str, Tensor], pixels: Tensor) -> Tensor:
        """Images of rows, cropped after reflection and mirrored, read in one go."""
        height, width = self._side
        rows = ops.reshape(ops.arange(height, dtype="int32"), (1, -1))
        columns = ops.reshape(ops.arange(width, dtype="int32"), (1, -1))
        if "mirrored" in plan:
            chosen = ops.reshape(plan["mirrored"], (-1, 1))
            columns = ops.where(chosen, width - 1 - columns, columns)
        if "tops" in plan:
            rows = _reflected(rows + ops.reshape(plan["tops"], (-1, 1)) - self._padding, height)
            lefts = ops.reshape(plan["lefts"], (-1, 1)) - self._padding
            columns = _reflected(columns + lefts, width)
        firsts = ops.reshape(plan["rows"], (-1, 1)) * height
        lines = ops.expand_dims((firsts + rows) * width, 2)
        return ops.take(pixels, lines + ops.expand_dims(columns, 1), axis=0)


def _mask(boxes: Tensor, side: tuple[int, int]) -> Tensor:
    """Which pixels lie inside of one rectangle an image: (n, height, width, 1)."""
    inside = []
    for axis, length in enumerate(side):
        places = ops.reshape(ops.arange(length, dtype="int32"), (1, -1))
        first, behind = boxes[:, axis, None], boxes[:, axis + 2, None]
        inside.append((places >= first) & (places < behind))
    return inside[0][:, :, None, None] & inside[1][:, None, :, None]


def _smaller(pixels: Tensor, side: tuple[int, int]) -> Tensor:
    """Whole levels, as the host has them; Pillow rounds once more on the way."""
    found = ops.image.resize(pixels, side, "bilinear", antialias=True, data_format="channels_last")
    return ops.clip(ops.round(found), 0.0, 255.0)


def _reflected(places: Tensor, length: int) -> Tensor:
    """Places beyond a border as in a mirror, the border itself not repeated."""
    return length - 1 - ops.abs(length - 1 - ops.abs(places))


def fit_on_device(images: np.ndarray, memory_bytes: int | None) -> bool:
    """Whether all images of a split should stay on the device.

    Args:
        images: (n, height, width, 3) uint8.
        memory_bytes: Of the device; None where it is the processor, or nobody knows.
    """
    pixels = math.prod(images.shape[:3])
    most = MOST_BYTES_ON_PROCESSOR if memory_bytes is None else SHARE_OF_MEMORY * memory_bytes
    return pixels <= MOST_PIXELS and pixels * images.shape[3] <= most


def device_memory_bytes() -> int | None:
    """Memory of JAX's device; None for a processor."""
    import jax

    found = jax.local_devices()[0].memory_stats() or {}
    return found.get("bytes_limit")


def has_device_steps() -> bool:
    """Whether Keras runs on a backend for which steps are made here: JAX, on one device.

    Images that stay on one device would have to be cut out on each of several, see decision 0066.
    """
    return keras.backend.backend() == "jax" and device_count() == 1
