"""One image file and the pixels that a network sees of it."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from nas.data import DataError
from nas.data.cache import ImageFile
from nas.data.decoding import UPRIGHT, decode, decode_image, native_size
from nas.data.preparation import Preparation, Resize
from nas.errors import InputError
from tests.support.image_folders import assert_three_parts
from tests.support.odd_images import write_huge_png, write_png16

ORIENTATION = 0x0112
WHITE = (255, 255, 255)
# EXIF orientation -> what a camera held that way does to the upright picture.
HELD = {
    **UPRIGHT,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def quarters(width: int = 24, height: int = 16) -> Image.Image:
    """Four quarters of four colours, so that no two of the eight orientations look alike."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (200, 30, 30)
    pixels[: height // 2, width // 2 :] = (30, 200, 30)
    pixels[height // 2 :, : width // 2] = (30, 30, 200)
    pixels[height // 2 :, width // 2 :] = (200, 200, 30)
    return Image.fromarray(pixels)


def pixels_of(path: Path, size: int = 8, **preparation: Any) -> np.ndarray:
    return decode_image(path, Preparation(size, **preparation))


def traits_of(path: Path) -> frozenset[str]:
    return decode(path.read_bytes(), Preparation(8), path).traits


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
def test_images_stand_as_the_camera_was_held(tmp_path: Path, suffix: str, orientation: int) -> None:
    upright = quarters()
    upright.save(tmp_path / "upright.png")
    held = upright.transpose(HELD[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    best: dict[str, dict[str, Any]] = {
        "jpg": {"quality": 100},
        "webp": {"lossless": True},
        "avif": {"quality": 100},
    }
    path = tmp_path / f"a.{suffix}"
    held.save(path, exif=exif, **best.get(suffix, {}))
    found = pixels_of(path, 16).astype(int)
    # Lossy formats blur the borders of colours; a wrong turn is off by 170 in half of the pixels.
    worst = 0 if suffix in ("png", "webp", "tif") else 100
    difference = np.abs(found - pixels_of(tmp_path / "upright.png", 16))
    assert difference.max() <= worst and np.median(difference) <= 6


@pytest.mark.parametrize("value", [0, 9, -1, 300])
def test_an_orientation_that_is_none_counts_as_upright(tmp_path: Path, value: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = value % 2**16
    quarters().save(tmp_path / "a.png", exif=exif)
    quarters().save(tmp_path / "b.png")
    assert np.array_equal(pixels_of(tmp_path / "a.png"), pixels_of(tmp_path / "b.png"))


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x05",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0" + b"\xff" * 40,
        # One entry: the orientation as text, and as a rational with divisor 0.
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04six\0\0\0\0\0",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x05\0\0\0\x01\0\0\0\x1a\0\0\0\0" + bytes(8),
    ],
)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_damaged_exif_counts_as_upright(tmp_path: Path, suffix: str, exif: bytes) -> None:
    exif_bytes = exif if suffix == "jpg" else exif.removeprefix(b"Exif\0\0")
    quarters().save(tmp_path / f"a.{suffix}", exif=exif_bytes)
    quarters().save(tmp_path / f"b.{suffix}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = pixels_of(tmp_path / f"a.{suffix}")
    assert np.array_equal(found, pixels_of(tmp_path / f"b.{suffix}"))


def alpha_image(mode: str) -> Image.Image:
    """Left half (200, 100, 0), or 200 of grey, right half the same and wholly transparent."""
    colour, grey = (200, 100, 0), 200
    alpha = Image.new("L", (16, 16), 255)
    alpha.paste(0, (8, 0, 16, 16))
    if mode in ("RGBA", "RGBa"):
        image = Image.new("RGB", (16, 16), colour)
        image.putalpha(alpha)
        return image.convert(mode)
    if mode == "LA":
        image = Image.new("L", (16, 16), grey)
        image.putalpha(alpha)
        return image
    image = Image.new("P", (16, 16), 0)
    image.putpalette([*colour, 10, 20, 30])
    image.putalpha(alpha)
    return image


@pytest.mark.parametrize(
    ("mode", "suffix", "colour"),
    [
        ("RGBA", "png", (200, 100, 0)),
        ("RGBA", "webp", (200, 100, 0)),
        ("RGBA", "tif", (200, 100, 0)),
        ("LA", "png", (200, 200, 200)),
        ("LA", "tif", (200, 200, 200)),
        ("PA", "tif", (200, 100, 0)),
    ],
)
def test_transparent_pixels_become_white_and_hide_their_colour(
    tmp_path: Path, mode: str, suffix: str, colour: tuple[int, int, int]
) -> None:
    path = tmp_path / f"a.{suffix}"
    image = alpha_image(mode)
    assert image.mode == mode
    image.save(path, lossless=True)  # which is an option of WebP alone
    found = pixels_of(path, 16)
    assert (found[:, :8] == colour).all() and (found[:, 8:] == WHITE).all()
    assert "transparent" in traits_of(path)


def test_half_transparent_pixels_are_half_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (0, 100, 200, 51)).save(tmp_path / "a.png")
    # 51 of 255 is one fifth: 0.2 * colour + 0.8 * 255.
    assert (pixels_of(tmp_path / "a.png") == (204, 224, 244)).all()


@pytest.mark.parametrize(
    ("mode", "value", "transparency"),
    [
        ("P", 1, bytes([255, 0])),
        ("P", 1, 1),
        ("L", 77, 77),
        ("RGB", (9, 99, 199), (9, 99, 199)),
        ("1", 1, 255),
    ],
)
def test_one_transparent_colour_becomes_white(
    tmp_path: Path, mode: str, value: Any, transparency: Any
) -> None:
    image = Image.new(mode, (16, 16), 0)
    if mode == "P":
        image.putpalette([0, 0, 0, 10, 20, 30])
    image.paste(value, (8, 0, 16, 16))
    image.save(tmp_path / "a.png", transparency=transparency)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = pixels_of(tmp_path / "a.png", 16)
    assert (found[:, :8] == 0).all() and (found[:, 8:] == WHITE).all()


def test_opaque_alpha_changes_nothing(tmp_path: Path) -> None:
    image = quarters()
    image.save(tmp_path / "a.png")
    image.putalpha(255)
    image.save(tmp_path / "b.png")
    assert np.array_equal(pixels_of(tmp_path / "a.png"), pixels_of(tmp_path / "b.png"))
    assert "transparent" not in traits_of(tmp_path / "b.png")


def test_a_gif_with_a_transparent_colour_lies_on_white(tmp_path: Path) -> None:
    alpha_image("RGBA").save(tmp_path / "a.gif")
    assert (pixels_of(tmp_path / "a.gif", 16)[:, 8:] == WHITE).all()


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("1", "png"), ("1", "tif"), ("L", "jpg"), ("LAB", "tif"), ("YCbCr", "tif"), ("P", "gif")],
)
def test_every_kind_of_pixel_becomes_rgb(tmp_path: Path, mode: str, suffix: str) -> None:
    image = Image.new("RGB", (16, 16), WHITE)
    image.paste((0, 0, 0), (8, 0, 16, 16))
    path = tmp_path / f"a.{suffix}"
    image.convert(mode).save(path)
    found = pixels_of(path, 16).astype(int)
    # JPEG is lossy at the border of the halves.
    assert (found[:, :6] > 245).all() and (found[:, 10:] < 10).all()


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_inks_of_a_printer_become_their_colours(tmp_path: Path, suffix: str) -> None:
    """Pillow writes CMYK JPEGs inverted and with Adobe's marker, as programs for print do."""
    path = tmp_path / f"a.{suffix}"
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(path)
    if suffix == "jpg":
        assert b"Adobe" in path.read_bytes()
    # Red, as far as the lossy format keeps it.
    assert np.abs(pixels_of(path).astype(int) - (255, 0, 0)).max() <= 3


def test_a_profile_is_not_applied_and_told(tmp_path: Path) -> None:
    image = quarters()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.save(tmp_path / "other.png", icc_profile=lab)
    image.save(tmp_path / "usual.png", icc_profile=srgb)
    assert "profile" in traits_of(tmp_path / "other.png")
    assert "profile" not in traits_of(tmp_path / "usual.png")
    assert np.array_equal(pixels_of(tmp_path / "other.png"), pixels_of(tmp_path / "usual.png"))


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif", "mpo"])
def test_the_first_of_several_frames_is_used_and_told(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    first, second = (Image.new("RGB", (16, 16), c) for c in ((250, 0, 0), (0, 0, 250)))
    first.save(path, save_all=True, append_images=[second])
    found = pixels_of(path, 16).astype(int)
    # MPO is JPEG, and WebP is lossy.
    assert np.abs(found - (250, 0, 0)).max() <= 12
    assert "frames" in traits_of(path)


def test_a_single_frame_is_nothing_to_tell(tmp_path: Path) -> None:
    for suffix in ("gif", "png", "webp", "tif", "jpg"):
        Image.new("RGB", (16, 16)).save(tmp_path / f"a.{suffix}")
        assert "frames" not in traits_of(tmp_path / f"a.{suffix}")


# Images of more than 8 bits a value.


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_sixteen_bits_are_spread_over_the_range_of_the_data_set(
    tmp_path: Path, suffix: str, order: str
) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.full((8, 8), 2000, order)).save(path)
    assert (pixels_of(path, white=65_535) == round(2000 * 255 / 65_535)).all()
    assert (pixels_of(path, white=4095) == round(2000 * 255 / 4095)).all()


@pytest.mark.parametrize("white", [None, 1023])
def test_a_later_image_beyond_the_range_of_the_data_set_is_refused(
    tmp_path: Path, white: int | None
) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.full((8, 8), 2000, np.uint16)).save(path)
    with pytest.raises(DataError) as error:
        pixels_of(path, white=white)
    assert_three_parts(error, "a.png")


def test_whole_numbers_of_32_bits_are_read_within_16(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.full((8, 8), 2000, np.int32)).save(path)
    assert (pixels_of(path, white=4095) == round(2000 * 255 / 4095)).all()


@pytest.mark.parametrize("value", [-1, 65_536, 2**31 - 1])
def test_whole_numbers_beyond_16_bits_are_refused(tmp_path: Path, value: int) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.full((8, 8), value, np.int32)).save(path)
    with pytest.raises(DataError) as error:
        pixels_of(path, white=65_535)
    assert_three_parts(error, "write it with 8 bits")
    assert str(value) in error.value.received


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.new("F", (8, 8), 0.5).save(path)
    with pytest.raises(DataError) as error:
        pixels_of(path)
    assert_three_parts(error, "mode F")
    assert "write it with 8 bits" in error.value.fix


