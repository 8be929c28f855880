"""A training that was killed at any step goes on exactly, by every schedule and optimizer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nas.system.interrupt import Interrupter
from nas.training import loop
from nas.training.checkpoint import Parts
from nas.training.optimizers import OPTIMIZERS
from nas.training.recipe import Pace, Recipe
from nas.training.schedules import SCHEDULES
from nas.training.steps import WeightSteps

TOTAL, CLASSES = 4, 3
FILE = "def mine(step, course):\n    return 1.0 / (1.0 + step)\n"


class KilledError(Exception):
    """Stands for SIGKILL: nothing is saved on the way out."""


class Training:
    """One small matrix with a bias, trained by a recipe; steps are not traced, which takes long."""

    def __init__(self, recipe: Recipe, killed_at: int | None = None) -> None:
        keras.utils.set_random_seed(0)
        pixels = keras.Input((2, 2, 3))
        self.model = keras.Model(
            pixels, keras.layers.Dense(CLASSES)(keras.layers.Flatten()(pixels))
        )
        self.steps = WeightSteps(self.model, recipe, TOTAL, CLASSES)
        self.model.run_eagerly = True
        self.killed_at = killed_at

    def batches(self, start: int) -> Iterator[Any]:
        for step in range(start, TOTAL):
            rng = np.random.default_rng(step)
            yield rng.standard_normal((4, 2, 2, 3), np.float32), rng.integers(0, CLASSES, 4)

    def step(self, step: int, batch: Any) -> None:
        if step == self.killed_at:
            raise KilledError
        self.steps.train(step, *batch)

    def wait(self) -> None:
        pass

    def row(self, step: int, steps_per_second: float) -> dict[str, Any]:
        return {**self.steps.take_logs(), "learning_rate": self.steps.rate}

    def variables(self) -> Parts:
        return {"network": self.model.variables, "optimizer": self.model.optimizer.variables}

    def run(self, path: Path | None) -> loop.LoopState:
        state = loop.restore(path, self.variables())
        control = loop.Control(path, Pace(1, checkpoint_seconds=0.0), Interrupter())
        return loop.run(self, state, TOTAL, control)

    def weights(self) -> list[np.ndarray]:
        return [np.array(keras.ops.convert_to_numpy(v)) for v in self.model.variables]


def check_goes_on(recipe: Recipe, tmp_path: Path) -> None:
    whole = Training(recipe)
    expected = whole.run(None).history
    path = tmp_path / "state.npz"
    with pytest.raises(KilledError):
        Training(recipe, killed_at=3).run(path)
    again = Training(recipe)
    assert again.run(path).history == expected
    assert all(map(np.array_equal, again.weights(), whole.weights()))
    rates = [row["learning_rate"] for row in expected]
    assert all(0 < rate <= recipe.peak_rate for rate in rates) and len(rates) == TOTAL


QUICK = ("triangular2", "file")  # the others take the same way through the same code
CASES = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name in (*SCHEDULES.names, "file")
]


@pytest.mark.parametrize("name", CASES)
def test_every_schedule_goes_on_exactly(name: str, tmp_path: Path) -> None:
    if name == "file":
        (tmp_path / "mine.py").write_text(FILE)
        name = f"{tmp_path / 'mine.py'}:mine"
    check_goes_on(Recipe(3.0, 4, "sgd", name, learning_rate=0.1), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS.names)
def test_every_optimizer_goes_on_exactly(name: str, tmp_path: Path) -> None:
    recipe = Recipe(3.0, 4, name, "triangular", l2=0.01, clip_norm=0.1, average_share=0.5)
    check_goes_on(recipe, tmp_path)


def test_the_penalty_is_of_kernels_alone() -> None:
    plain, other = Training(Recipe(3.0, 4, "sgd")), Training(Recipe(3.0, 4, "sgd", l2=0.5))
    kernel, bias = other.weights()
    other.model.layers[-1].bias.assign(bias + 1.0)
    plain.model.layers[-1].bias.assign(bias + 1.0)
    batch = next(plain.batches(0))
    plain.step(0, batch)
    other.step(0, batch)
    added = other.steps.take_logs()["loss"] - plain.steps.take_logs()["loss"]
    assert added == pytest.approx(0.25 * (kernel**2).sum(), rel=1e-4)  # a difference in float32
