"""Threshold gates decide as published, and their gradient vanishes with a layer's width."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from nas.cost.additive import AdditiveCost, ExpectedCost
from nas.errors import InputError
from nas.layers.option_masks import channel_masks, kernel_masks
from nas.layers.threshold_gates import KINDS, ThresholdGates, sigmoid_slope
from nas.methods.config import GateConfig
from nas.methods.gate_probabilities import GateProbabilities
from nas.selection.integer_program import choose
from nas.supernet.model import Supernet
from nas.supernet.sampling import even_draw
from nas.supernet.views import GateView, WeightView
from tests.layers.test_gates import (
    NARROW,
    WIDE,
    gate_gradients,
    indices_of,
    ones_of,
    toy_search,
    toy_space,
)

RNG = np.random.default_rng(0)


def numpy(tensor: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(tensor))


def fake_block(
    kernel: np.ndarray, kernels: tuple[int, ...] = (3, 5), expansions: tuple[int, ...] = (3, 6)
) -> SimpleNamespace:
    """What gates read of a block: its depthwise kernel and the masks of its own options."""
    return SimpleNamespace(
        depthwise_kernel=keras.ops.convert_to_tensor(kernel, str(kernel.dtype)),
        kernel_masks=kernel_masks(kernels)[:, :, :, None, None],
        channel_masks=channel_masks(expansions, kernel.shape[2] // max(expansions)),
    )


def gates_of(weights: list[np.ndarray], kernels: tuple[int, ...] = (3, 5)) -> ThresholdGates:
    """Gates in float64 for blocks with these depthwise kernels."""
    blocks = [fake_block(kernel, kernels) for kernel in weights]
    count = len(blocks)
    allowed = {"kernel": np.ones((count, len(kernels)))}
    allowed |= {"expansion": np.ones((count, 2)), "skip": np.ones((count, 2))}
    layer = ThresholdGates(allowed, dtype="float64")
    layer.bind(blocks)
    return layer


def published_kernel(hidden: int, size: int = 5) -> np.ndarray:
    """As the published code starts a depthwise kernel: normal, deviation sqrt(2 / size^2)."""
    return RNG.normal(0, np.sqrt(2 / size**2), (size, size, hidden, 1))


def depthwise_kernel_of(layer: ThresholdGates) -> np.ndarray:
    assert layer._read is not None
    return numpy(layer._read()[0][0])


def set_thresholds(layer: ThresholdGates, kernel: Any, expansion: Any, skip: Any) -> None:
    for kind, value in (("kernel", kernel), ("expansion", expansion), ("skip", skip)):
        layer.thresholds[kind].assign(np.array(value, float))


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(x, float)))


def norm(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values).sum()))


@pytest.mark.parametrize("t5, t6, t0", [(0, 0, 0), (9, 0, 0), (0, 9, 0), (9, 5, 0), (0, 0, 11)])
def test_decisions_are_the_published_ones(t5: float, t6: float, t0: float) -> None:
    w = published_kernel(48)
    layer = gates_of([w])
    set_thresholds(layer, [[0, t5]], [[0, t6]], [[t0]])
    # By hand, with masks: norms of about 7.8 (ring), 6.9 or 4.2 (half the channels, 5x5 or 3x3).
    centre, first = np.zeros_like(w), np.zeros_like(w)
    centre[1:4, 1:4], first[:, :, :24] = 1, 1
    d5 = float(norm(w * (1 - centre)) >= t5)
    wk = w * centre + d5 * w * (1 - centre)
    d6, keep = float(norm(wk * (1 - first)) >= t6), float(norm(wk * first) >= t0)
    gates = {kind: numpy(value)[0] for kind, value in layer.decisions(True).items()}
    assert gates["kernel"].tolist() == [1 - d5, d5]
    assert gates["expansion"].tolist() == [1 - d6, d6]
    assert gates["skip"].tolist() == [keep, 1 - keep]
    draw = layer.sample(np.random.default_rng(0))
    for kind in KINDS:
        np.testing.assert_array_equal(draw.hard[kind][0], gates[kind])
    # The super block's masks then give the published kernel.
    masks = (gates["kernel"] @ kernel_masks((3, 5)).reshape(2, -1)).reshape(5, 5, 1, 1)
    widths = gates["expansion"] @ channel_masks((3, 6), 8)
    published = keep * (wk * first + d6 * wk * (1 - first))
    np.testing.assert_array_equal(gates["skip"][0] * w * masks * widths[:, None], published)


def test_the_norm_of_channels_is_that_of_the_decided_kernel() -> None:
    w = published_kernel(48)
    layer = gates_of([w])
    for t5, taps in ((0.0, slice(0, 5)), (99.0, slice(1, 4))):
        part = w[taps, taps]
        for shift, taken in ((-1e-9, 1.0), (1e-9, 0.0)):
            second, first = norm(part[:, :, 24:]) + shift, norm(part[:, :, :24]) + shift
            set_thresholds(layer, [[0, t5]], [[0, second]], [[first]])
            gates = layer.decisions(True)
            assert numpy(gates["expansion"])[0, 1] == taken
            assert numpy(gates["skip"])[0, 0] == taken


def test_a_larger_ring_needs_the_smaller_one() -> None:
    w = published_kernel(48, size=7)
    ring5, ring7 = w[1:6, 1:6].copy(), w.copy()
    ring5[1:4, 1:4], ring7[1:6, 1:6] = 0, 0
    layer = gates_of([w], kernels=(3, 5, 7))
    for t5, t7, expected in ((0, 0, 2), (0, 99, 1), (99, 0, 0), (99, 99, 0)):
        set_thresholds(layer, [[0, t5, t7]], np.zeros((1, 2)), [[0]])
        assert numpy(layer.decisions(True)["kernel"])[0].argmax() == expected
    below, above = norm(ring5) - 0.3, norm(ring7) + 0.4
    set_thresholds(layer, [[0, below, above]], np.zeros((1, 2)), [[0]])
    p5, p7 = sigmoid(0.3), sigmoid(-0.4)
    got = numpy(layer.probabilities()["kernel"])[0]
    np.testing.assert_allclose(got, [1 - p5, p5 * (1 - p7), p5 * p7], rtol=1e-9)


def test_probabilities_sum_to_one_and_keep_small_ones() -> None:
    layer = gates_of([published_kernel(c) for c in (48, 96, 1152)])
    p = {kind: numpy(value) for kind, value in layer.probabilities().items()}
    for kind in KINDS:
        np.testing.assert_allclose(p[kind].sum(1), 1, rtol=1e-12)
    assert (p["kernel"][:, 0] > 0).all() and (np.diff(p["kernel"][:, 0]) < 0).all()


def test_options_that_do_not_exist_are_never_taken() -> None:
    blocks = [
        fake_block(published_kernel(48, 7), (3, 5, 7)),
        fake_block(published_kernel(24, 5), (3, 5), (3,)),
        fake_block(published_kernel(48, 7), (5, 7), (6,)),
        fake_block(published_kernel(48, 7), (3, 7)),
    ]
    allowed = [[1, 1, 1], [1, 1, 0], [0, 1, 1], [1, 0, 1]]
    layer = ThresholdGates(
        {
            "kernel": allowed,
            "expansion": [[1, 1], [1, 0], [0, 1], [1, 1]],
            "skip": [[1, 1], [1, 0], [1, 1], [1, 1]],
        },
        dtype="float64",
    )
    layer.bind(blocks)
    for t in (-99.0, 0.0, 11.0, 99.0):
        for threshold in layer.thresholds.values():
            threshold.assign(np.full(threshold.shape, t))
        for values in (layer.decisions(True), layer.probabilities()):
            kernel, expansion = numpy(values["kernel"]), numpy(values["expansion"])
            assert not kernel[np.array(allowed) == 0].any()
            assert expansion[1].tolist() == [1, 0] and expansion[2].tolist() == [0, 1]
            assert numpy(values["skip"])[1].tolist() == [1, 0]
            np.testing.assert_allclose(kernel.sum(1), 1, rtol=1e-12)
    # Without a 5x5, the one step to 7x7 has the norm of everything outside 3x3.
    w = numpy(blocks[3].depthwise_kernel).copy()
    w[2:5, 2:5] = 0
    for shift, expected in ((-1e-9, 2), (1e-9, 0)):
        layer.thresholds["kernel"].assign(np.full((4, 3), norm(w) + shift))
        assert numpy(layer.decisions(True)["kernel"])[3].argmax() == expected


def derivative_by_threshold(layer: ThresholdGates, kind: str) -> np.ndarray:
    """D gate / d threshold of each choice's last step of a kind."""
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients are taken with TensorFlow")
    variable = layer.thresholds[kind].value
    with tf.GradientTape() as tape:
        tape.watch(variable)
        # The last expansion or kernel is the one whose gate the step opens; skip has keep first.
        gate = layer.decisions(True)[kind][:, 0 if kind == "skip" else -1]
    return numpy(tape.gradient(gate, variable))[:, -1]