def test_a_file_that_says_what_white_is_needs_no_range(tmp_path: Path) -> None:
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 8 8 4095\n" + np.full(64, 2000, ">u2").tobytes())
    assert (pixels_of(path) == round(2000 * 255 / 4095)).all()


@pytest.mark.parametrize("channels", [2, 3])
def test_the_upper_half_of_colours_of_16_bits_is_used(tmp_path: Path, channels: int) -> None:
    values = np.full((8, 8, channels), 51_300)
    if channels == 2:
        values[..., 1] = 65_535
    path = write_png16(tmp_path / "a.png", values)
    assert (pixels_of(path) == 51_300 >> 8).all()
    found = decode(path.read_bytes(), Preparation(8), path)
    assert found.traits == {"upper_bytes"} and found.highest == 51_300 >> 8


@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_colour_of_16_bits_is_refused(tmp_path: Path, channels: int) -> None:
    path = write_png16(tmp_path / "a.png", np.full((8, 8, channels), 51_300), transparent=51_300)
    with pytest.raises(DataError) as error:
        pixels_of(path, white=65_535)
    assert_three_parts(error, "transparent")


def test_five_bits_a_colour_are_no_sixteen(tmp_path: Path) -> None:
    """A bitmap of 16 bits a pixel, 5 or 6 a colour, is an ordinary image."""
    header = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 16, 0, 128, 0, 0, 0, 0)
    data = b"BM" + struct.pack("<IHHI", 54 + 128, 0, 0, 54) + header + b"\xff\x7f" * 64
    (tmp_path / "a.bmp").write_bytes(data)
    assert (pixels_of(tmp_path / "a.bmp") == 255).all()
    assert not traits_of(tmp_path / "a.bmp")


