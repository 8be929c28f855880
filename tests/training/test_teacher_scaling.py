"""How the first numbers of a teacher tell the pixels that it takes."""

from __future__ import annotations

import numpy as np
import pytest

from nas.training.teachers.scaling import DEVIATIONS, MEANS, SCALINGS, told_by_factor, told_by_mean

NOTHING: list[float] = []


@pytest.mark.parametrize(
    ("factor", "told"),
    [
        ([1 / 255], "pixels"),
        ([1 / 127.5], "pixels"),
        (list(1 / (255 * DEVIATIONS)), "pixels"),
        ([-1 / 255], "pixels"),
        ([255.0], "unit"),
        ([1.0], None),
        # One colour says this, another that.
        ([1 / 255, 255.0, 1.0], None),
        ([1 / 255, 0.0, 1 / 255], None),
        ([np.nan], None),
        ([np.inf], None),
        (NOTHING, None),
    ],
)
def test_factors_tell_what_they_bring_into_a_small_range(
    factor: list[float], told: str | None
) -> None:
    assert told_by_factor(np.array(factor, np.float32)) == told


@pytest.mark.parametrize(
    ("mean", "told"),
    [
        ([127.5], "pixels"),
        (list(255 * MEANS), "pixels"),
        (list(MEANS), "unit"),
        ([0.5], "unit"),
        ([1.5], None),
        ([0.5, 120.0, 120.0], None),
        ([300.0], None),
        ([0.0], None),
        ([-0.5], None),
        ([np.nan], None),
        (NOTHING, None),
    ],
)
def test_means_tell_the_range_that_they_are_of(mean: list[float], told: str | None) -> None:
    assert told_by_mean(np.array(mean, np.float32)) == told


def test_scalings_are_what_their_names_say() -> None:
    images = np.array([[0.0, 127.5, 255.0]], np.float32)
    ends = {name: scaled(images)[0].tolist() for name, scaled in SCALINGS.items()}
    assert ends["pixels"] == [0.0, 127.5, 255.0] and ends["unit"] == [0.0, 0.5, 1.0]
    assert ends["symmetric"] == [-1.0, 0.0, 1.0]
    # Float32 has seven digits.
    wanted = (np.array([0.0, 0.5, 1.0]) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert ends["imagenet"] == pytest.approx(wanted.tolist(), rel=1e-6)
