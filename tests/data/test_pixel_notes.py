"""What the first lines say of the images, and files of a whole data set that are odd."""

from __future__ import annotations

import logging
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nas.data import DataError, Dataset, load_dataset, split_decoding
from nas.data.cache import ImageFile
from nas.data.decoding import Decoded, decode, decode_image
from nas.data.preparation import Preparation
from nas.data.sources import Sources
from tests.support.image_folders import SIZE, assert_three_parts, write_folders
from tests.support.odd_images import write_huge_png, write_png16


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_folders(tmp_path / "data" / "train", count=4)
    for label, name in enumerate(("a", "b")):
        (tmp_path / "data" / "val" / name).mkdir(parents=True)
        pixels = np.random.default_rng(100 + label).integers(0, 255, (SIZE, SIZE, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "data" / "val" / name / "0.png")
    return tmp_path / "data"


def load(root: Path, **options: object) -> Dataset:
    return load_dataset(root, cache_dir=root.parent / "cache", **options)  # type: ignore[arg-type]


def note(data: Dataset, word: str) -> str:
    (text,) = (note for note in data.notes if word in note)
    return text


# Images that are not square.


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "squeezed into a square (--resize squeeze; crop and pad keep proportions)"),
        ({"resize": "crop"}, "cropped to the square in its middle (--resize crop)"),
        ({"resize": "pad"}, "padded to a square with white borders (--resize pad)"),
    ],
)
def test_images_that_are_not_square_are_counted(
    root: Path, options: dict[str, str], text: str
) -> None:
    Image.new("RGB", (60, 120)).save(root / "train" / "a" / "0.png")
    Image.new("RGB", (90, 60)).save(root / "val" / "b" / "0.png")
    found = note(load(root, image_size=SIZE, **options), "not square")
    assert found.startswith("2 of 10 images are not square, the longest 60 x 120 (ratio 2.00): ")
    assert text in found


def test_square_images_are_nothing_to_tell(root: Path) -> None:
    data = load(root)
    assert len(data.notes) == 2 and data.notes[1].startswith("Training images: train/, 8.")
    assert data.preparation == Preparation(SIZE)


def test_ways_to_resize_have_entries_of_their_own(root: Path) -> None:
    Image.new("RGB", (60, 120), (9, 9, 9)).save(root / "train" / "a" / "0.png")
    found = [load(root, image_size=SIZE, resize=how) for how in ("squeeze", "crop", "pad")]
    assert len({data.fingerprint for data in found}) == 2, "one colour: cropped as squeezed"
    for data, how in zip(found, ("squeeze", "crop", "pad"), strict=True):
        assert data.preparation == Preparation(SIZE, how)  # type: ignore[arg-type]
        assert np.array_equal(
            data.train.images[0], decode_image(root / "train/a/0.png", data.preparation)
        )


@pytest.mark.parametrize("option", ["resize", "skip_bad_images", "verify_data"])
def test_options_of_files_are_refused_beside_what_is_none(tmp_path: Path, option: str) -> None:
    images = np.zeros((8, 4, 4, 3), np.uint8)
    images[:, 0, 0, 0] = np.arange(8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(8) % 2)
    value: object = "crop" if option == "resize" else True
    for data_dir in (None, tmp_path / "a.npz"):
        if (data_dir, option) == (tmp_path / "a.npz", "verify_data"):
            load_dataset(data_dir, verify_data=True)  # arrays are read anew each time
            continue
        with pytest.raises(DataError) as error:
            load_dataset(data_dir, cache_dir=tmp_path, **{option: value})  # type: ignore[arg-type]
        assert_three_parts(error, f"leave --{option} out")


# Images of more than 8 bits a value.


def twelve_bits(root: Path, highest: int = 4095) -> list[Path]:
    """Grey images of one level each, from 0 to the highest, in files of 16 bits."""
    paths = sorted(root.rglob("*.png"))
    for path, level in zip(paths, np.linspace(0, highest, len(paths)).astype(int), strict=True):
        Image.fromarray(np.full((SIZE, SIZE), level, np.uint16)).save(path)
    return paths


@pytest.mark.parametrize(
    ("highest", "white", "bits"),
    [(200, 255, 8), (900, 1023, 10), (4000, 4095, 12), (9000, 16_383, 14), (60_000, 65_535, 16)],
)
def test_one_range_holds_for_every_image_of_16_bits(
    root: Path, highest: int, white: int, bits: int
) -> None:
    paths = twelve_bits(root, highest)
    data = load(root)
    levels = np.linspace(0, highest, len(paths)).astype(int)
    expected = np.rint(levels * 255 / white).astype(int).tolist()
    found = [*data.train.images[:, 0, 0, 0], *data.evaluation.images[:, 0, 0, 0]]
    assert found == expected
    assert data.preparation == Preparation(SIZE, white=white)
    text = note(data, "16 bits")
    assert f"0 to {white} ({bits} bits), which became 0 to 255" in text
    assert "8 train images" in text and f"2 evaluation images up to {highest} (val/b/0.png)" in text
    # What a later image becomes.
    assert (decode_image(paths[3], data.preparation) == expected[3]).all()


def test_the_cache_keeps_the_range(root: Path) -> None:
    twelve_bits(root)
    first = load(root)
    again = load(root)
    assert again.preparation == first.preparation and again.notes == first.notes
    assert again.fingerprint == first.fingerprint


