"""What is done to training images: golden arrays, properties, and chance that repeats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nas.data.augment import Augmentation
from nas.data.augmentation import geometry
from nas.data.augmentation.boxes import Cutout, Erasing, box_mask
from nas.data.augmentation.mixing import Mixing
from nas.data.augmentation.policies import (
    OPERATIONS,
    STEPS,
    RandAugment,
    trivially_augmented,
)
from nas.errors import InputError

NONE = Augmentation(0, flip=False)
# One of each kind, alone.
EACH = {
    "crop": replace(NONE, crop_padding_pixels=3),
    "flip": replace(NONE, flip=True),
    "rotation": replace(NONE, rotation_degrees=30.0),
    "rand_augment": replace(NONE, rand_augment=RandAugment(9.0)),
    "trivial_augment": replace(NONE, trivial_augment=True),
    "blur": replace(NONE, blur_sigma_pixels=1.5),
    "erasing": replace(NONE, erasing=Erasing(0.5)),
    "cutout": replace(NONE, cutout=Cutout(4)),
    "mixup": replace(NONE, mixing=Mixing(mixup_alpha=0.4)),
    "cutmix": replace(NONE, mixing=Mixing(cutmix_alpha=1.0)),
}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def images(count: int = 8, side: int = 12, seed: int = 1) -> np.ndarray:
    return rng(seed).integers(0, 256, (count, side, side, 3), np.uint8)


def changed(augmentation: Augmentation, pixels: np.ndarray, seed: Any = 0) -> np.ndarray:
    """Images and mixed images alike."""
    found = augmentation.apply(pixels, rng(seed)).astype(np.float32)
    targets = np.eye(len(pixels), dtype=np.float32)
    return augmentation.mix(found, targets, rng(seed))[0]


@pytest.mark.parametrize("name", EACH)
def test_the_same_seed_and_step_give_the_same_images_and_others_do_not(name: str) -> None:
    pixels = images()
    before = pixels.copy()
    first, again, other = (changed(EACH[name], pixels, seed) for seed in ((3, 1), (3, 1), (3, 2)))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert not np.array_equal(first, pixels) and np.array_equal(pixels, before)


@pytest.mark.parametrize("name", EACH)
def test_one_more_change_leaves_what_the_others_draw(name: str) -> None:
    both = replace(EACH[name], crop_padding_pixels=3, flip=True)
    pixels = images()
    cropped = replace(NONE, crop_padding_pixels=3, flip=True).apply(pixels, rng())
    streams = dict(vars(EACH[name]), crop_padding_pixels=0, flip=False)
    # The later change on the cropped images, drawn from its own stream of a fresh generator.
    expected = changed(Augmentation(**streams), cropped)
    assert np.array_equal(changed(both, pixels), expected)


def test_nothing_is_asked_for_and_nothing_changes() -> None:
    pixels = images()
    assert np.array_equal(NONE.apply(pixels, rng()), pixels)
    mixed, targets = NONE.mix(pixels.astype(np.float32), np.eye(8, dtype=np.float32), rng())
    assert np.array_equal(mixed, pixels) and np.array_equal(targets, np.eye(8))


@pytest.mark.parametrize(
    "change",
    [
        lambda pixels: geometry.rotated(pixels, np.zeros(len(pixels))),
        lambda pixels: geometry.blurred(pixels, np.zeros(len(pixels))),
        lambda pixels: geometry.resized(pixels, pixels.shape[1]),
    ],
    ids=["rotation", "blur", "size"],
)
def test_no_strength_is_no_change(change: Callable[[np.ndarray], np.ndarray]) -> None:
    assert np.array_equal(change(images()), images())


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - {"auto_contrast", "equalize"}))
def test_an_operation_without_strength_is_no_change(name: str) -> None:
    image = Image.fromarray(images(1)[0])
    assert np.array_equal(np.asarray(OPERATIONS[name].change(image, 0.0)), np.asarray(image))


def test_a_crop_reflects_before_it_cuts() -> None:
    row = np.arange(4, dtype=np.uint8)
    pixels = np.broadcast_to(row[None, None, :, None], (64, 4, 4, 3))
    corners = geometry.crop_corners(64, 2, rng())
    found = {tuple(crop[0, :, 0].tolist()) for crop in geometry.cropped(pixels, 2, corners)}
    # Reflected without the border: 2 1 | 0 1 2 3 | 2 1. Cropping first could show no 2 1 0 1.
    assert found == {(2, 1, 0, 1), (1, 0, 1, 2), (0, 1, 2, 3), (1, 2, 3, 2), (2, 3, 2, 1)}


def test_mirror_images_are_exact_and_about_half() -> None:
    pixels = np.repeat(images(1), 400, axis=0)
    found = geometry.mirrored(pixels, geometry.mirrors(400, rng()))
    turned = (found == pixels[:, :, ::-1]).all(axis=(1, 2, 3))
    assert ((found == pixels).all(axis=(1, 2, 3)) ^ turned).all()
    assert 160 < turned.sum() < 240  # four standard deviations around one half


@pytest.mark.parametrize("side", [4, 5])
def test_right_angles_turn_exactly_counter_clockwise(side: int) -> None:
    pixels = images(4, side)
    found = geometry.rotated(pixels, np.array([0.0, 90.0, 180.0, -90.0]))
    expected = [np.rot90(image, turns) for image, turns in zip(pixels, (0, 1, 2, 3), strict=True)]
    assert np.array_equal(found, np.stack(expected))


def test_corners_of_a_turned_image_show_a_reflection() -> None:
    pixels = np.full((1, 8, 8, 3), 77, np.uint8)
    assert (geometry.rotated(pixels, np.array([45.0])) == 77).all()


def test_a_blurred_point_is_a_bell_of_the_same_sum() -> None:
    pixels = np.zeros((1, 15, 15, 3), np.uint8)
    pixels[0, 7, 7] = 255
    found = geometry.blurred(pixels, np.array([1.0]))[0, ..., 0].astype(float)
    assert np.array_equal(found, found[::-1, ::-1])
    assert np.abs(found - found.T).max() <= 2  # rows and columns are rounded in turn
    # Whole pixel values: each of the 49 within 3 standard deviations may be off by one half.
    assert found.sum() == pytest.approx(255, abs=25)
    distances = (np.arange(15) - 7.0) ** 2
    deviation = np.sqrt((found.sum(axis=0) * distances).sum() / found.sum())
    # Three box filters and rounding to whole values come within a fifth of the Gaussian.
    assert deviation == pytest.approx(1.0, rel=0.2)


def test_smaller_images_are_means() -> None:
    pixels = np.zeros((1, 4, 4, 3), np.uint8)
    pixels[0, :2, :2], pixels[0, 2:, 2:] = 40, 80
    flat = np.full((1, 6, 6, 3), 9, np.uint8)
    assert geometry.resized(pixels, 2).shape == (1, 2, 2, 3)
    assert geometry.resized(pixels, 1)[0, 0, 0, 0] == 30
    assert (geometry.resized(flat, 5) == 9).all()


@pytest.mark.parametrize(
    ("name", "strength", "before", "after"),
    [
        ("solarize", 56.0, [0, 100, 199, 200, 255], [0, 100, 199, 55, 0]),
        ("posterize", 4.0, [0, 15, 16, 200, 255], [0, 0, 16, 192, 240]),
        ("brightness", -0.5, [0, 100, 199, 200, 255], [0, 50, 99, 100, 127]),
        ("auto_contrast", 0.0, [50, 100, 100, 100, 150], [0, 127, 127, 127, 255]),
        ("identity", 0.0, [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]),
        ("translate_x", 2.0, [1, 2, 3, 4, 5], [3, 4, 5, 128, 128]),
        ("rotate", 180.0, [1, 2, 3, 4, 5], [5, 4, 3, 2, 1]),
    ],
)
def test_operations_on_one_row(
    name: str, strength: float, before: list[int], after: list[int]
) -> None:
    row = np.repeat(np.array(before, np.uint8)[None, :, None], 3, axis=2)
    image = OPERATIONS[name].change(Image.fromarray(row), strength)
    assert np.asarray(image)[0, :, 0].tolist() == after


def test_saturation_without_colour_is_grey() -> None:
    found = np.asarray(OPERATIONS["color"].change(Image.fromarray(images(1)[0]), -1.0))
    assert (found == found[..., :1]).all()


def test_ranges_are_the_published_ones() -> None:
    assert len(OPERATIONS) == 14
    assert OPERATIONS["translate_x"].greatest(331, is_wide=False) == 150
    assert OPERATIONS["translate_y"].greatest(331, is_wide=True) == 32
    assert OPERATIONS["rotate"].greatest(32, is_wide=False) == 30
    assert OPERATIONS["rotate"].greatest(32, is_wide=True) == 135
    assert OPERATIONS["shear_x"].greatest(32, is_wide=True) == 0.99


def test_policies_draw_for_each_image_alone() -> None:
    pixels = np.repeat(images(1, 8), 60, axis=0)
    for found in (RandAugment(STEPS, 1).apply(pixels, rng()), trivially_augmented(pixels, rng())):
        kinds = {image.tobytes() for image in found}
        assert len(kinds) > 10 and pixels[0].tobytes() in kinds


def test_rand_augment_without_strength_only_spreads_contrast() -> None:
    # The contrast and the histogram of these values are full already.
    pixels = np.repeat(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1), 3, axis=3)
    pixels = np.repeat(pixels, 40, axis=0)
    assert np.array_equal(RandAugment(0.0).apply(pixels, rng()), pixels)


@pytest.mark.parametrize("share", [(0.02, 0.33), (0.25, 0.25), (1.0, 1.0)])
def test_erased_rectangles_have_the_share_that_was_asked_for(share: tuple[float, float]) -> None:
    side = 40
    pixels = np.full((200, side, side, 3), 44, np.uint8)
    erased = Erasing(1.0, share).apply(pixels, rng())
    found = (erased != pixels).any(axis=3)
    areas = found.mean(axis=(1, 2))
    # Sides are whole pixels: half a pixel of 40 on each. And one pixel in 256^3 keeps its colour.
    least, most = share
    tolerance = 0.5 / side * (1 + 1) + 0.5**2 / side**2
    assert areas.min() >= least - tolerance and areas.max() <= most + tolerance
    rows, columns = found.any(axis=2).sum(axis=1), found.any(axis=1).sum(axis=1)
    assert np.array_equal(rows * columns, found.sum(axis=(1, 2))), "one rectangle each"


def test_as_many_images_are_erased_as_asked_for() -> None:
    pixels = np.zeros((400, 8, 8, 3), np.uint8)
    found = (Erasing(0.25).apply(pixels, rng()) != 0).any(axis=(1, 2, 3)).sum()
    assert 65 < found < 135  # four standard deviations around one quarter


def test_a_cutout_is_a_grey_square_around_any_pixel() -> None:
    pixels = np.zeros((300, 8, 8, 3), np.uint8)
    found = Cutout(4).apply(pixels, rng())
    assert set(np.unique(found)) == {0, 128}
    areas = (found[..., 0] == 128).sum(axis=(1, 2))
    # Whole, or cut off at one border or two: 4, 3 or 2 pixels a side.
    assert set(areas.tolist()) == {4, 6, 8, 9, 12, 16}
    assert np.array_equal(Cutout(None, 0.5).apply(pixels, rng()), found)


def test_a_mask_holds_the_rectangle_and_cuts_it_off_at_the_border() -> None:
    boxes = np.array([[1, 0, 3, 2], [-1, 2, 1, 9]])
    found = box_mask(boxes, (3, 4)).astype(int)
    assert found[0].tolist() == [[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]]
    assert found[1].tolist() == [[0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]


def mixing(augmentation: Mixing, count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Image number i has all pixels i, and its own class."""
    pixels = np.broadcast_to(
        np.arange(count, dtype=np.float32)[:, None, None, None], (count, 6, 6, 3)
    )
    return augmentation.apply(pixels, np.eye(count, dtype=np.float32), rng())


