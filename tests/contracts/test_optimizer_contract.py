"""One contract for every optimizer; a user's own passes it too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nas.errors import InputError
from nas.training.checkpoint import load, save
from nas.training.optimizers import LINEAR, OPTIMIZERS, Optimizer, weights_optimizer
from nas.training.recipe import Recipe

RATE, DECAY = 0.1, 0.5
# A kernel, a depthwise kernel, a bias, and gamma and beta of a normalisation.
SHAPES = {
    "kernel": (3, 3, 2, 4),
    "depthwise": (3, 3, 4, 1),
    "bias": (4,),
    "gamma": (4,),
    "beta": (4,),
}
KERNELS = {"kernel", "depthwise"}


def own(learning_rate: float, weight_decay: float, average: Mapping[str, Any]) -> Any:
    """What a user would write."""
    return keras.optimizers.RMSprop(learning_rate, weight_decay=weight_decay, **average)


ALL = [*OPTIMIZERS.names, "own"]


@pytest.fixture(scope="module", autouse=True)
def own_optimizer() -> Iterator[None]:
    OPTIMIZERS.register("own", Optimizer(own, 0.001, 32, LINEAR, 0.1))
    yield
    OPTIMIZERS.remove("own")


def make_variables() -> dict[str, keras.Variable]:
    rng = np.random.default_rng(0)
    return {
        name: keras.Variable(rng.uniform(0.5, 1.0, shape).astype(np.float32), name=name)
        for name, shape in SHAPES.items()
    }


def built(name: str, variables: Mapping[str, keras.Variable], average: float | None = None) -> Any:
    return weights_optimizer(
        name,
        variables.values(),
        learning_rate=RATE,
        weight_decay=DECAY,
        ema_momentum=average,
    )


def values(variables: Mapping[str, keras.Variable]) -> dict[str, np.ndarray]:
    return {name: np.array(keras.ops.convert_to_numpy(v)) for name, v in variables.items()}


def step(optimizer: Any, variables: Mapping[str, keras.Variable], number: int | None) -> None:
    """A step with gradients of its own, or with none but zeros."""
    rng = np.random.default_rng(number)
    gradients = [
        keras.ops.zeros(v.shape)
        if number is None
        else keras.ops.convert_to_tensor(rng.standard_normal(v.shape).astype(np.float32))
        for v in variables.values()
    ]
    optimizer.apply(gradients)


@pytest.mark.parametrize("name", ALL)
def test_kernels_decay_and_nothing_else_does(name: str) -> None:
    variables = make_variables()
    before = values(variables)
    step(built(name, variables), variables, None)
    for key, value in values(variables).items():
        # Decoupled: a share of rate * decay of the weight itself, in float32.
        expected = before[key] * (1 - RATE * DECAY) if key in KERNELS else before[key]
        np.testing.assert_allclose(value, expected, rtol=1e-6, err_msg=key)


@pytest.mark.parametrize("name", ALL)
def test_every_weight_moves_against_its_gradient(name: str) -> None:
    variables = make_variables()
    before = values(variables)
    optimizer = weights_optimizer(
        name, variables.values(), learning_rate=RATE, weight_decay=0.0, ema_momentum=None
    )
    optimizer.apply([keras.ops.ones(v.shape) for v in variables.values()])
    for key, value in values(variables).items():
        assert (value < before[key]).all() and np.isfinite(value).all(), key


@pytest.mark.parametrize("name", ALL)
def test_the_rate_of_a_step_can_be_set(name: str) -> None:
    variables = make_variables()
    before = values(variables)
    optimizer = built(name, variables)
    optimizer.learning_rate.assign(0.0)
    step(optimizer, variables, 1)
    assert all(np.array_equal(value, before[key]) for key, value in values(variables).items())


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("average", [None, 0.5])
def test_steps_after_a_checkpoint_are_the_same_to_the_bit(
    name: str, average: float | None, tmp_path: Path
) -> None:
    variables = make_variables()
    optimizer = built(name, variables, average)
    for number in range(3):
        step(optimizer, variables, number)
    save(tmp_path / "c.npz", {"own": variables.values(), "optimizer": optimizer.variables}, {})
    for number in range(3, 6):
        step(optimizer, variables, number)

    others = make_variables()
    other = built(name, others, average)
    load(tmp_path / "c.npz", {"own": others.values(), "optimizer": other.variables})
    for number in range(3, 6):
        step(other, others, number)
    for optimizer_, variables_ in ((optimizer, variables), (other, others)):
        if average is not None:
            optimizer_.finalize_variable_values(list(variables_.values()))
    expected = values(variables)
    assert all(np.array_equal(value, expected[key]) for key, value in values(others).items())


@pytest.mark.parametrize("name", ALL)
def test_the_average_lies_between_the_weights_it_is_made_of(name: str) -> None:
    variables = make_variables()
    optimizer = built(name, variables, 0.5)
    seen = []
    for _ in range(4):
        optimizer.apply([keras.ops.ones(v.shape) for v in variables.values()])
        seen.append(values(variables))
    optimizer.finalize_variable_values(list(variables.values()))
    for key, value in values(variables).items():
        assert (value < seen[0][key]).all() and (value > seen[-1][key]).all(), key


def test_an_unknown_name_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="adamw, sgd, own(?s:.*)'AdamW'(?s:.*)write 'adamw'"):
        built("AdamW", make_variables())


def test_a_recipe_takes_an_optimizer_of_a_users_own() -> None:
    recipe = Recipe(1.0, 64, optimizer="own")
    assert (recipe.peak_rate, recipe.decay) == (0.002, 0.1)


@pytest.mark.parametrize("name", ALL)
def test_each_has_a_rate_of_its_own_that_follows_the_batch(name: str) -> None:
    own_ = OPTIMIZERS[name]
    same = Recipe(1.0, own_.batch_size, optimizer=name)
    assert (same.peak_rate, same.decay) == (own_.learning_rate, own_.weight_decay)
    more = Recipe(1.0, 4 * own_.batch_size, optimizer=name)
    assert more.peak_rate == pytest.approx(own_.learning_rate * 4**own_.rule.exponent)
    assert more.decay == same.decay
    assert own_.rule.source and own_.rule.words


@pytest.mark.parametrize(
    "wrong", [{"learning_rate": 0.0}, {"batch_size": 0}, {"weight_decay": -1.0}]
)
def test_an_optimizer_with_settings_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    settings = {"learning_rate": 0.1, "batch_size": 8, "weight_decay": 0.0, **wrong}
    with pytest.raises(InputError, match=next(iter(wrong))):
        Optimizer(build=own, rule=LINEAR, **settings)
