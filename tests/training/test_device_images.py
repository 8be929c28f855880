"""Batches that are made on the device equal those of the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest

from nas.data import Split
from nas.data.augment import NOISES, Augmentation
from nas.data.augmentation.boxes import Cutout, Erasing, box_mask
from nas.data.augmentation.mixing import Mixing
from nas.data.augmentation.policies import RandAugment
from nas.data.loader import BatchLoader, one_hot
from nas.training.device_images import (
    MOST_BYTES_ON_PROCESSOR,
    SHARE_OF_MEMORY,
    DeviceImages,
    fit_on_device,
)

CLASSES = 5
HEIGHT, WIDTH = 9, 7  # different, so that no two axes can be mistaken for each other
PLAIN = Augmentation(crop_padding_pixels=0, flip=False)
KINDS = {
    "nothing": PLAIN,
    "crop": replace(PLAIN, crop_padding_pixels=3),
    "flip": replace(PLAIN, flip=True),
    "crop and flip": Augmentation(crop_padding_pixels=4),
    "cutout": replace(PLAIN, cutout=Cutout(4)),
    "mixup": replace(PLAIN, mixing=Mixing(mixup_alpha=0.4)),
    "cutmix": replace(PLAIN, mixing=Mixing(cutmix_alpha=1.0)),
    "both, of some": Augmentation(
        mixing=Mixing(mixup_alpha=0.4, cutmix_alpha=1.0, mixing_probability=0.6)
    ),
    "what Pillow does": replace(
        Augmentation(cutout=Cutout(3)), rotation_degrees=20.0, rand_augment=RandAugment(9.0)
    ),
}


def split(count: int = 40) -> Split:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (count, HEIGHT, WIDTH, 3), np.uint8)
    return Split(images, (np.arange(count) % CLASSES).astype(np.int32))


def made(
    augmentation: Augmentation,
    is_resident: bool,
    step: int = 3,
    size_at: Callable[[int], int] | None = None,
) -> tuple[BatchLoader, dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """The loader, its plan of a step, and the batch that a device makes of it."""
    images = split()
    asked: dict[str, Any] = {"augment": augmentation, "num_classes": CLASSES}
    loader = BatchLoader(images, batch_size=16, seed=2, size_at=size_at, **asked)
    plan = loader.plan(step, is_resident)
    device = DeviceImages(
        images.images if is_resident else None,
        (HEIGHT, WIDTH),
        CLASSES,
        augmentation.crop_padding_pixels,
        bool(augmentation.erasing.erasing_probability),
    )
    tensors = {name: keras.ops.convert_to_tensor(array) for name, array in plan.items()}
    size = None if size_at is None else size_at(step)
    pixels, targets = device.batch(tensors, device.arrays, size)
    return loader, plan, np.asarray(pixels), np.asarray(targets)


@pytest.mark.parametrize("is_resident", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_device_makes_the_batch_of_the_host(kind: str, is_resident: bool) -> None:
    loader, plan, pixels, targets = made(KINDS[kind], is_resident)
    assert ("rows" in plan) == (is_resident and kind != "what Pillow does")
    images, labels = loader.batch(3)
    expected = labels if labels.ndim == 2 else one_hot(labels, CLASSES)
    # Blended pixels are a sum of two products, rounded once more or less.
    assert np.allclose(pixels, images, rtol=0, atol=1e-4)
    assert np.allclose(targets, expected, rtol=0, atol=1e-6)
    if not KINDS[kind].mixing.is_on:
        assert np.array_equal(pixels, images)


@pytest.mark.parametrize("is_resident", [True, False])
@pytest.mark.parametrize("kind", ["nothing", "cutout", "both, of some", "what Pillow does"])
def test_a_device_makes_images_smaller_before_it_mixes_them(kind: str, is_resident: bool) -> None:
    loader, plan, pixels, targets = made(KINDS[kind], is_resident, size_at=lambda step: step + 2)
    images, labels = loader.batch(3)
    assert pixels.shape == images.shape == (16, 5, 5, 3)
    assert np.array_equal(pixels, np.round(pixels)) == (not KINDS[kind].mixing.is_on)
    # Pillow rounds after the columns and after the rows.
    assert np.allclose(pixels, images, rtol=0, atol=1.001)
    assert np.mean(np.abs(pixels - images)) < 0.3
    expected = labels if labels.ndim == 2 else one_hot(labels, CLASSES)
    assert np.allclose(targets, expected, rtol=0, atol=1e-6)
    if "pasted" in plan:
        assert plan["pasted"].max() == 5, "boxes lie within the smaller images"


@pytest.mark.parametrize("is_resident", [True, False])
def test_a_device_erases_where_the_host_does(is_resident: bool) -> None:
    augmentation = Augmentation(erasing=Erasing(erasing_probability=0.7))
    loader, plan, pixels, _ = made(augmentation, is_resident)
    inside = box_mask(plan["erased"], (HEIGHT, WIDTH))
    assert 0.05 < inside.mean() < 0.5
    host = loader.batch(3)[0]
    assert np.array_equal(pixels[~inside], host[~inside])
    # Noise equals what was there in one of 256 values; the host has other noise.
    plain = BatchLoader(split(), batch_size=16, seed=2, augment=Augmentation()).batch(3)[0]
    assert np.mean(pixels[inside] == plain[inside]) < 0.1
    assert set(plan["noise"]) <= set(range(NOISES)) and len(set(plan["noise"])) > 8


def test_plans_come_in_order_and_again() -> None:
    loader = BatchLoader(split(), batch_size=16, seed=2, augment=Augmentation())
    plans = list(loader.plans(2, 6, is_resident=True))
    assert len(plans) == 4
    for step, plan in enumerate(plans, start=2):
        again = loader.plan(step, is_resident=True)
        assert plan.keys() == again.keys()
        assert all(np.array_equal(plan[name], again[name]) for name in plan)
    assert all(array.dtype != np.int64 for array in plans[0].values())


def test_images_stay_on_a_device_that_has_room_for_them() -> None:
    pixels = np.broadcast_to(np.uint8(0), (1000, 64, 64, 3))
    size = pixels.size
    assert fit_on_device(pixels, int(size / SHARE_OF_MEMORY) + 3)
    assert not fit_on_device(pixels, int(size / SHARE_OF_MEMORY) - 3)
    assert fit_on_device(pixels, None) == (size <= MOST_BYTES_ON_PROCESSOR)
    # More pixels than a place of 32 bits can name.
    many = np.broadcast_to(np.uint8(0), (1 << 20, 64, 64, 3))
    assert not fit_on_device(many, 1 << 50)
