"""One image file -> the pixels that a network sees: one way for training and for later images."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from nas.data.cache import ImageFile
from nas.data.colours import (
    BACKGROUND,
    LARGEST,
    UnknownRangeError,
    keeps_upper_bytes,
    rgb_or_grey,
    to_bytes,
)
from nas.data.dataset import DataError
from nas.data.decoder_warnings import quiet_decoders
from nas.data.image_formats import opened_formats
from nas.data.preparation import Preparation

# EXIF orientation -> what turns the image upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Formats of frames or pages that stand for themselves; layers and sizes of one icon do not.
SEQUENCES = frozenset({"AVIF", "GIF", "MPO", "PNG", "TIFF", "WEBP"})
# What may be done to an image or left out of it; `nas.data.notes` says so.
TRAITS = ("turned", "transparent", "frames", "profile", "upper_bytes")
# Headers that the look at the images' own size reads.
LOOKED_AT = 8
LARGEST_NATIVE_PIXELS = 128
USUAL_PIXELS = 64


@dataclass(frozen=True)
class Decoded:
    """What one file held.

    Args:
        pixels: (size, size, 3) uint8; or (size, size) uint16 of grey images of 16 bits, whose
            range only the data set tells.
        width: Of the upright image, in pixels.
        height: Likewise.
        highest: Largest value of 16-bit pixels, or largest upper byte of 16-bit colours; else 0.
        traits: Names of what was done or left out, of `TRAITS`.
    """

    pixels: np.ndarray
    width: int
    height: int
    highest: int
    traits: frozenset[str]

    @property
    def is_grey(self) -> bool:
        """Whether the pixels wait for the range of the data set."""
        return self.pixels.ndim == 2


def decode_image(path: Path, preparation: Preparation) -> np.ndarray:
    """One image file as a network sees it, as (size, size, 3) uint8 RGB.

    Args:
        path: Of the file.
        preparation: Of the data set that the network learned from.

    Raises:
        DataError: The file is broken, or has values beyond the range of the data set; names it.
    """
    return decode_content(read_bytes(path), preparation, path)


def decode_content(data: bytes, preparation: Preparation, path: Path) -> np.ndarray:
    """The contents of an image file, as `decode_image` has those of its path.

    Args:
        data: Contents of the file.
        preparation: Of the data set that the network learned from.
        path: Of the file, for messages.

    Raises:
        DataError: The file is broken, or has values beyond the range of the data set; names it.
    """
    with quiet_decoders(lambda _: None):
        found = decode(data, preparation, path)
    if not found.is_grey:
        return found.pixels
    white = preparation.white
    if white is None or found.highest > white:
        known = "no image of 16 bits" if white is None else f"values up to {white}"
        raise DataError(
            f"grey images like those of the data set, which has {known}",
            f"{shown(path)}: 16 bits with values up to {found.highest}",
            "write the image as those were written",
        )
    return to_bytes(found.pixels, white)


def read_bytes(path: Path) -> bytes:
    """The contents of an image file.

    Args:
        path: Of the file.

    Raises:
        DataError: It cannot be read; names it.
    """
    try:
        return path.read_bytes()
    except (OSError, MemoryError) as error:
        raise bad_image(path, b"?", error) from None


def decode(data: bytes, preparation: Preparation, path: Path) -> Decoded:
    """What the contents of an image file show.

    Args:
        data: Contents of the file.
        preparation: How files become arrays; `white` is not looked at.
        path: Of the file, for messages.

    Raises:
        DataError: The file is broken; names it.
    """
    try:
        with Image.open(io.BytesIO(data), formats=opened_formats()) as image:
            return _decoded(image, preparation)
    # Decoders raise whatever a damaged file leads them into, from struct.error to RecursionError.
    except Exception as error:
        raise bad_image(path, data, error) from None


def bad_image(path: Path, data: bytes, error: Exception) -> DataError:
    """The error of one file, whatever a decoder raised.

    Args:
        path: Of the file.
        data: Its contents.
        error: What was raised.
    """
    fix = "repair or remove the file, or go on without it by --skip_bad_images"
    received = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        received = error.strerror  # without the path, which stands before it
    elif not data:
        received = "an empty file"
    elif data.startswith(b"version https://git-lfs"):
        received, fix = "a Git LFS pointer in place of the image", "fetch the image: git lfs pull"
    elif data[:256].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        received = "a web page in place of the image"
    elif isinstance(error, UnidentifiedImageError):
        received = "no image of a format that is known"
    elif isinstance(error, UnknownRangeError):
        fix = fix.replace("repair or remove the file", "write it with 8 bits a value")
    elif isinstance(error, Image.DecompressionBombError):
        received = received.partition(",")[0]  # what follows speaks of an attack
        fix = fix.replace("repair or remove the file", "make the image smaller")
    elif not isinstance(error, (OSError, SyntaxError, ValueError)):
        received = f"{type(error).__name__}: {error}".removesuffix(": ")
    return DataError("an image that can be decoded", f"{shown(path)}: {received.rstrip('.')}", fix)


def shown(path: Path) -> str:
    """A path as text for people; bytes of a name that are no UTF-8 are written out.

    Args:
        path: Of a file or folder.
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def native_size(files: Sequence[ImageFile]) -> int:
    """The images' own size where the first ones are small squares of one size, else 64.

    Args:
        files: A few are looked at, and of these only the headers.
    """
    sizes = set()
    with quiet_decoders(lambda _: None):
        for file in files[:: max(1, len(files) // LOOKED_AT)][:LOOKED_AT]:
            try:
                with Image.open(file.path, formats=opened_formats()) as image:
                    sizes.add(image.size)
            except Exception:
                continue  # named properly when it is decoded
    if len(sizes) == 1:
        width, height = sizes.pop()
        if width == height <= LARGEST_NATIVE_PIXELS:
            return width
    return USUAL_PIXELS


def _decoded(image: Image.Image, preparation: Preparation) -> Decoded:
    upper_bytes = keeps_upper_bytes(image)
    image.load()
    if upper_bytes and "transparency" in image.info:
        raise UnknownRangeError("colours of 16 bits with a transparent one")
    picture, is_transparent = rgb_or_grey(image)
    turn = UPRIGHT.get(_orientation(image))
    if turn is not None:
        picture = picture.transpose(turn)
    traits = {
        "turned": turn is not None,
        "transparent": is_transparent,
        "frames": _has_more_frames(image),
        "profile": _has_profile(image),
        "upper_bytes": upper_bytes,
    }
    fitted = np.asarray(_fitted(picture, preparation))
    if picture.mode == "F":
        fitted = np.clip(np.rint(fitted), 0, LARGEST).astype(np.uint16)
    names = frozenset(name for name in TRAITS if traits[name])
    highest = 0
    if upper_bytes or picture.mode == "F":
        highest = _highest(image if upper_bytes else picture)
    return Decoded(fitted, *picture.size, highest, names)


def _highest(image: Image.Image) -> int:
    """The largest value of all channels but alpha."""
    extrema = np.reshape(image.getextrema(), (-1, 2))
    bands = zip(image.getbands(), extrema[:, 1], strict=True)
    return int(max(value for name, value in bands if name not in "Aa"))


def _orientation(image: Image.Image) -> int:
    """How the camera was held, after EXIF; 1, upright, where nothing readable says so."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
        return int(value)
    except Exception:
        return 1  # metadata may be damaged in a file whose pixels are whole


def _has_more_frames(image: Image.Image) -> bool:
    try:
        return image.format in SEQUENCES and bool(getattr(image, "is_animated", False))
    except Exception:
        return False  # what follows the first frame is damaged, and not used


def _has_profile(image: Image.Image) -> bool:
    """Whether a colour profile other than sRGB is embedded."""
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes):
        return False
    return b"sRGB" not in profile and "sRGB".encode("utf-16-be") not in profile


def _fitted(image: Image.Image, preparation: Preparation) -> Image.Image:
    """A square of the size that is asked for."""
    size, (width, height) = preparation.image_size, image.size
    if width == height or preparation.resize == "squeeze":
        return _resized(image, (size, size))
    if preparation.resize == "crop":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        return _resized(image.crop((left, top, left + side, top + side)), (size, size))
    longer = max(width, height)
    inner = _resized(
        image, (max(1, round(width * size / longer)), max(1, round(height * size / longer)))
    )
    white = BACKGROUND if image.mode == "RGB" else LARGEST
    padded = Image.new(image.mode, (size, size), white)
    padded.paste(inner, ((size - inner.width) // 2, (size - inner.height) // 2))
    return padded


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if image.size == size:
        return image
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
