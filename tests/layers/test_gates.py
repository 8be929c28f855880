"""Gates learn alike at every width, are drawn as they should be, and on images of their own."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from scipy import stats

from nas.architecture.spec import Conv, Dense, GlobalAveragePool, MBConv, Skip
from nas.cost.additive import AdditiveCost
from nas.data import Split
from nas.data.augment import Augmentation
from nas.hardware.predictor import SpaceLatency
from nas.layers.draw import GateDraw
from nas.layers.gates import Gates
from nas.layers.super_block import SuperBlock
from nas.methods.config import (
    GateConfig,
    PenaltyControl,
    SearchConfig,
    WarmUp,
    supernet_recipe,
)
from nas.methods.gradient import GradientSearch
from nas.search_space.named import get_space
from nas.search_space.space import OneOf, Space
from nas.supernet.model import Supernet
from nas.supernet.sampling import even_draw
from nas.supernet.views import GateView
from nas.training.loop import Control
from nas.training.recipe import Pace

CLASSES = 4
KINDS = ("kernel", "expansion", "skip")
# Input channels whose blocks of expansion 6 have 96 and 1152 hidden channels.
NARROW, WIDE = 16, 192


def toy_space(channels: int, image_size: int = 8) -> Space:
    """One choice of kernel 3 or 5, expansion 3 or 6, or skip."""
    options = tuple(MBConv(k, 1, e, channels) for k in (3, 5) for e in (3, 6))
    return Space(
        f"toy_{channels}",
        image_size,
        (
            Conv(3, 1, channels),
            OneOf("choice", (*options, Skip())),
            GlobalAveragePool(),
            Dense(CLASSES),
        ),
    )


def numpy(tensor: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(tensor))


def ones_of(space: Space) -> AdditiveCost:
    """Every block costs 1, whatever it is; skip costs nothing."""
    rows = ([0.0 if isinstance(o, Skip) else 1.0 for o in c.options] for c in space.choices)
    return AdditiveCost(tuple(np.array(row) for row in rows), 1.0, 0.5)


def indices_of(network: Supernet, draw: GateDraw) -> tuple[int, ...]:
    """The network of a draw: its options have all the probability."""
    return tuple(int(row.argmax()) for row in network.space.tables.joint(draw.hard))


def gate_gradients(
    network: Supernet, variables: dict[str, Any], draws: int, seed: int = 0
) -> dict[str, np.ndarray]:
    """dLoss/dvariable of each kind on random images and labels: (draws, choices, options)."""
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients are taken with TensorFlow")
    view = GateView(network, ones_of(network.space))
    view.compile(loss=keras.losses.CategoricalCrossentropy(from_logits=True))

    @tf.function  # type: ignore[untyped-decorator]
    def gradients(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = view.compute_loss(x, y, view(x, training=True))
        return tape.gradient(loss, [variables[kind].value for kind in KINDS])

    rng = np.random.default_rng(seed)
    size = network.space.image_size
    found: dict[str, list[np.ndarray]] = {kind: [] for kind in KINDS}
    for _ in range(draws):
        x = rng.uniform(0, 255, (16, size, size, 3)).astype(np.float32)
        y = np.eye(CLASSES, dtype=np.float32)[rng.integers(CLASSES, size=16)]
        network.gates.set_draw(network.gates.sample(rng))
        for kind, value in zip(KINDS, gradients(tf.constant(x), tf.constant(y)), strict=True):
            found[kind].append(value.numpy())
    # Squares of the smallest would underflow in float32.
    return {kind: np.array(values, float) for kind, values in found.items()}


def test_a_gates_derivative_knows_no_width() -> None:
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients are taken with TensorFlow")
    derivatives = []
    for channels in (NARROW, WIDE):
        network = Supernet(toy_space(channels))
        block = network.stages[1]
        assert isinstance(block, SuperBlock)
        assert block.depthwise_kernel.shape[2] == 6 * channels
        # The same gates in float64, bound to blocks of this width.
        config = {**network.gates.get_config(), "dtype": "float64"}
        layer = Gates.from_config(config)
        layer.bind([block])
        rng = np.random.default_rng(0)
        layer.set_draw(layer.sample(rng))
        logits = layer.logits["kernel"].value
        assert logits.dtype == tf.float64
        with tf.GradientTape() as tape:
            tape.watch(logits)
            gate = layer.decisions(differentiable=True)["kernel"][0, 1]
        derivatives.append(numpy(tape.gradient(gate, logits))[0])
    narrow, wide = derivatives
    z = np.random.default_rng(0).gumbel(size=2).astype(np.float32).astype(float)
    p = 1 / (1 + np.exp(z[0] - z[1]))
    np.testing.assert_allclose(narrow, [-p * (1 - p), p * (1 - p)], rtol=1e-12)
    assert (narrow / wide).tolist() == [1.0, 1.0]


@pytest.mark.slow
def test_the_losss_gradient_is_as_large_at_every_width() -> None:
    spreads = []
    for channels in (NARROW, WIDE):
        keras.utils.set_random_seed(0)
        network = Supernet(toy_space(channels))
        gradients = gate_gradients(network, network.gates.logits, draws=30)
        spreads.append({kind: values[:, 0, 0].std() for kind, values in gradients.items()})
    for kind in KINDS:
        ratio = spreads[0][kind] / spreads[1][kind]
        # 30 draws give a standard deviation to about 13 %; weights of one seed add theirs.
        assert 1 / 3 < ratio < 3, f"{kind}: {spreads}"


def one_block_and_one_that_must_stay() -> Space:
    options = tuple(MBConv(k, 1, e, 8) for k in (3, 5, 7) for e in (3, 6))
    return Space(
        "draws",
        8,
        (
            Conv(3, 1, 8),
            OneOf("free", (*options, Skip())),
            OneOf("kept", options),
            GlobalAveragePool(),
            Dense(CLASSES),
        ),
    )


def test_even_draws_are_even_over_joint_options() -> None:
    network = Supernet(one_block_and_one_that_must_stay())
    rng = np.random.default_rng(0)
    drawn = np.array([indices_of(network, even_draw(network, rng)) for _ in range(7000)])
    for place, options in ((0, 7), (1, 6)):
        counts = np.bincount(drawn[:, place], minlength=options)
        # One seed in a thousand would fail; this one does not. A skip of one in two would.
        assert stats.chisquare(counts).pvalue > 1e-3, counts
    assert stats.chisquare([3500, *[3500 / 6] * 6], [1000.0] * 7).pvalue < 1e-12
    # The two places are drawn apart.
    table = np.histogram2d(drawn[:, 0], drawn[:, 1], [np.arange(8) - 0.5, np.arange(7) - 0.5])[0]
    assert stats.chi2_contingency(table).pvalue > 1e-3


def test_samples_of_the_gates_have_the_softmaxs_frequencies() -> None:
    layer = Gates(
        {
            "kernel": [[1, 1, 1], [1, 1, 0]],
            "expansion": [[1, 1], [1, 1]],
            "skip": [[1, 1], [1, 0]],
        }
    )
    rng = np.random.default_rng(0)
    for logits in layer.logits.values():
        value = numpy(logits)
        logits.assign(np.where(value > -1e6, rng.standard_normal(value.shape), value))
    # Neither the noise of earlier draws nor the temperature moves the frequencies.
    layer.temperature.assign(0.1)
    draws = [layer.sample(rng) for _ in range(4000)]
    probabilities = {kind: numpy(p) for kind, p in layer.probabilities().items()}
    for kind in KINDS:
        counts = np.sum([draw.hard[kind] for draw in draws], axis=0)
        for count, p in zip(counts, probabilities[kind], strict=True):
            assert not count[p == 0].any(), "an option that does not exist"
            if (p > 0).sum() > 1:
                expected = p[p > 0].astype(float)
                expected *= count.sum() / expected.sum()
                assert stats.chisquare(count[p > 0], expected).pvalue > 1e-3, (kind, count, p)


def test_a_draw_repeats_by_its_seed() -> None:
    layer = Gates({"kernel": [[1, 1]], "expansion": [[1, 1]], "skip": [[1, 1]]})

    def draw(seed: int) -> GateDraw:
        return layer.sample(np.random.default_rng(seed))

    np.testing.assert_array_equal(draw(3).noise["kernel"], draw(3).noise["kernel"])
    assert not np.array_equal(draw(3).noise["kernel"], draw(4).noise["kernel"])


def toy_search(gates: GateConfig | None = None, penalty: float = 0.1) -> GradientSearch:
    """A search of 8 weight steps; all pixels of an image are its number."""
    labels = (np.arange(80) % CLASSES).astype(np.int32)
    images = np.broadcast_to(np.arange(80, dtype=np.uint8)[:, None, None, None], (80, 8, 8, 3))
    # 3x3-3, 3x3-6, 5x5-3, 5x5-6, skip.
    latency = SpaceLatency(1.0, (np.array([0.2, 0.4, 0.3, 0.6, 0.0]),), 1.0, 0.0)
    config = SearchConfig(
        weights=supernet_recipe(1.0, 8, augmentation=Augmentation(crop_padding_pixels=1)),
        gates=gates or GateConfig(),
        warm_up=WarmUp(share=0.5),
        penalty=PenaltyControl(ramp_share=0.25),
    )
    return GradientSearch(
        toy_space(8),
        latency.cost,
        Split(images, labels),
        config,
        Control(pace=Pace(log_every=1)),
        penalty=penalty,
    )


def test_gates_learn_from_images_of_their_own_with_ramp_and_temperature(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = toy_search()
    seen: dict[str, set[int]] = {}
    for name, view in (("weights", search.weights_view), ("gates", search.gate_view)):
        numbers, train = seen.setdefault(name, set()), view.train_on_batch

        def record(
            x: np.ndarray, *rest: Any, to: Any = numbers, then: Any = train, **kw: Any
        ) -> Any:
            to.update(x[:, 4, 4, 0].astype(int).tolist())  # the middle survives every crop
            return then(x, *rest, **kw)

        monkeypatch.setattr(view, "train_on_batch", record)
    before = {kind: numpy(v) for kind, v in search.network.gates.logits.items()}
    history = search.run(lambda state: None).history

    # All images, each on one side: 64 for the weights, 16 for the gates, 4 of each class.
    assert seen["weights"] | seen["gates"] == set(range(80))
    assert not seen["weights"] & seen["gates"]
    assert np.bincount([number % CLASSES for number in seen["gates"]]).tolist() == [4] * CLASSES
    for kind, start in before.items():
        assert not np.array_equal(numpy(search.network.gates.logits[kind]), start), kind

    assert [row["stage"] for row in history] == ["warmup"] * 4 + ["search"] * 4
    # No penalty in the warm-up; then it grows by a half of 0.1 a step and stays.
    ramped = [0] * 5 + [0.05, 0.1, 0.1]
    np.testing.assert_allclose([row["lambda"] for row in history], ramped, rtol=1e-6)
    # Geometric from 2 at step 4 to 0.5 at step 8.
    cooled = [1] * 4 + [2 * 0.25 ** (step / 4) for step in range(4)]
    np.testing.assert_allclose([row["temperature"] for row in history], cooled, rtol=1e-6)


def test_options_that_break_a_bound_are_never_drawn() -> None:
    space = get_space("toy")
    excluded = [np.array([False, True, False, True]), np.array([True, True, True, True, False])]
    gates = Gates(space.without(excluded).tables.allowed)
    joint = space.tables.joint(
        {name: keras.ops.convert_to_numpy(p) for name, p in gates.probabilities().items()}
    )
    for row, left_out in zip(joint, excluded, strict=True):
        assert row.sum() == pytest.approx(1) and row[left_out].max() == 0
    rng = np.random.default_rng(0)
    for _ in range(20):
        hard = gates.sample(rng).hard
        assert hard["expansion"][0].tolist() == [1, 0] and hard["skip"][1].tolist() == [0, 1]