# Images that are not square.


def test_squeezing_keeps_everything_and_changes_proportions(tmp_path: Path) -> None:
    quarters(32, 16).save(tmp_path / "a.png")
    found = pixels_of(tmp_path / "a.png", 16)
    assert np.array_equal(found, pixels_of(tmp_path / "a.png", 16, resize="squeeze"))
    assert (found[2, 2] == (200, 30, 30)).all() and (found[13, 13] == (200, 200, 30)).all()


@pytest.mark.parametrize("is_wide", [True, False])
def test_cropping_keeps_the_square_in_the_middle(tmp_path: Path, is_wide: bool) -> None:
    image = np.zeros((16, 48, 3), np.uint8)
    image[:, 16:32] = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    upright = image if is_wide else image.transpose(1, 0, 2)
    Image.fromarray(upright).save(tmp_path / "a.png")
    found = pixels_of(tmp_path / "a.png", 16, resize="crop")
    assert np.array_equal(found, upright[:, 16:32] if is_wide else upright[16:32])


@pytest.mark.parametrize("is_wide", [True, False])
def test_padding_keeps_proportions_between_white_borders(tmp_path: Path, is_wide: bool) -> None:
    image = quarters(16, 8) if is_wide else quarters(8, 16)
    image.save(tmp_path / "a.png")
    found = pixels_of(tmp_path / "a.png", 16, resize="pad")
    found = found if is_wide else found.transpose(1, 0, 2)
    assert (found[:4] == 255).all() and (found[12:] == 255).all()
    inner = np.asarray(image) if is_wide else np.asarray(image).transpose(1, 0, 2)
    assert np.array_equal(found[4:12], inner)


