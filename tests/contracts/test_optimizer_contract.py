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
# A kernel, a depthwise kernel, a bias, gamma and beta of a normalisation, and two dense kernels,
# of which the last one scores the classes.
SHAPES = {
    "kernel": (3, 3, 2, 4),
    "depthwise": (3, 3, 4, 1),
    "bias": (4,),
    "gamma": (4,),
    "beta": (4,),
    "reduce": (4, 2),
    "classifier": (4, 3),
}
KERNELS = {"kernel", "depthwise", "reduce", "classifier"}


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


def moved(name: str, **settings: Any) -> dict[str, np.ndarray]:
    """How far three steps of equal gradients move each weight."""
    variables = make_variables()
    before = values(variables)
    optimizer = weights_optimizer(
        name,
        variables.values(),
        learning_rate=RATE,
        weight_decay=0.0,
        ema_momentum=None,
        **settings,
    )
    for _ in range(3):
        optimizer.apply([keras.ops.ones(v.shape) for v in variables.values()])
    return {key: before[key] - value for key, value in values(variables).items()}


@pytest.mark.parametrize("name", ["sgd", "rmsprop"])
def test_momentum_adds_steps_up(name: str) -> None:
    slow, usual = moved(name, momentum=0.0), moved(name)
    for key, way in usual.items():
        assert (way > 1.2 * slow[key]).all(), key


def test_clipped_gradients_keep_their_direction_and_have_the_norm() -> None:
    lengths = sum(int(np.prod(shape)) for shape in SHAPES.values())
    clipped = moved("sgd", momentum=0.0, clip_norm=0.5)
    # Ones have the norm of the root of their number; three steps, in float32.
    expected = 3 * RATE * 0.5 / np.sqrt(lengths)
    for key, way in clipped.items():
        np.testing.assert_allclose(way, expected, rtol=1e-3, err_msg=key)
    np.testing.assert_array_equal(moved("sgd", clip_norm=1e6)["bias"], moved("sgd")["bias"])


def test_muon_makes_kernels_orthogonal_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    variables = make_variables()
    before = values(variables)
    optimizer = weights_optimizer(
        "muon", variables.values(), learning_rate=1.0, weight_decay=0.0, ema_momentum=None
    )
    optimizer.apply(
        [
            keras.ops.convert_to_tensor(rng.standard_normal(v.shape).astype(np.float32))
            for v in variables.values()
        ]
    )
    steps = {key: before[key] - value for key, value in values(variables).items()}
    for key, rows in (("kernel", 18), ("reduce", 4)):
        matrix = steps[key].reshape(rows, -1) / (0.2 * np.sqrt(rows))
        singular = np.linalg.svd(matrix, compute_uv=False)
        # The source's five rounds leave singular values between 0.68 and 1.13.
        assert (singular > 0.6).all() and (singular < 1.2).all(), key
    for key in ("depthwise", "bias", "gamma", "beta", "classifier"):
        # Adam's first step has the size of the rate, whatever the gradient.
        np.testing.assert_allclose(np.abs(steps[key]), 1.0, rtol=1e-3, err_msg=key)


def test_an_unknown_name_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="adamw, sgd, (?s:.*)'AdamW'(?s:.*)write 'adamw'"):
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


def test_momentum_is_refused_where_an_optimizer_has_none() -> None:
    with pytest.raises(InputError, match="momentum with an optimizer that has one: sgd, rmsprop"):
        Recipe(1.0, momentum=0.5)
    sgd = Recipe(1.0, optimizer="sgd", momentum=0.5)
    assert sgd.changed(optimizer="adamw").momentum is None, "another optimizer brings its own"
    assert Recipe(1.0, optimizer="rmsprop").resolved().momentum == 0.9


@pytest.mark.parametrize(
    "wrong", [{"learning_rate": 0.0}, {"batch_size": 0}, {"weight_decay": -1.0}]
)
def test_an_optimizer_with_settings_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    settings = {"learning_rate": 0.1, "batch_size": 8, "weight_decay": 0.0, **wrong}
    with pytest.raises(InputError, match=next(iter(wrong))):
        Optimizer(build=own, rule=LINEAR, **settings)
