"""Pixels of every mode that Pillow has, in memory: files of some cannot be written."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from nas.data.colours import range_of, rgb_or_grey, to_bytes

COLOUR = (200, 100, 0)
# Colour spaces are converted with whole numbers in between; LAB's go from 0 to 100 and -128 to 127.
ROUNDING = {"HSV": 1, "YCbCr": 1, "LAB": 8}


@pytest.mark.parametrize("mode", ["RGB", "RGBX", "CMYK", "HSV", "YCbCr", "LAB"])
def test_colours_stay_what_they_are(mode: str) -> None:
    image, is_transparent = rgb_or_grey(Image.new("RGB", (4, 4), COLOUR).convert(mode))
    assert image.mode == "RGB" and not is_transparent
    assert np.abs(np.asarray(image).astype(int) - COLOUR).max() <= ROUNDING.get(mode, 0)


@pytest.mark.parametrize("mode", ["RGBA", "RGBa", "PA", "LA", "La"])
def test_alpha_of_every_kind_shows_white(mode: str) -> None:
    first = "RGBA" if mode in ("RGBA", "RGBa", "PA") else "LA"
    value = (*COLOUR, 128) if first == "RGBA" else (200, 128)
    image, is_transparent = rgb_or_grey(Image.new(first, (4, 4), value).convert(mode))
    expected = np.array(COLOUR if first == "RGBA" else (200,) * 3) * 128 / 255 + 127
    assert image.mode == "RGB" and is_transparent
    # Rounded when it was multiplied by alpha, and once more when it was composed.
    assert np.abs(np.asarray(image) - expected).max() <= 2


def test_a_palette_with_an_alpha_of_its_own_shows_white() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 255, *COLOUR, 0], "RGBA")
    found, is_transparent = rgb_or_grey(image)
    assert (np.asarray(found) == 255).all() and is_transparent


@pytest.mark.parametrize("mode", ["I", "I;16", "I;16B", "I;16L"])
def test_grey_of_16_bits_keeps_its_values(mode: str) -> None:
    image, _ = rgb_or_grey(Image.new(mode, (4, 4), 1000))
    assert image.mode == "F" and (np.asarray(image) == 1000).all()


@pytest.mark.parametrize(
    ("highest", "white"),
    [(0, 255), (255, 255), (256, 1023), (4095, 4095), (4096, 16_383), (65_535, 65_535)],
)
def test_a_range_is_that_of_whole_bits(highest: int, white: int) -> None:
    assert range_of(highest) == white


def test_the_ends_of_a_range_are_black_and_white() -> None:
    grey = np.array([[0, 2048, 4095, 9000]], np.uint16)
    assert to_bytes(grey, 4095)[0, :, 0].tolist() == [0, 128, 255, 255]
