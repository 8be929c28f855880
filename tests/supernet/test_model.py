"""The supernet equals every network that it holds, and its two views train apart."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest

from nas.architecture.spec import Conv, Dense, Dropout, GlobalAveragePool, MBConv, Skip
from nas.builders.keras_model import build_model, set_weights_by_name
from nas.cost.additive import AdditiveCost, ExpectedCost
from nas.layers import super_block
from nas.layers.super_block import SuperBlock
from nas.search_space.space import OneOf, Space
from nas.supernet.inherit import inherit_weights
from nas.supernet.model import Supernet
from nas.supernet.sampling import even_draw, gate_draw
from nas.supernet.views import GateView, WeightView


def make_space(activation: str = "relu6", se_ratio: float = 0.0) -> Space:
    def options(stride: int, channels: int) -> tuple[MBConv, ...]:
        return tuple(
            MBConv(k, stride, e, channels, se_ratio, activation) for k in (3, 5) for e in (3, 6)
        )

    return Space(
        "toy",
        16,
        (
            Conv(3, 2, 8, activation),
            MBConv(3, 1, 1, 8, activation=activation, residual=False),
            OneOf("keep", (*options(1, 8), Skip())),
            OneOf("down", options(2, 16)),
            OneOf("last", (*options(1, 16), Skip())),
            GlobalAveragePool(),
            Dropout(0.0),
            Dense(4),
        ),
    )


def shaken(network: Supernet, seed: int = 0) -> Supernet:
    """Every weight and statistic away from its start, variances positive."""
    rng = np.random.default_rng(seed)
    for variable in network.variables:
        if "gates" not in variable.path and variable.dtype == "float32":
            change = 0.1 * np.abs(rng.standard_normal(variable.shape))
            variable.assign(keras.ops.convert_to_numpy(variable) + change.astype(np.float32))
    return network


def images(count: int = 6) -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 255, (count, 16, 16, 3)).astype(np.float32)


@pytest.mark.parametrize(
    "activation, se_ratio",
    [pytest.param("relu6", 0.0, marks=pytest.mark.slow), ("hard_swish", 0.25)],
)
def test_equals_the_derived_network(activation: str, se_ratio: float) -> None:
    space = make_space(activation, se_ratio)
    network = shaken(Supernet(space))
    x = images()
    # Every option at least once, at stride 1 and 2, skips included.
    for indices in [(0, 0, 0), (1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 0, 4), (4, 3, 1)]:
        architecture = space.decode(indices)
        network.gates.set_draw(network.draw_of(indices))
        model = build_model(architecture)
        set_weights_by_name(model, architecture, inherit_weights(network, architecture))
        for training in (False, True):
            expected = keras.ops.convert_to_numpy(model(x, training=training))
            got = keras.ops.convert_to_numpy(network(x, training=training, update_statistics=False))
            # The same float32 products with zeros among them: a few units in the last place.
            assert np.abs(got - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())


# Kernel 3 and 5, expansion 3 and 6, stride 1 and 2, skips at either place.
DRAWS = [(0, 0, 0), (3, 3, 3), (4, 1, 2), (1, 2, 4), (4, 0, 4)]


@pytest.mark.parametrize(
    "activation, se_ratio, slices",
    [
        pytest.param("relu6", 0.0, True, marks=pytest.mark.slow),
        pytest.param("hard_swish", 0.25, True, marks=pytest.mark.slow),
        pytest.param("hard_swish", 0.25, False, marks=pytest.mark.slow),
    ],
)
def test_sampled_execution_trains_as_masked_does(
    activation: str, se_ratio: float, slices: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if keras.backend.backend() == ("jax" if slices else "torch"):
        pytest.skip("JAX's shapes are fixed; PyTorch has no gradient of a branch that did not run")
    monkeypatch.setattr(super_block, "SLICES", slices)
    network = shaken(Supernet(make_space(activation, se_ratio)))
    views = [WeightView(network, execution) for execution in ("masked", "sampled")]
    for view in views:
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        # A step of rate 1 without momentum subtracts the gradient.
        view.compile(optimizer=keras.optimizers.SGD(1.0), loss=loss, jit_compile=False)
    state = [v for v in network.variables if "gates" not in v.path and v.dtype == "float32"]
    start = values(state)
    x, y = images(), np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]]
    for indices in DRAWS:
        network.gates.set_draw(network.draw_of(indices))
        losses, moves = [], []
        for view in views:
            for variable, value in zip(state, start, strict=True):
                variable.assign(value)
            losses.append(float(view.train_on_batch(x, y)))
            moves.append([a - b for a, b in zip(values(state), start, strict=True)])
        # The same float32 products, zeros among them, in other orders.
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
        for variable, masked, sampled in zip(state, *moves, strict=True):
            part = drawn_part(network, variable, indices)
            if variable.trainable:
                assert not masked[~part].any(), variable.path
            assert not sampled[~part].any(), variable.path
            if part.any():
                # Gradients pass ten normalisations of 6 images backwards, each with sums in
                # another order; a step adds one rounding of a weight of about 1.
                allowed = 1e-4 * np.abs(masked[part]).max() + 1e-5
                assert np.abs(masked - sampled)[part].max() <= allowed, variable.path


def drawn_part(network: Supernet, variable: Any, indices: tuple[int, ...]) -> np.ndarray:
    """Where a weight or statistic belongs to the network of a draw, as booleans."""
    part = np.ones(variable.shape, bool)
    blocks = [stage for stage in network.stages if isinstance(stage, SuperBlock)]
    for block, index, choice in zip(blocks, indices, network.space.choices, strict=True):
        if not any(variable is own for own in block.variables):
            continue
        option = choice.options[index]
        if not isinstance(option, MBConv):
            return ~part
        hidden = option.expansion * block.expand_kernel.shape[2]
        margin = (block.depthwise_kernel.shape[0] - option.kernel) // 2
        if variable is block.depthwise_kernel and margin:
            part[:margin] = part[-margin:] = part[:, :margin] = part[:, -margin:] = False
        # Every axis as long as the block's hidden width counts hidden channels.
        for axis in range(part.ndim):
            if part.shape[axis] == block.depthwise_kernel.shape[2]:
                np.moveaxis(part, axis, 0)[hidden:] = False
    return part


@pytest.mark.parametrize("training", [False, True])
def test_a_sampled_skip_is_exactly_the_identity(training: bool) -> None:
    layer = SuperBlock((3, 5), (3, 6), 8, 1, "relu6", 0, residual=True)
    layer.build((None, 6, 6, 8))
    before = values(layer.variables)
    x = np.random.default_rng(0).standard_normal((4, 6, 6, 8)).astype(np.float32)
    last = np.array([0, 1], np.float32)
    gates = {"kernel": last, "expansion": last, "skip": last}
    y = layer(x, gates, training=training, execution="sampled")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(y), x)
    assert changed(before, layer.variables) == 0


@pytest.mark.parametrize("execution", ["masked", "sampled"])
def test_blocks_run_in_half_precision(execution: str) -> None:
    layers = []
    before = keras.config.dtype_policy()
    try:
        for policy in ("float32", "mixed_bfloat16"):
            keras.config.set_dtype_policy(policy)
            layers.append(SuperBlock((3, 5), (3, 6), 8, 1, "hard_silu", 8, residual=True))
    finally:
        keras.config.set_dtype_policy(before)
    x = np.random.default_rng(0).standard_normal((4, 6, 6, 8)).astype(np.float32)
    gates = dict.fromkeys(("kernel", "expansion", "skip"), np.array([1, 0], np.float32))
    for layer in layers:
        layer.build(x.shape)
    layers[1].set_weights(layers[0].get_weights())
    full, half = (layer(x, gates, training=True, execution=execution) for layer in layers)
    assert keras.backend.standardize_dtype(half.dtype) == "bfloat16"
    difference = values([full])[0] - values([keras.ops.cast(half, "float32")])[0]
    # bfloat16 keeps 8 bits; eight roundings of values of about 1 to 4.
    assert np.abs(difference).max() < 0.2


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="others call models each step")
def test_one_graph_serves_all_draws() -> None:
    class Counting(WeightView):
        calls = 0

        def call(self, images: Any, training: bool = False) -> Any:
            self.calls += 1
            return super().call(images, training=training)

    network = Supernet(make_space())
    view = Counting(network, "sampled")
    view.compile(
        optimizer=keras.optimizers.SGD(0.0),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    x, y = images(), np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]]
    losses, calls = [], []
    for indices in DRAWS:
        network.gates.set_draw(network.draw_of(indices))
        losses.append(float(view.train_on_batch(x, y)))
        calls.append(view.calls)
    assert calls == [calls[0]] * len(DRAWS)
    assert len(set(losses)) == len(DRAWS), "every draw is another network"


def test_other_executions_are_refused() -> None:
    network = Supernet(make_space())
    text = "Expected `execution`, one of masked, sampled. Received: execution='sliced'. Fix: choose"
    with pytest.raises(ValueError, match=text):
        WeightView(network, "sliced")
    with pytest.raises(ValueError, match=text):
        network(images(), execution="sliced")
    text = "Expected masked .* Received: execution='sampled' with .* Fix: run gate steps masked"
    with pytest.raises(ValueError, match=text):
        network(images(), differentiable_gates=True, execution="sampled")


def test_draws_and_indices_are_inverse() -> None:
    space = make_space()
    network = Supernet(space)
    for indices in itertools.product(*(range(len(c.options)) for c in space.choices)):
        joint = space.tables.joint(network.draw_of(indices).hard)
        assert tuple(int(row.argmax()) for row in joint) == indices
        assert all(row.max() == 1 for row in joint)


def test_expected_latency_is_the_mean_over_all_networks() -> None:
    space = make_space()
    network = Supernet(space)
    rng = np.random.default_rng(0)
    for logits in network.gates.logits.values():
        value = keras.ops.convert_to_numpy(logits)
        logits.assign(np.where(value > -1e6, rng.standard_normal(value.shape), value))
    option_ms = tuple(
        np.array([0.0 if isinstance(o, Skip) else rng.uniform(0.1, 1) for o in c.options])
        for c in space.choices
    )
    p = {k: keras.ops.convert_to_numpy(v) for k, v in network.gates.probabilities().items()}
    brute = 0.0
    for indices in itertools.product(*(range(len(c.options)) for c in space.choices)):
        draw = network.draw_of(indices)
        probability = 1.0
        for place, choice in enumerate(space.choices):
            probability *= (p["skip"][place] * draw.hard["skip"][place]).sum()
            if not isinstance(choice.options[indices[place]], Skip):
                probability *= (p["kernel"][place] * draw.hard["kernel"][place]).sum()
                probability *= (p["expansion"][place] * draw.hard["expansion"][place]).sum()
        total = sum(row[i] for row, i in zip(option_ms, indices, strict=True))
        brute += probability * (1.1 * total + 0.5)
    got = ExpectedCost(AdditiveCost(option_ms, 1.1, 0.5), space.tables)(
        network.gates.probabilities()
    )
    # float32 products of probabilities against float64.
    assert float(keras.ops.convert_to_numpy(got)) == pytest.approx(brute, rel=1e-5)


def test_a_decided_gate_has_the_predictors_milliseconds() -> None:
    space = make_space()
    network = Supernet(space)
    option_ms = tuple(
        np.array([0.0 if isinstance(o, Skip) else 0.1 * (i + 1) for i, o in enumerate(c.options)])
        for c in space.choices
    )
    for indices in [(0, 1, 4), (4, 3, 0), (2, 2, 2)]:
        draw = network.draw_of(indices)
        for kind, hard in draw.hard.items():
            network.gates.logits[kind].assign(np.where(hard > 0, 50.0, -50.0))
        expected = 1.2 * (0.3 + sum(r[i] for r, i in zip(option_ms, indices, strict=True))) + 0.1
        cost = AdditiveCost(option_ms, 1.2, 1.2 * 0.3 + 0.1)
        got = ExpectedCost(cost, space.tables)(network.gates.probabilities())
        assert float(keras.ops.convert_to_numpy(got)) == pytest.approx(expected, rel=1e-5)


def values(variables: list) -> list[np.ndarray]:  # type: ignore[type-arg]
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def changed(before: list[np.ndarray], variables: list) -> int:  # type: ignore[type-arg]
    after = values(variables)
    return sum(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def costs(space: Space, small: float, large: float) -> AdditiveCost:
    """What a block costs by its kernel, 3 or 5; skip costs nothing."""
    rows = (
        [{3: small, 5: large}.get(getattr(o, "kernel", 0), 0.0) for o in c.options]
        for c in space.choices
    )
    return AdditiveCost(tuple(np.array(row) for row in rows), 1.0, 0.5)


def test_views_train_apart() -> None:
    space = make_space()
    network = Supernet(space)
    weights, gates = WeightView(network), GateView(network, costs(space, 1.0, 1.0))
    assert {id(v) for v in weights.trainable_variables}.isdisjoint(
        id(v) for v in gates.trainable_variables
    )
    both = [*weights.trainable_variables, *gates.trainable_variables]
    assert {id(v) for v in both} == {id(v) for v in network.trainable_variables}
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    for view in (weights, gates):
        view.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss, jit_compile=False)
    gates.strength.assign(0.1)
    x, y = images(), np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]]
    rng = np.random.default_rng(0)

    network.gates.set_draw(even_draw(network, rng))
    before_gates = values(network.gates.trainable_variables)
    before_weights = values(weights.trainable_variables)
    weights.train_on_batch(x, y)
    assert changed(before_gates, network.gates.trainable_variables) == 0
    assert changed(before_weights, weights.trainable_variables) > 10

    network.gates.set_draw(gate_draw(network, rng))
    rest = [v for v in network.variables if "logits" not in v.path]
    before = values(rest)
    gates.train_on_batch(x, y)
    # Neither weights nor running statistics; every kind of gate.
    assert changed(before, rest) == 0
    assert changed(before_gates, network.gates.trainable_variables) == 3


@pytest.mark.parametrize("target_ms", [None, 0.8])
def test_a_strong_penalty_lowers_the_expected_latency(target_ms: float | None) -> None:
    network = Supernet(make_space())
    view = GateView(network, costs(network.space, 0.2, 1.0), target_ms)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    view.compile(optimizer=keras.optimizers.SGD(0.5), loss=loss, jit_compile=False)
    view.strength.assign(10.0)
    before = float(keras.ops.convert_to_numpy(view.expected_cost()))
    network.gates.set_draw(gate_draw(network, np.random.default_rng(0)))
    for _ in range(3):
        view.train_on_batch(images(), np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]])
    assert float(keras.ops.convert_to_numpy(view.expected_cost())) < before - 0.1


def test_gate_draws_follow_the_probabilities() -> None:
    network = Supernet(make_space())
    logits = keras.ops.convert_to_numpy(network.gates.logits["kernel"]).copy()
    logits[0] = (1.0, 0.0)
    network.gates.logits["kernel"].assign(logits)
    rng = np.random.default_rng(0)
    share = np.mean([gate_draw(network, rng).hard["kernel"][0, 0] for _ in range(2000)])
    # sigmoid(1) = 0.731; 2000 draws have a standard deviation of 0.010; four of them.
    assert abs(share - 0.7311) < 0.04
    draws = [gate_draw(network, rng).hard["skip"][1] for _ in range(200)]
    assert all(draw.tolist() == [1, 0] for draw in draws), "this block cannot be skipped"
