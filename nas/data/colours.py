"""Pixels of any kind -> 8-bit RGB, or grey values of 16 bits whose range the data set tells."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from PIL import Image

# White: what lies under transparent pixels, and beside images that are padded.
BACKGROUND = (255, 255, 255)
# Bits a value that instruments and cameras have; the smallest that holds a data set is its range.
BITS = (8, 10, 12, 14, 16)
LARGEST = 2**16 - 1
# Files whose header says what white is: Pillow spreads their values over all 16 bits.
SCALED_FORMATS = frozenset({"PPM", "JPEG2000"})
# Pillow's names of 16-bit values in either order of bytes; `BGR;16` has 16 bits a pixel.
UPPER_BYTES = re.compile(r";16[BLN]")


class UnknownRangeError(ValueError):
    """Pixels of which nobody says what is black and what is white."""


def keeps_upper_bytes(image: Image.Image) -> bool:
    """Whether Pillow keeps only the upper byte of each 16-bit value, as it does for colours.

    Args:
        image: Opened and not yet loaded.
    """
    tiles: list[Any] = getattr(image, "tile", [])
    return not _is_wide(image) and any(UPPER_BYTES.search(str(tile[3])) for tile in tiles)


def rgb_or_grey(image: Image.Image) -> tuple[Image.Image, bool]:
    """An image as RGB, or as floating-point grey (mode F) where its values have 16 bits.

    Args:
        image: Loaded, of any mode.

    Returns:
        The image, and whether a pixel of it was transparent; it lies on `BACKGROUND` then.

    Raises:
        UnknownRangeError: The range of the values is not known.
    """
    if image.mode == "F":
        raise UnknownRangeError("floating-point pixels (mode F), whose range is not known")
    if _is_wide(image):
        return _grey(image), False
    if image.has_transparency_data:
        return _on_background(image)
    return image.convert("RGB"), False


def range_of(highest: int) -> int:
    """The largest value of the smallest range that holds a value.

    Args:
        highest: Largest value of a whole data set, from 0 to 65535.
    """
    bits = next(bits for bits in BITS if highest < 1 << bits)
    return (1 << bits) - 1


def to_bytes(grey: np.ndarray, white: int) -> np.ndarray:
    """Grey values of 16 bits as 8-bit RGB.

    Args:
        grey: (height, width) uint16.
        white: Value that becomes 255; larger ones do, too.

    Returns:
        (height, width, 3) uint8.
    """
    scaled = np.rint(np.minimum(grey, white) * (255.0 / white)).astype(np.uint8)
    return np.repeat(scaled[..., None], 3, axis=2)


def _is_wide(image: Image.Image) -> bool:
    return image.mode == "I" or image.mode.startswith("I;16")


def _grey(image: Image.Image) -> Image.Image:
    if "transparency" in image.info:
        raise UnknownRangeError("grey values of 16 bits with a transparent one")
    values = np.asarray(image)
    if values.min() < 0 or values.max() > LARGEST:
        raise UnknownRangeError(
            f"whole numbers from {values.min()} to {values.max()}, "
            f"of which those from 0 to {LARGEST} can be read"
        )
    if image.format in SCALED_FORMATS:
        return Image.fromarray(to_bytes(values, LARGEST))
    return Image.fromarray(values.astype(np.float32))


def _on_background(image: Image.Image) -> tuple[Image.Image, bool]:
    # Colours that were multiplied by their alpha have no direct way to RGBA where they are grey.
    rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    lowest, _ = rgba.getchannel("A").getextrema()
    if lowest == 255:
        return rgba.convert("RGB"), False
    background = Image.new("RGBA", rgba.size, (*BACKGROUND, 255))
    return Image.alpha_composite(background, rgba).convert("RGB"), True
