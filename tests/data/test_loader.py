"""Batches from several threads and processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from nas.data import Split
from nas.data.augment import Augmentation
from nas.data.augmentation.boxes import Erasing
from nas.data.augmentation.mixing import Mixing
from nas.data.augmentation.policies import RandAugment
from nas.data.loader import BatchLoader
from nas.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


def test_two_threads_read_one_loader() -> None:
    split = Split(np.zeros((20, 2, 2, 3), np.uint8), np.arange(20, dtype=np.int32))
    loader = BatchLoader(split, batch_size=4, seed=0)
    fresh = BatchLoader(split, batch_size=4, seed=0)
    expected = {step: fresh.batch(step)[1].tolist() for step in range(400)}
    errors: list[BaseException] = []

    def read(steps: range) -> None:
        try:
            for step in steps:
                assert loader.batch(step)[1].tolist() == expected[step]
        except BaseException as error:
            errors.append(error)

    steps = (range(400), range(399, -1, -1), range(0, 400, 7))
    threads = [threading.Thread(target=read, args=(part,)) for part in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_batches_are_the_same_in_another_process() -> None:
    code = (
        "import numpy as np\n"
        "from nas.data import Split\n"
        "from nas.data.augment import Augmentation\n"
        "from nas.data.loader import BatchLoader\n"
        "x = np.random.default_rng(1).integers(0, 255, (30, 8, 8, 3), np.uint8)\n"
        "s = Split(x, np.arange(30, dtype=np.int32))\n"
        "b = BatchLoader(s, batch_size=8, seed=5, augment=Augmentation(2, True))\n"
        "i, l = b.batch(11)\n"
        "print(l.tolist(), float(i.sum()), i[3, 2].tolist())\n"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] != ""


def test_reader_that_stops_early_ends_its_thread() -> None:
    split = Split(np.zeros((20, 2, 2, 3), np.uint8), np.arange(20, dtype=np.int32))
    before = threading.active_count()
    batches = BatchLoader(split, batch_size=4, seed=0).iterate(0, 10_000, threads=1)
    next(batches)
    assert threading.active_count() == before + 1
    batches.close()  # type: ignore[attr-defined]
    for _ in range(200):
        if threading.active_count() == before:
            break
        time.sleep(0.05)
    assert threading.active_count() == before


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_no_batch_and_no_order(threads: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 6, 6, 3), np.uint8)
    split = Split(pixels, np.arange(30, dtype=np.int32))
    augment = Augmentation(2, rand_augment=RandAugment(9.0), mixing=Mixing(0.2, 1.0))
    loader = BatchLoader(split, batch_size=8, seed=5, augment=augment, num_classes=30)
    for step, (images, targets) in enumerate(loader.iterate(0, 20, threads=threads)):
        expected = loader.batch(step)
        assert np.array_equal(images, expected[0]) and np.array_equal(targets, expected[1])
    middle = [targets.tolist() for _, targets in loader.iterate(13, 15, threads=threads)]
    assert middle == [loader.batch(step)[1].tolist() for step in (13, 14)], "begun anew"


def test_an_error_of_a_thread_comes_to_its_reader() -> None:
    split = Split(np.zeros((4, 2, 2, 3), np.uint8), np.arange(4, dtype=np.int32))
    augment = Augmentation(1, mixing=Mixing(0.2))
    loader = BatchLoader(split, batch_size=2, seed=0, augment=augment)
    with pytest.raises(InputError, match="number of classes"):
        next(loader.iterate(0, 2))


def test_images_for_statistics_are_whole_and_of_their_own_size() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 6, 6, 3), np.uint8)
    split = Split(pixels, np.arange(8, dtype=np.int32))
    strong = Augmentation(2, erasing=Erasing(1.0), mixing=Mixing(0.2))
    loader = BatchLoader(
        split, batch_size=4, seed=0, augment=strong, num_classes=8, size_at=lambda step: 3
    )
    plain = BatchLoader(split, batch_size=4, seed=0, augment=Augmentation(2))
    assert loader.batch(1)[0].shape == (4, 3, 3, 3)
    assert np.array_equal(loader.plain_images(1), plain.batch(1)[0])


@pytest.mark.parametrize(
    ("images", "batch_size", "epochs", "steps"),
    [
        (100, 64, 0.5, 1),
        (100, 64, 1.0, 2),
        (100_000, 64, 0.5, 782),
        (30, 10, 0.1, 1),
        (30, 1, 0.1, 3),
    ],
)
def test_fractional_epochs_see_at_least_their_images(
    images: int, batch_size: int, epochs: float, steps: int
) -> None:
    split = Split(np.zeros((images, 1, 1, 3), np.uint8), np.zeros(images, np.int32))
    found = BatchLoader(split, batch_size=batch_size, seed=0).steps(epochs)
    assert found == steps and found * batch_size >= epochs * images