def test_the_gates_derivative_vanishes_with_width() -> None:
    narrow, wide = published_kernel(96), published_kernel(1152)
    layer = gates_of([narrow, wide])
    for w in (narrow, wide):
        w[1:4, 1:4] = 0
    derivatives = derivative_by_threshold(layer, "kernel")
    by_hand = [-sigmoid(norm(w)) * sigmoid(-norm(w)) for w in (narrow, wide)]
    # A norm of 39 passes the exponential: the last bits of a sum of 18,432 squares.
    np.testing.assert_allclose(derivatives, by_hand, rtol=1e-10)
    # Norms of 11.1 and 38.4: exp(-sqrt(C)). 7e11 at the expected norms.
    assert derivatives[0] / derivatives[1] > 1e11
    # Half the channels: norms of 9.8 and 33.9 give exp(24), about 3e10.
    for kind in ("expansion", "skip"):
        narrow_slope, wide_slope = derivative_by_threshold(layer, kind)
        assert narrow_slope / wide_slope > 1e9


def test_the_slope_survives_float32() -> None:
    x = np.array([-40.0, 0.0, 40.0], np.float32)
    exact = sigmoid(x) * sigmoid(-x.astype(float))
    np.testing.assert_allclose(numpy(sigmoid_slope(keras.ops.convert_to_tensor(x))), exact, 1e-5)