@pytest.mark.parametrize("resize", ["squeeze", "crop", "pad"])
def test_a_square_image_is_the_same_whatever_is_asked(tmp_path: Path, resize: Resize) -> None:
    quarters(24, 24).save(tmp_path / "a.png")
    assert np.array_equal(
        pixels_of(tmp_path / "a.png", 16, resize=resize), pixels_of(tmp_path / "a.png", 16)
    )


@pytest.mark.parametrize("resize", ["squeeze", "crop", "pad"])
@pytest.mark.parametrize("size", [(1, 1000), (1000, 1), (3, 2)])
def test_extreme_proportions_give_an_image(
    tmp_path: Path, size: tuple[int, int], resize: Resize
) -> None:
    Image.new("RGB", size, (9, 9, 9)).save(tmp_path / "a.png")
    found = pixels_of(tmp_path / "a.png", 16, resize=resize)
    assert found.shape == (16, 16, 3) and (found == 9).any()


def test_borders_of_grey_images_of_16_bits_are_white_too(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 16), 1000, np.uint16)).save(tmp_path / "a.png")
    found = pixels_of(tmp_path / "a.png", 16, resize="pad", white=1023)
    assert (found[:4] == 255).all() and (found[4:12] == round(1000 * 255 / 1023)).all()


def test_another_way_to_resize_is_refused() -> None:
    with pytest.raises(InputError, match="squeeze, crop or pad"):
        Preparation(16, "stretch")  # type: ignore[arg-type]


# Whatever a decoder raises is the error of its file.


@pytest.mark.parametrize(
    "error",
    [
        struct.error("unpack requires 4 bytes"),
        zlib.error("Error -3"),
        RecursionError("maximum recursion depth exceeded"),
        MemoryError(),
        IndexError("list index out of range"),
        KeyError(274),
        TypeError("an integer is required"),
        OverflowError("too large"),
        ZeroDivisionError("division by zero"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        AssertionError(),
        EOFError("no more images"),
        NotImplementedError("a compression"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_decoder_raises_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*arguments: object, **settings: object) -> None:
        raise error

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "open", broken)
    with pytest.raises(DataError) as caught:
        pixels_of(tmp_path / "a.png")
    assert_three_parts(caught, "--skip_bad_images")
    assert "a.png: " in caught.value.received and not caught.value.received.endswith(": ")
    assert native_size([ImageFile(tmp_path / "a.png", 0)]) == 64


def test_an_image_of_200_megapixels_is_named(tmp_path: Path) -> None:
    path = write_huge_png(tmp_path / "huge.png")
    with pytest.raises(DataError) as error:
        pixels_of(path)
    assert_three_parts(error, "huge.png")
    assert "200000000 pixels" in error.value.received and "smaller" in error.value.fix
    assert native_size([ImageFile(path, 0)]) == 64


def test_an_image_above_the_first_limit_is_read_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    quarters(16, 16).save(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pixels_of(tmp_path / "a.png").shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("data", "text", "fix"),
    [
        (b"", "an empty file", "remove"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:1",
            "a Git LFS pointer",
            "git lfs pull",
        ),
        (b"<!DOCTYPE html><html><body>Not found", "a web page", "remove"),
        (b"no image at all", "no image of a format", "remove"),
    ],
)
def test_what_stands_in_place_of_an_image_is_named(
    tmp_path: Path, data: bytes, text: str, fix: str
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    with pytest.raises(DataError) as error:
        pixels_of(path)
    assert_three_parts(error, f"a.jpg: {text}")
    assert fix in error.value.fix


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        pixels_of(tmp_path / "gone.png")
    assert_three_parts(error, "gone.png: ")


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "tif", "bmp", "jp2", "avif"])
def test_damaged_bytes_give_pixels_or_the_error_of_the_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    quarters().save(path, exif=exif)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(whole[: rng.integers(1, len(whole))] if rng.random() < 0.3 else whole)
        for at in rng.integers(0, len(data), 3):
            data[at] = rng.integers(0, 256)
        path.write_bytes(bytes(data))
        try:
            assert pixels_of(path, white=65_535).shape == (8, 8, 3)
        except DataError as error:
            assert f"a.{suffix}: " in error.received


def test_the_images_own_size_is_that_of_small_squares(tmp_path: Path) -> None:
    files = []
    for number in range(20):
        Image.new("RGB", (48, 48)).save(tmp_path / f"{number}.png")
        files.append(ImageFile(tmp_path / f"{number}.png", 0))
    assert native_size(files) == 48
    write_huge_png(files[0].path)
    assert native_size(files) == 48, "what cannot be read says nothing"
    Image.new("RGB", (48, 40)).save(files[0].path)
    assert native_size(files) == 64