@pytest.mark.parametrize(
    "augmentation", [Mixing(0.4), Mixing(None, 1.0), Mixing(0.4, 1.0), Mixing(0.4, 1.0, 0.5)]
)
def test_mixed_targets_sum_to_one_and_say_what_the_pixels_are(augmentation: Mixing) -> None:
    pixels, targets = mixing(augmentation)
    assert pixels.dtype == targets.dtype == np.float32
    # Float32 shares of two: one rounding each.
    np.testing.assert_allclose(targets.sum(axis=1), 1.0, rtol=3e-7)
    assert ((targets > 0).sum(axis=1) <= 2).all() and (targets >= 0).all()
    # Image i has value i, so that the mean of its pixels is the mean of its classes.
    expected = targets @ np.arange(len(targets))
    np.testing.assert_allclose(pixels.mean(axis=(1, 2, 3)), expected, rtol=1e-5)


def test_pasted_rectangles_hold_the_pixels_of_one_other_image() -> None:
    pixels, targets = mixing(Mixing(None, 1.0))
    for number, image in enumerate(pixels):
        values, counts = np.unique(image[..., 0], return_counts=True)
        shares = dict(zip(values.astype(int).tolist(), (counts / 36).tolist(), strict=True))
        assert len(shares) <= 2
        for value, share in shares.items():
            # A float32 of a whole number of pixels over 36.
            assert targets[number, value] == pytest.approx(share, rel=1e-6)