def threshold_supernet(channels: int, seed: int = 0) -> Supernet:
    keras.utils.set_random_seed(seed)
    return Supernet(toy_space(channels), gate="threshold")


@pytest.mark.slow
def test_the_losss_gradient_vanishes_with_width() -> None:
    spreads = []
    for channels in (NARROW, WIDE):
        network = threshold_supernet(channels)
        gradients = gate_gradients(network, network.gates.thresholds, draws=3)
        spreads.append({kind: values[:, 0, -1].std() for kind, values in gradients.items()})
    for kind in KINDS:
        # Where the categorical form stays within 3 (test_gates.py).
        assert spreads[0][kind] > 1e11 * spreads[1][kind] > 0, spreads


def test_a_thresholds_gradient_is_minus_the_slope_times_the_gates() -> None:
    tf = pytest.importorskip("tensorflow")
    layer = gates_of([published_kernel(48)])
    t5 = norm(depthwise_kernel_of(layer)[[0, -1]]) + 1
    set_thresholds(layer, [[0, t5]], [[0, 1]], [[1]])
    weight = RNG.standard_normal(2)
    variable = layer.thresholds["kernel"].value
    with tf.GradientTape() as tape:
        tape.watch(variable)
        total = tf.reduce_sum(layer.probabilities()["kernel"] * weight)
    p = numpy(layer.probabilities()["kernel"])[0]
    gradient = numpy(tape.gradient(total, variable))[0]
    np.testing.assert_allclose(gradient, [0, -p[0] * p[1] * (weight[1] - weight[0])], rtol=1e-9)


def test_the_views_train_weights_and_thresholds_apart() -> None:
    network = threshold_supernet(8)
    weights, gates = WeightView(network), GateView(network, ones_of(network.space))
    own = {id(v) for v in gates.trainable_variables}
    assert own == {id(v) for v in network.gates.thresholds.values()}
    assert own.isdisjoint(id(v) for v in weights.trainable_variables)
    assert len(own) + len(weights.trainable_variables) == len(network.trainable_variables)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    for view, rate in ((weights, 0.1), (gates, 1e3)):
        view.compile(optimizer=keras.optimizers.SGD(rate), loss=loss, jit_compile=False)
    gates.strength.assign(0.1)
    x = RNG.uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    y = np.eye(4, dtype=np.float32)
    rest = [v for v in network.variables if id(v) not in own]
    before = [numpy(v) for v in rest]
    gates.train_on_batch(x, y)
    for variable, value in zip(rest, before, strict=True):
        np.testing.assert_array_equal(numpy(variable), value)
    moved = {kind: numpy(v) for kind, v in network.gates.thresholds.items()}
    assert all(value.any() for value in moved.values())
    weights.train_on_batch(x, y)
    for kind, value in moved.items():
        np.testing.assert_array_equal(numpy(network.gates.thresholds[kind]), value)


