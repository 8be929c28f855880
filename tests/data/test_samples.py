"""The embedded samples: what is drawn, and how they are named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.data import DataError, trigger_sample
from nas.data.load import load_sample
from nas.data.look import Looks, look_at
from nas.data.samples import SAMPLES
from nas.errors import InputError
from nas.interface.asked import source_of
from nas.metrics import AskedMetrics, Metric
from nas.runs.data import DataSource
from tests.support.image_folders import assert_three_parts

IMAGES = 1500


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    return trigger_sample.draw(IMAGES, 5)


@pytest.mark.parametrize("name", SAMPLES.names)
def test_images_follow_from_the_seed_alone(name: str) -> None:
    draw = SAMPLES[name].draw
    (images, labels), again, other = (draw(40, seed, 16) for seed in (3, 3, 4))
    assert np.array_equal(images, again[0]) and np.array_equal(labels, again[1])
    assert not np.array_equal(images, other[0])
    assert images.shape == (40, 16, 16, 3) and images.dtype == np.uint8


@pytest.mark.parametrize("name", SAMPLES.names)
def test_what_is_looked_at_is_what_is_drawn(name: str, tmp_path: Path) -> None:
    loaded = Looks.of(load_sample(name=name, is_toy=True, cache_dir=tmp_path))
    looked = look_at(None, sample=name, is_toy=True)
    for one in ("name", "image_size", "class_names", "is_sample"):
        assert getattr(loaded, one) == getattr(looked, one)
    for one in ("train_labels", "evaluation_labels"):
        assert np.array_equal(np.sort(getattr(loaded, one)), getattr(looked, one))


def test_one_image_in_ten_is_signal_in_random_order(
    drawn: tuple[np.ndarray, np.ndarray],
) -> None:
    labels = drawn[1]
    assert labels.sum() == IMAGES // 10
    assert 0 < labels[: IMAGES // 3].sum() < IMAGES // 10


def test_signal_is_narrow_and_early_in_depth(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = drawn
    full, scale = trigger_sample.FULL_GEV, trigger_sample.SCALE_GEV
    energies = scale * np.expm1(images / 255.0 * np.log1p(full / scale))
    last_depth = energies[..., 2].sum(axis=(1, 2)) / energies.sum(axis=(1, 2, 3))
    greatest = energies.sum(axis=3).max(axis=(1, 2)) / energies.sum(axis=(1, 2, 3))
    signal = labels == 1
    assert last_depth[signal].mean() < last_depth[~signal].mean()
    assert greatest[signal].mean() > greatest[~signal].mean()


def test_no_simple_sum_tells_signal_from_background(
    drawn: tuple[np.ndarray, np.ndarray],
) -> None:
    images, labels = drawn
    total = images.sum(axis=(1, 2, 3), dtype=np.int64)
    passes = total > np.quantile(total[labels == 0], 0.9)
    # A cut that keeps a tenth of the background keeps no more than a third of the signal.
    assert passes[labels == 1].mean() < 1 / 3


def test_deposits_keep_their_energy_and_their_place_at_another_size() -> None:
    # One deposit of 10 GeV in the middle: the sum over cells is its energy, whatever their number.
    # The profile is taken at the middle of each cell; at a width of 1 cell the sum is exact to
    # 1e-6, as its aliases are exp(-2 pi^2) each.
    deposits = (np.full((1, 1, 3), 10.0), np.full((1, 1, 2), 8.0), np.ones((1, 1)))
    for size in (16, 32):
        cells = trigger_sample._cells(deposits, size)
        assert cells.shape == (1, size, size, 3)
        assert cells.sum() == pytest.approx(30.0, rel=1e-6)


def test_10_khz_rests_on_enough_background() -> None:
    sample = SAMPLES["trigger"]
    metric = Metric.parse("tpr_at_rate=10kHz")
    assert metric.background_share(sample.background_rate_hz) == pytest.approx(0.0025)
    asked = AskedMetrics.of("tpr_at_rate=10kHz", background_rate_hz=sample.background_rate_hz)
    looks = look_at(None, sample="trigger")
    # No warning of too few events, neither of the evaluation images nor of a fifth of the others.
    assert asked.check(looks.evaluation_labels, looks.class_names) == ()
    assert asked.check(looks.train_labels[::5], looks.class_names) == ()


def test_sample_beside_images_of_ones_own_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        source_of(tmp_path, {"sample": "trigger"})
    assert_three_parts(error, "--data_dir or --sample")
    with pytest.raises(DataError) as error:
        DataSource("files", str(tmp_path), sample="trigger")
    assert_three_parts(error, "trigger")


def test_unknown_sample_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InputError) as error:
        DataSource(sample="triger")
    assert_three_parts(error, "write 'trigger'")


def test_usual_sample_is_letters_and_files_are_no_sample() -> None:
    assert DataSource().drawn == "letters" and not DataSource().is_named
    named = DataSource(sample="trigger")
    assert named.drawn == "trigger" and named.is_named
    files = DataSource("files", "/images")
    assert files.drawn is None and files.is_named
    assert replace(files, kind="sample", path=None) == DataSource()