def test_no_image_is_mixed_with_itself() -> None:
    _, targets = mixing(Mixing(1.0))
    assert ((targets > 0).sum(axis=1) == 2).all()


def test_a_share_of_the_images_stays_whole() -> None:
    _, targets = mixing(Mixing(1.0, None, 0.25), 400)
    mixed = (targets.max(axis=1) < 1).sum()
    assert 65 < mixed < 135  # four standard deviations around one quarter


def test_mixup_golden() -> None:
    pixels = np.array([[[[0.0] * 3]], [[[100.0] * 3]]], np.float32)
    mixed, targets = Mixing(0.4).apply(pixels, np.eye(2, dtype=np.float32), rng())
    own = np.diag(targets)
    # Two images are each other's partners. Float32 in two orders.
    np.testing.assert_allclose(mixed[:, 0, 0, 0], [100 * (1 - own[0]), 100 * own[1]], rtol=1e-6)
    one = Mixing(0.4).apply(pixels[:1], np.eye(1, dtype=np.float32), rng())
    assert np.array_equal(one[0], pixels[:1]) and one[1].tolist() == [[1.0]]


BAD: list[tuple[Callable[[], object], str, str]] = [
    (lambda: Augmentation(rotation_degrees=181.0), "rotation_degrees", "181.0"),
    (lambda: Augmentation(rotation_degrees=float("nan")), "rotation_degrees", "nan"),
    (lambda: Augmentation(blur_sigma_pixels=-1.0), "blur_sigma_pixels", "-1.0"),
    (lambda: RandAugment(31.0), "rand_augment_magnitude", "31.0"),
    (lambda: RandAugment(-1.0), "rand_augment_magnitude", "-1.0"),
    (lambda: RandAugment(9.0, 0), "rand_augment_operations", "0"),
    (lambda: RandAugment(None, 3), "rand_augment_magnitude", "3 operations"),
    (
        lambda: Augmentation(rand_augment=RandAugment(9.0), trivial_augment=True),
        "trivial_augment",
        "magnitude 9",
    ),
    (lambda: Erasing(1.5), "erasing_probability", "1.5"),
    (lambda: Erasing(0.5, (0.0, 0.3)), "erasing_share", "0.0"),
    (lambda: Erasing(0.5, (0.4, 0.3)), "erasing_share", "0.4:0.3"),
    (lambda: Erasing(0.0, (0.1, 0.3)), "erasing_probability", "0.1:0.3"),
    (lambda: Cutout(0), "cutout_pixels", "0"),
    (lambda: Cutout(None, 0.0), "cutout_share", "0.0"),
    (lambda: Cutout(4, 0.5), "cutout_share", "4 and 0.5"),
    (lambda: Mixing(0.0), "mixup_alpha", "0.0"),
    (lambda: Mixing(None, 0.0), "cutmix_alpha", "0.0"),
    (lambda: Mixing(0.2, None, 0.0), "mixing_probability", "0.0"),
    (lambda: Mixing(None, None, 0.5), "mixup_alpha", "0.5 without either"),
    (lambda: Augmentation(cutout=Cutout(33)).check_size(32), "cutout_pixels", "33"),
    (lambda: Augmentation(32).check_size(32), "crop_padding_pixels from 0 to 31", "32"),
    (lambda: Augmentation(mixing=Mixing(None, 1.0)).check_size(1), "cutmix_alpha", "1"),
]


@pytest.mark.parametrize(("make", "name", "found"), BAD, ids=[f"{n}-{f}" for _, n, f in BAD])
def test_what_cannot_be_done_is_refused_by_name(
    make: Callable[[], object], name: str, found: str
) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert name in caught.value.expected and found in caught.value.received and caught.value.fix


def test_images_of_one_pixel_can_be_changed_by_all_others() -> None:
    pixels = images(3, 1)
    for name, augmentation in EACH.items():
        if name not in ("cutmix", "cutout"):
            augmentation.check_size(1)
            assert changed(augmentation, pixels).shape == pixels.shape


def test_what_is_mild_keeps_crop_and_flip_alone() -> None:
    strong = replace(
        EACH["rand_augment"], erasing=Erasing(0.5), mixing=Mixing(0.2), crop_padding_pixels=2
    )
    assert strong.mild == Augmentation(2, flip=False)
    assert strong.unmixed == replace(strong, mixing=Mixing())