def test_draws_of_the_warm_up_are_obeyed_by_weight_steps() -> None:
    network = threshold_supernet(8)
    rng = np.random.default_rng(0)
    assert indices_of(network, network.gates.sample(rng)) == (3,), "the start is the largest"
    np.testing.assert_array_equal(numpy(network.gates.decisions(False)["kernel"]), [[0, 1]])
    for _ in range(5):
        draw = even_draw(network, rng)
        network.gates.set_draw(draw)
        for kind in KINDS:
            got = numpy(network.gates.decisions(False)[kind])
            np.testing.assert_array_equal(got, draw.hard[kind])
    # Gate steps see the indicators, whatever was drawn last.
    np.testing.assert_array_equal(numpy(network.gates.decisions(True)["skip"]), [[1, 0]])


def test_expected_latency_and_choice_read_the_relaxed_indicators() -> None:
    layer = gates_of([published_kernel(48)])
    w = depthwise_kernel_of(layer)
    ring = w.copy()
    ring[1:4, 1:4] = 0
    # Kernel 5 by 0.5, expansion 6 by 1.5, kept by 2.
    set_thresholds(
        layer,
        [[0, norm(ring) - 0.5]],
        [[0, norm(w[:, :, 24:]) - 1.5]],
        [[norm(w[:, :, :24]) - 2.0]],
    )
    p = {kind: numpy(value) for kind, value in layer.probabilities().items()}
    rows = np.array([0.2, 0.4, 0.3, 0.6, 0.0])  # 3x3-3, 3x3-6, 5x5-3, 5x5-6, skip
    k, e, keep = sigmoid(0.5), sigmoid(1.5), sigmoid(2.0)
    block = (1 - k) * ((1 - e) * 0.2 + e * 0.4) + k * ((1 - e) * 0.3 + e * 0.6)
    space = toy_space(8)
    got = ExpectedCost(AdditiveCost((rows,), 1.1, 0.7), space.tables)(layer.probabilities())
    assert float(numpy(got)) == pytest.approx(1.1 * keep * block + 0.7, rel=1e-9)
    probabilities = GateProbabilities(p)
    assert probabilities.joint(space)[0].sum() == pytest.approx(1)
    scores = probabilities.scores(space)
    assert choose(scores, [rows], 0.0, 1.0) == (3,)
    # The kernel is the least certain decision, so it goes first.
    assert choose(scores, [rows], 0.0, 0.5) == (1,)


@pytest.mark.slow
def test_a_search_moves_thresholds_until_decisions_change() -> None:
    # A penalty and a rate far beyond what the published start could follow in four steps.
    search = toy_search(GateConfig(form="threshold", learning_rate=2.0), penalty=50.0)
    gates, rng = search.network.gates, np.random.default_rng(0)
    for kind, x in gates._margins().items():
        gates.thresholds[kind].assign(numpy(x) - 0.5)  # starts at 0, so x is the norm
    assert indices_of(search.network, gates.sample(rng)) == (3,)
    before = {kind: numpy(v) for kind, v in gates.thresholds.items()}
    history = search.run(lambda state: None).history
    for kind, value in gates.thresholds.items():
        assert (numpy(value) >= before[kind]).all() and (numpy(value) > before[kind]).any(), kind
    assert indices_of(search.network, gates.sample(rng)) != (3,)
    # 1 ms is fixed.
    assert history[-1]["expected_ms"] - 1 < 0.1 * (history[0]["expected_ms"] - 1)
    assert [row["temperature"] for row in history] == [1.0] * 8, "there is none"


def test_configuration_round_trips() -> None:
    layer = ThresholdGates({"kernel": [[1, 1]], "expansion": [[1, 0]], "skip": [[1, 1]]})
    again = ThresholdGates.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_gates_without_their_weights_say_so() -> None:
    layer = ThresholdGates({"kernel": [[1, 1]], "expansion": [[1, 1]], "skip": [[1, 1]]})
    assert numpy(layer.decisions(False)["kernel"]).tolist() == [[0, 1]]
    with pytest.raises(ValueError, match="Expected threshold gates that know .* Fix: call `bind`"):
        layer.probabilities()
    text = "Expected one block a choice, 1.\nReceived: 0 blocks.\nFix: give the super blocks"
    with pytest.raises(InputError, match=text):
        layer.bind([])
