"""The learning-rate finder: the ramp, what a curve says, and a short training that makes one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nas.architecture import text as arch_text
from nas.data import Dataset, Split
from nas.data.augment import Augmentation
from nas.errors import InputError
from nas.pipeline.find_rate import curve_lines
from nas.report.learning_rates import write_picture
from nas.system.interrupt import Interrupter
from nas.training.rate_curve import RateCurve, RatePlan, is_lost, smooth
from nas.training.rate_finder import try_rates
from nas.training.recipe import Recipe

PLAN = RatePlan(steps=101, lowest=1e-3, highest=10.0)
RATES = [PLAN.rate(step, 0.1) for step in range(101)]


def curve(losses: list[float]) -> RateCurve:
    return RateCurve.of(RATES, losses, optimizer="sgd", batch_size=32, recipe_rate=0.1)


def valley(lowest: float) -> list[float]:
    """Flat, then down to a loss of 1 at a rate, then up."""
    ways = np.log10(np.array(RATES) / lowest)
    return list(np.where(ways < 0, 1 + 1.5 * (1 - np.exp(-(ways**2))), 1 + 3 * ways**2))


def test_the_ramp_rises_by_one_factor() -> None:
    assert RATES[0] == pytest.approx(1e-4) and RATES[-1] == pytest.approx(1.0)
    # Quotients of float64 powers.
    np.testing.assert_allclose(np.diff(np.log(RATES)), np.log(1e4) / 100, rtol=1e-9)


@pytest.mark.parametrize("lowest", [0.03, 0.3])
def test_a_tenth_of_the_rate_at_the_lowest_loss_is_suggested(lowest: float) -> None:
    found = curve(valley(lowest))
    assert found.lowest_rate is not None and found.steepest_rate is not None
    # The moving average lags behind by about nine steps, each of 10 %.
    assert lowest < found.lowest_rate < 3 * lowest
    assert found.suggested_rate == pytest.approx(found.lowest_rate / 10)
    assert found.steepest_rate < found.lowest_rate
    lines = " ".join(curve_lines(found))
    assert f"Suggested peak: {found.suggested_rate:.2g}" in lines and "recipe has 0.1" in lines


@pytest.mark.parametrize("seed", [1, 15, 17])
def test_the_rate_of_the_steepest_fall_is_not_that_of_a_lucky_step(seed: int) -> None:
    """By the slope between neighbouring steps it was that of step 24, 20 and 28."""
    steps = np.arange(101)
    fall = 2.3 - 1.0 / (1.0 + np.exp(-(steps - 50) / 8)) + np.maximum(0, steps - 75) ** 2 * 0.01
    found = curve(list(fall + np.random.default_rng(seed).normal(0, 0.3, 101)))
    assert found.steepest_rate is not None
    # The average lags by nine steps, and such noise moves it by some more to either side.
    assert RATES[45] < found.steepest_rate < RATES[70]


@pytest.mark.parametrize("losses", [[2.0] * 101, list(np.linspace(1, 3, 101))])
def test_a_loss_that_never_falls_suggests_nothing(losses: list[float]) -> None:
    found = curve(losses)
    assert (found.suggested_rate, found.lowest_rate, found.steepest_rate) == (None, None, None)
    assert "the loss never fell" in curve_lines(found)[0]


def test_averages_have_no_bias_at_the_start_and_ramps_end_when_the_loss_is_lost() -> None:
    np.testing.assert_allclose(smooth([3.0] * 20), 3.0, rtol=1e-12)  # sums of float64
    assert not is_lost([2.0, 1.0, 1.5]) and is_lost([1.0] * 10 + [100.0])


@pytest.mark.parametrize("wrong", [{"steps": 5}, {"lowest": 0.0}, {"lowest": 1.0, "highest": 0.5}])
def test_a_plan_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        RatePlan(**wrong)  # type: ignore[arg-type]


def test_rates_are_tried_on_a_network_and_drawn(tmp_path: Path) -> None:
    labels = (np.arange(32) % 2).astype(np.int32)
    images = np.broadcast_to((labels * 200)[:, None, None, None], (32, 8, 8, 3)).astype(np.uint8)
    split = Split(images, labels)
    dataset = Dataset("toy", split, split, ("a", "b"), 8, "0", False)
    recipe = Recipe(
        20.0, 64, "sgd", "triangular", augmentation=Augmentation(0, flip=False)
    ).resolved()
    seen: list[int] = []
    found = try_rates(
        arch_text.loads("in_s8 cn_r1_k3_s2_c8 gap fc_c2"),
        dataset,
        recipe,
        RatePlan(steps=10, lowest=1e-3, highest=10.0),
        seed=0,
        interrupter=Interrupter(),
        on_progress=lambda done, total: seen.append(done),
    )
    # The batch is no larger than the images, and the rate follows it.
    assert (found.batch_size, found.recipe_rate) == (32, 0.1)
    assert found.rates[0] == pytest.approx(1e-4) and len(found.rates) == len(seen)
    assert len(found.losses) == len(found.smoothed) == len(found.rates) <= 10
    assert write_picture(tmp_path, found).read_bytes().startswith(b"\x89PNG")
