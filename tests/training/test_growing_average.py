"""Averages that grow with the training: what they are a mean of, and that they change no step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nas.architecture import text as arch_text
from nas.data import Dataset
from nas.data.augment import Augmentation
from nas.errors import InputError
from nas.training import loop
from nas.training.evaluation import Accuracy
from nas.training.judge import better_of_both
from nas.training.optimizers import OPTIMIZERS, weights_optimizer
from nas.training.recipe import Pace, Recipe
from nas.training.trainer import TrainResult, train_network
from tests.support.shaded_images import shaded_dataset

NETWORK = arch_text.loads("in_s8 cn_r1_k3_s2_c8 gap fc_c4")
RECIPE = Recipe(
    2.0,
    16,
    average_share=0.25,
    growing_average=True,
    augmentation=Augmentation(0, flip=False),
    learning_rate=0.02,
)
STEPS = 12


def slow(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.slow)


def stepped(name: str, share: float | None) -> tuple[list[np.ndarray], Any, list[Any]]:
    """Weights after each of some steps by made-up gradients, the optimizer and the variables."""
    rng = np.random.default_rng(0)
    variables = [keras.Variable(rng.normal(size=shape).astype("f")) for shape in ((3, 4), (4, 2))]
    optimizer = weights_optimizer(
        name,
        variables,
        learning_rate=0.1,
        weight_decay=0.01,
        ema_momentum=None,
        clip_norm=1.0,
        growing_share=share,
    )
    seen = []
    for _ in range(STEPS):
        gradients = [
            keras.ops.convert_to_tensor(rng.normal(size=v.shape), "float32") for v in variables
        ]
        optimizer.apply(gradients, variables)
        seen.append(keras.ops.convert_to_numpy(variables[0]))
    return seen, optimizer, variables


@pytest.mark.parametrize(
    "name",
    [name if name in ("adamw", "sgd") else slow(name) for name in OPTIMIZERS],
)
def test_every_optimizer_takes_the_same_steps_and_averages_beside_them(name: str) -> None:
    plain, _, _ = stepped(name, None)
    seen, optimizer, variables = stepped(name, 0.25)
    assert all(np.array_equal(one, other) for one, other in zip(plain, seen, strict=True))
    # Shamir and Zhang's weights with eta = 3, as products of what stays.
    steps = np.arange(1, STEPS + 1)
    taken = 4 / (steps + 3)
    stays = [np.prod(1 - taken[step:]) for step in steps]
    wanted = sum(r * s * one for r, s, one in zip(taken, stays, seen, strict=True))
    assert taken[0] == 1
    optimizer.finalize_variable_values(variables)
    # Twelve roundings of numbers about 1 in float32.
    np.testing.assert_allclose(variables[0], wanted, rtol=0, atol=2e-6)


def test_a_share_of_one_is_the_plain_mean_of_all_steps() -> None:
    seen, optimizer, variables = stepped("sgd", 1.0)
    optimizer.finalize_variable_values(variables)
    np.testing.assert_allclose(variables[0], np.mean(seen, 0), rtol=0, atol=2e-6)


def test_a_growing_average_needs_its_share() -> None:
    with pytest.raises(InputError, match="(?s)average_share beside growing_average.*none"):
        replace(RECIPE, average_share=None)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return shaded_dataset()


def test_a_training_that_is_left_gives_its_average_and_a_whole_one_the_better_of_both(
    dataset: Dataset, tmp_path: Path
) -> None:
    division = (np.arange(0, 64, 2), np.arange(1, 64, 2))

    def until(step: int | None) -> TrainResult:
        control = loop.Control(tmp_path / "state.npz", Pace(1, 0.0), stop_step=step)
        return train_network(NETWORK, dataset, RECIPE, control, division=division)

    left, whole = until(2), until(None)
    for found in (left, whole):
        assert found.weights is not None
        shares = {"last": found.weights.last_top1, "average": found.weights.average_top1}
        assert found.evaluation.top1 == shares[found.weights.exported]
        assert found.evaluation.count == 32
    assert left.weights is not None and left.weights.exported == "average"
    assert whole.weights is not None and whole.weights.chosen_by == "held-out images"
    best = max(whole.weights.last_top1, whole.weights.average_top1 or 0)
    assert whole.evaluation.top1 == best


class ToyJudge:
    """Says what it was told to, and remembers which weights its copy has."""

    kinds = ("last", "average")

    def __init__(self, last: float, average: float) -> None:
        self._top1 = {"last": last, "average": average}
        self.has = ""

    def take(self, weights: str) -> None:
        self.has = weights

    def accuracy(self, weights: str, _split: Any, _indices: Any) -> Accuracy:
        self.take(weights)
        return Accuracy(self._top1[weights], 1.0, 0.5, 32)


@pytest.mark.parametrize(("last", "average"), [(0.6, 0.5), (0.5, 0.6), (0.5, 0.5)])
def test_the_model_of_a_whole_training_has_the_weights_that_were_better(
    last: float, average: float
) -> None:
    judge: Any = ToyJudge(last, average)
    found, weights = better_of_both(judge, RECIPE.epochs, None, None)  # type: ignore[arg-type]
    assert judge.has == weights.exported == ("last" if last > average else "average")
    assert found.top1 == max(last, average)
    assert (weights.last_top1, weights.average_top1) == (last, average)