def test_a_dark_image_stays_dark_beside_bright_ones(root: Path) -> None:
    """Stretching each image on its own would make it bright."""
    paths = twelve_bits(root)
    Image.fromarray(np.full((SIZE, SIZE), 40, np.uint16)).save(paths[2])
    assert load(root).train.images[2].max() == round(40 * 255 / 4095)


def test_8_and_16_bits_stand_side_by_side(root: Path) -> None:
    path = root / "train" / "a" / "0.png"
    with Image.open(root / "train" / "a" / "1.png") as image:
        usual = np.asarray(image)
    Image.fromarray(np.full((SIZE, SIZE), 4095, np.uint16)).save(path)
    data = load(root)
    assert (data.train.images[0] == 255).all() and np.array_equal(data.train.images[1], usual)


def test_colours_of_16_bits_that_are_nearly_black_are_refused(root: Path) -> None:
    for path in root.rglob("*.png"):
        write_png16(path, np.random.default_rng(0).integers(0, 4096, (SIZE, SIZE, 3)))
    with pytest.raises(DataError) as error:
        load(root)
    assert_three_parts(error, "10 images, such as")
    assert "4095 of 65535" in error.value.received and "value * 255 / 4095" in error.value.fix
    write_png16(path, np.full((SIZE, SIZE, 3), 65_535))
    assert "upper 8 are used" in note(load(root), "colours of 16 bits")


# Whatever a decoder says.


def test_a_huge_image_is_named_or_skipped_whatever_else_is_asked(root: Path) -> None:
    write_huge_png(root / "train" / "a" / "0.png")
    for options in ({}, {"image_size": SIZE}):
        with pytest.raises(DataError) as error:
            load(root, **options)
        assert_three_parts(error, "train/a/0.png")
        data = load(root, skip_bad_images=True, **options)
        assert data.image_size == SIZE and len(data.train.labels) == 7
        assert "1 bad images were skipped: train/a/0.png: " in note(data, "skipped")


@pytest.mark.parametrize("error", [struct.error("short"), RecursionError(), MemoryError()])
def test_whatever_a_decoder_raises_is_skipped_with_its_reason(
    root: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    opened = Image.open

    def broken(file: object, **settings: Any) -> Image.Image:
        image = opened(file, **settings)  # type: ignore[arg-type]
        if image.size == (5, 5):
            raise error
        return image

    Image.new("RGB", (5, 5)).save(root / "train" / "a" / "0.png")
    monkeypatch.setattr(Image, "open", broken)
    with pytest.raises(DataError) as caught:
        load(root, image_size=SIZE)
    assert_three_parts(caught, "train/a/0.png")
    data = load(root, image_size=SIZE, skip_bad_images=True)
    assert f"train/a/0.png: {type(error).__name__}" in note(data, "skipped")


def test_warnings_of_decoders_become_notes(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def warning(data: bytes, preparation: Preparation, path: Path) -> Decoded:
        if path.name == "2.png":
            warnings.warn_explicit(
                "Corrupt EXIF\n data", UserWarning, "/lib/PIL/Odd.py", 3, module="PIL.Odd"
            )
        if path.name == "3.png":
            logging.getLogger("PIL.Odd").error("odd samples")
        return decode(data, preparation, path)

    monkeypatch.setattr(split_decoding, "decode", warning)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = note(load(root), "Pillow warned")
    assert text == (
        "Pillow warned of 4 files that were read: train/a/2.png: Corrupt EXIF data, "
        "train/a/3.png: odd samples, train/b/2.png: Corrupt EXIF data and 1 more."
    )
    printed = capsys.readouterr().err
    assert "EXIF" not in printed and "odd" not in printed


def test_what_was_done_to_images_is_counted_and_named(root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (SIZE, SIZE)).save(root / "train" / "a" / "0.png", exif=exif)
    Image.new("RGBA", (SIZE, SIZE)).save(root / "train" / "b" / "1.png")
    frames = [Image.new("RGB", (SIZE, SIZE), (i, 0, 0)) for i in (1, 2)]
    for name in ("train/a/1.png", "val/a/0.png"):
        frames[0].save(root / name, save_all=True, append_images=frames[1:])
    data = load(root)
    assert note(data, "EXIF") == (
        "Turned upright, as their EXIF data say: 1 of 10 images (train/a/0.png)."
    )
    assert note(data, "transparent").endswith("became white: 1 of 10 images (train/b/1.png).")
    assert note(data, "frames") == (
        "With several frames or pages, of which the first is used: 2 of 10 images "
        "(train/a/1.png, val/a/0.png)."
    )


def test_a_file_that_is_gone_or_may_not_be_read_is_named_or_skipped(root: Path) -> None:
    (root / "train" / "a" / "0.png").unlink()
    (root / "train" / "a" / "0.png").symlink_to(root / "nowhere.png")
    files = [ImageFile(root / "train" / name / f"{i}.png", i % 2) for name in "ab" for i in (0, 1)]
    with pytest.raises(DataError) as error:
        Sources.of({"train": files})
    assert_three_parts(error, "a/0.png: No such file")
    assert "--skip_bad_images" in error.value.fix
    assert Sources.of({"train": files}, skip_bad=True).looks["train"][0].tolist() == [0, 0, 0, 0]


def test_a_damaged_entry_of_the_cache_is_made_again(root: Path) -> None:
    first = load(root)
    for name in ("train_images.npy", "evaluation_sha256.npy", "done.json", "train_labels.npy"):
        (path,) = root.parent.rglob(name)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        assert load(root).fingerprint == first.fingerprint
        assert path.stat().st_size == len(whole)
