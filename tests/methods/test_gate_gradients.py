"""The two gradients of a gate step: their lengths are exact, and their ratio has no unit."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nas.hardware.predictor import SpaceLatency
from nas.methods.config import GateConfig, PenaltyControl, SearchConfig, WarmUp, supernet_recipe
from nas.methods.gate_gradients import GateGradients
from nas.methods.gradient import GradientSearch
from nas.methods.history import SearchRow
from nas.selection.diagnostics import LARGEST_GRADIENT_RATIO, gradient_ratio
from nas.training.loop import Control, save
from nas.training.recipe import Pace
from tests.supernet.test_trainer import split, toy_space

# 3x3-3, 3x3-6, 5x5-3, 5x5-6, skip.
OPTION_MS = np.array([0.2, 0.4, 0.3, 0.6, 0.0])
LARGE = 100.0  # a penalty that decides alone


def short_search(penalty: float | None, unit: float = 1.0, **changes: Any) -> GradientSearch:
    """A search that has not begun, its table in another unit; a target is 1.3 in the same unit."""
    latency = SpaceLatency(unit, (unit * OPTION_MS,), 1.0, 0.0)
    config = SearchConfig(
        weights=supernet_recipe(2.0, 8),
        warm_up=WarmUp(share=0.25, largest_share=0.1),
        penalty=PenaltyControl(ramp_share=0.0),
        **changes,
    )
    control = Control(pace=Pace(log_every=1))
    target = None if penalty is not None else 1.3 * unit
    return GradientSearch(
        toy_space(8), latency.cost, split(), config, control, penalty=penalty, target=target, seed=3
    )


def searched(penalty: float | None, unit: float = 1.0, **changes: Any) -> GradientSearch:
    """The same after its last step."""
    search = short_search(penalty, unit, **changes)
    search.run(lambda state: None)
    return search


@functools.cache
def rows(penalty: float | None, unit: float = 1.0) -> list[SearchRow]:
    """History of a search; several tests look at the same one, and none changes it."""
    names = ("step", "ramp", "cross_entropy_gradient", "penalty_gradient")
    history = searched(penalty, unit).result().history
    return [SearchRow(**{n: row[n] for n in names}) for row in history]


@pytest.mark.slow
@pytest.mark.parametrize("penalty", [LARGE, None])
def test_a_table_in_another_unit_changes_nothing(penalty: float | None) -> None:
    one, thousand = (rows(penalty, unit) for unit in (1.0, 1000.0))
    measured = [row for row in one if row.penalty_gradient is not None]
    assert len(measured) >= 2
    others = [row for row in thousand if row.penalty_gradient is not None]
    for row, other in zip(measured, others, strict=True):
        # float32 sums of other numbers, fed back through Adam over some steps.
        assert other.penalty_gradient == pytest.approx(row.penalty_gradient, rel=1e-3)
        assert other.cross_entropy_gradient == pytest.approx(row.cross_entropy_gradient, rel=1e-3)
    assert gradient_ratio(thousand) == pytest.approx(gradient_ratio(one), rel=1e-3)


def test_the_ratio_tells_a_penalty_that_decides_alone_from_one_that_does_not() -> None:
    # Random pixels teach little, so even a small penalty would decide alone here.
    small, large = (gradient_ratio(rows(penalty)) for penalty in (1e-3, LARGE))
    assert small is not None and large is not None
    assert small < LARGEST_GRADIENT_RATIO < large


@pytest.mark.slow
@pytest.mark.parametrize("form", ["categorical", "threshold"])
def test_lengths_are_those_of_the_gradients_themselves(form: str) -> None:
    search = searched(0.3, gates=GateConfig(form, learning_rate=0.05))
    view, optimizer = search.gate_view, keras.optimizers.Adam(0.0, beta_1=0.5)
    variables = view.trainable_variables
    optimizer.build(variables)
    view.compile(
        optimizer=optimizer,
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    images = np.random.default_rng(0).uniform(0, 255, (8, 8, 8, 3)).astype(np.float32)
    targets = np.eye(search.space.num_classes, dtype=np.float32)[np.arange(8) % 2]
    probe = GateGradients(view, optimizer)

    def norms(strength: float) -> dict[str, float]:
        view.strength.assign(strength)
        return probe.norms(lambda: view.train_on_batch(images, targets))

    once, twice, none = norms(0.5), norms(1.0), norms(0.0)
    # The gates rest at a rate of 0, so each is the same step but for the strength.
    assert none["penalty_gradient"] == 0
    assert twice["penalty_gradient"] == pytest.approx(2 * once["penalty_gradient"], rel=1e-6)
    # What Adam's float32 moments tell, less the penalty's part.
    for found in (once, twice):
        expected = none["cross_entropy_gradient"]
        assert found["cross_entropy_gradient"] == pytest.approx(expected, rel=1e-3)

    # By differences: the price at gates moved along each variable.
    def price(step: float) -> list[float]:
        found = []
        for variable in variables:
            start = keras.ops.convert_to_numpy(variable).copy()
            for place in np.ndindex(start.shape):
                moved = start.copy()
                moved[place] += step
                variable.assign(moved)
                found.append(float(keras.ops.convert_to_numpy(view.price())))
            variable.assign(start)
        return found

    if form == "categorical":  # a threshold's derivative is a surrogate, no difference
        step = 1e-2
        slopes = (np.array(price(step)) - np.array(price(-step))) / (2 * step)
        # Central differences of float32 prices of about 1: 1e-7 / 1e-2 each.
        assert twice["penalty_gradient"] == pytest.approx(np.linalg.norm(slopes), rel=1e-2)


def test_a_search_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    """Its checkpoint holds rows without gradients; all rows of a file have the same columns."""
    search = short_search(0.3)
    old = {"step": 1, "loss": 1.0}
    search._state.history[:] = [old]
    search.control = Control(tmp_path / "c.npz")
    save(search.control.checkpoint_path, search._state, search.variables())
    restored = search.restore().history
    assert restored[0] == {**old, "cross_entropy_gradient": None, "penalty_gradient": None}
