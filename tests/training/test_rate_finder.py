"""A training that tries learning rates, where its loss is lost or somebody stops it."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from latency.shell import Interrupted
from nas.architecture import text as arch_text
from nas.errors import InputError
from nas.recipes import RECIPES
from nas.system.interrupt import Interrupter
from nas.training import rate_finder
from nas.training.lost import LostWeightsError
from nas.training.rate_curve import RateCurve, RatePlan
from nas.training.rate_finder import try_rates
from tests.support.trained_runs import NETWORK, dataset

PLAN = RatePlan(steps=12, lowest=1e-3, highest=10.0)
Try = Callable[[Callable[[int], float]], RateCurve]


class Losses:
    """Stands in for a training: the loss of each step, or the error of one that is lost."""

    def __init__(self, loss_of: Callable[[int], float]) -> None:
        self.loss_of = loss_of
        recipe = SimpleNamespace(peak_rate=0.1, batch_size=14)
        self.steps: Any = SimpleNamespace(recipe=recipe, take_logs=lambda: {"loss": self.loss})

    def batches(self, step: int) -> Iterator[int]:
        yield from range(step, PLAN.steps)

    def step(self, step: int, batch: int) -> None:
        assert step == batch
        self.steps.rate = self.steps.rate_of(step)
        self.loss = self.loss_of(step)
        if not math.isfinite(self.loss):
            raise LostWeightsError("a finite loss", f"{self.loss}", "pass a lower rate")


@pytest.fixture
def interrupter() -> Iterator[Interrupter]:
    with Interrupter().installed() as installed:
        yield installed


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch, interrupter: Interrupter) -> Try:
    def run(loss_of: Callable[[int], float]) -> RateCurve:
        monkeypatch.setattr(rate_finder, "Trainer", lambda *arguments: Losses(loss_of))
        return try_rates(
            arch_text.parse(NETWORK),
            dataset(),
            RECIPES["smoke"].resolved(),
            PLAN,
            seed=0,
            interrupter=interrupter,
            on_progress=lambda done, total: None,
        )

    return run


def test_a_loss_that_becomes_no_number_ends_the_ramp(tried: Try) -> None:
    found = tried(lambda step: 2.0 - step / 10 if step < 7 else math.nan)
    assert len(found.losses) == 7 and found.losses[-1] == pytest.approx(1.4)
    assert list(found.rates) == [PLAN.rate(step, 0.1) for step in range(7)]


def test_a_loss_that_explodes_ends_the_ramp_with_its_last_value(tried: Try) -> None:
    found = tried(lambda step: 1.0 if step < 8 else 1e6)
    assert found.losses[:8] == (1.0,) * 8
    assert found.losses[-1] == 1e6 and len(found.losses) < PLAN.steps


@pytest.mark.parametrize("lost_at", [0, 1])
def test_a_loss_that_is_lost_at_once_is_refused(lost_at: int, tried: Try) -> None:
    with pytest.raises(InputError) as caught:
        tried(lambda step: 2.0 if step < lost_at else math.inf)
    assert caught.value.expected == "a loss that is finite at low learning rates"
    assert f"{PLAN.rate(0, 0.1):.3g}" in caught.value.received
    assert "--learning_rate" in caught.value.fix


def test_a_signal_ends_it_after_the_step(tried: Try) -> None:
    steps: list[int] = []

    def loss(step: int) -> float:
        steps.append(step)
        if step == 3:
            signal.raise_signal(signal.SIGTERM)
        return 2.0

    with pytest.raises(Interrupted):
        tried(loss)
    assert steps == [0, 1, 2, 3]
