"""One contract for every choice that can be searched, whatever its records are.

Masked, sampled and derived network agree; costs are exact in expectation; networks, indices and
draws are each other's inverses. A new decision joins `SPACES`: `activation` below is written in
this file, record, lowering and all, and is searched from end to end.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import pytest

from nas.architecture.lowering import lower
from nas.architecture.number_formats import FixedPoint, ScaledInteger
from nas.architecture.operations import ConvOp, Op, ResidualOp, SqueezeExciteOp
from nas.architecture.shapes import Shape
from nas.architecture.spec import (
    LAYER_TYPES,
    Conv,
    Dense,
    DepthwiseConv,
    Field,
    GlobalAveragePool,
    Layer,
    MaxPool,
    MBConv,
    Skip,
    register_layer,
)
from nas.builders.keras_layers import LayerSettings
from nas.builders.keras_model import build_model, set_weights_by_name
from nas.cost.additive import AdditiveCost, ExpectedCost
from nas.cost.constraints import Bounds, quantities
from nas.cost.counts import architecture_cost
from nas.data import Split
from nas.errors import InputError, SpaceError
from nas.hardware.predictor import SpaceLatency
from nas.methods.config import SearchConfig, WarmUp, supernet_recipe
from nas.methods.gradient import GradientSearch
from nas.search_space import files
from nas.search_space.bits import BitWidths, with_bits
from nas.search_space.named import SPACES as NAMED
from nas.search_space.named import get_space
from nas.search_space.space import OneOf, Space
from nas.supernet.inherit import inherit_weights
from nas.supernet.model import GATE_FORMS, Supernet
from nas.supernet.super_layers import layer_of
from nas.supernet.views import WeightView
from nas.training.loop import Control
from nas.training.recipe import Pace

WIDE_BLOCK = Path(__file__).parents[2] / "examples" / "wide_block.py"
CLASSES, SIZE = 4, 8


@dataclass(frozen=True)
class Attended(Layer):
    """A residual of one convolution and a squeeze-excite; its activation is to be decided."""

    activation: str

    TOKEN: ClassVar[str] = "att"
    FIELDS: ClassVar[tuple[Field, ...]] = (Field("n", "activation", "activation"),)


def lower_attended(layer: Attended, prefix: str, shape: Shape) -> tuple[Op, ...]:
    act = layer.activation
    conv = ConvOp(f"{prefix}.mix", shape, 3, 1, shape[2], batch_norm=True, activation=act)
    return (ResidualOp(f"{prefix}.add", shape, (conv, SqueezeExciteOp(f"{prefix}.eye", shape, 8))),)


@pytest.fixture(scope="module", autouse=True)
def own_blocks() -> Iterator[None]:
    """The records of this file and of an example, for the time of these tests alone."""
    before = dict(LAYER_TYPES)
    register_layer(Attended)
    lower.register(Attended, lower_attended)
    files.load_blocks([str(WIDE_BLOCK)])
    yield
    LAYER_TYPES.clear()
    LAYER_TYPES.update(before)


def between(*choices: OneOf) -> Space:
    head = (GlobalAveragePool(), Dense(CLASSES))
    return Space("contract", SIZE, (Conv(3, 1, 8), *choices, *head))


def mbconv_space() -> Space:
    options = [MBConv(k, 1, e, 8) for k in (3, 5) for e in (3, 6)]
    return between(OneOf("a", (*options, Skip())), OneOf("b", tuple(options[::2])))


def uneven_space() -> Space:
    """Neither choice has all the kernels and expansions that the space has."""
    first = tuple(MBConv(k, 1, e, 8, 0.25) for k in (3, 5) for e in (2, 3))
    return between(
        OneOf("a", (*first, Skip())),
        OneOf("b", tuple(MBConv(k, 2, 6, 16) for k in (5, 7))),
        OneOf("c", (MBConv(3, 1, 3, 16), Skip())),
    )


def unexpanded_space() -> Space:
    """Expansion 1 has no first convolution, so it is no slice of the others."""
    return between(OneOf("a", (*(MBConv(3, 1, e, 8) for e in (1, 3)), Skip())))


def activation_space() -> Space:
    """An attribute of our own record that its layer has no slices for."""
    options = [MBConv(k, 1, 3, 8, activation=a) for k in (3, 5) for a in ("relu6", "hard_swish")]
    return between(OneOf("a", (*options, Skip())))


def attended_space() -> Space:
    options = tuple(Attended(a) for a in ("relu6", "hard_swish", "none"))
    return between(OneOf("a", options), OneOf("b", (*options[:2], Skip())))


def wide_space() -> Space:
    block: Any = LAYER_TYPES["wide"]
    options = [tuple(block(w, s, 16) for w in (8, 16, 24)) for s in (2, 1)]
    return between(OneOf("a", options[0]), OneOf("b", (*options[1], Skip())))


def mixed_space() -> Space:
    """Records of several types, whose attributes do not compare."""
    options = (MBConv(3, 1, 3, 8), Conv(5, 1, 8), Attended("relu"), Skip())
    # The second choice decides the kernel, which the first one's options have and do not decide.
    return between(OneOf("a", options), OneOf("b", tuple(MBConv(k, 1, 3, 8) for k in (3, 5))))


def bits_space() -> Space:
    """Bits of weights and of what is read beside kernels and expansions, float32 among them."""
    options = tuple(MBConv(k, 1, 3, 8) for k in (3, 5))
    plain = between(OneOf("a", (*options, Skip())), OneOf("b", (MBConv(3, 1, 2, 8),)))
    return with_bits(plain, BitWidths((32, 4)))


def few_bits_space() -> Space:
    """Signs beside more bits; what is read behind hard swish keeps its sign."""
    options = tuple(MBConv(3, 1, e, 8, 0.25, "hard_swish") for e in (2, 3))
    return with_bits(between(OneOf("a", (*options, Skip()))), BitWidths((1, 8), 32))


def branched_bits_space() -> Space:
    """Formats whose blocks share no weights: of a normalisation, and without an expansion."""
    fixed = [FixedPoint(total, 4) for total in (8, 12)]
    normed = (MBConv(3, 1, 3, 8, weight_format=f, norm_format=f) for f in fixed)
    plain = between(OneOf("b", tuple(MBConv(3, 1, e, 8) for e in (1, 3))))
    few = with_bits(plain, BitWidths((8,)))
    first, choice, *head = few.layers
    return Space("contract", SIZE, (first, OneOf("a", (*normed, Skip())), choice, *head))


def one_kernel_space() -> Space:
    """Layers of one operation in fixed point, with formats of bias and normalisation beside."""
    fixed = [FixedPoint(total, 4) for total in (6, 12)]
    read = [FixedPoint(8, 3), FixedPoint(12, 4)]
    convs = tuple(
        Conv(3, 1, 8, "relu", weight_format=w, activation_format=a, norm_format=w)
        for w in fixed
        for a in read
    )
    depthwise = tuple(
        DepthwiseConv(3, 1, bias=True, batch_norm=False, weight_format=w, bias_format=w)
        for w in fixed
    )
    scores = tuple(Dense(CLASSES, weight_format=w, bias_format=w) for w in fixed)
    found = (ScaledInteger(2, True, "learned"), ScaledInteger(8, True, "learned"), None)
    learned = tuple(
        Conv(1, 1, 8, weight_format=ScaledInteger(3), activation_format=a) for a in found
    )
    return Space(
        "contract",
        SIZE,
        (
            Conv(3, 1, 8),
            OneOf("a", (*convs, Skip())),
            MaxPool(2),
            OneOf("b", depthwise),
            OneOf("c", learned),
            GlobalAveragePool(),
            OneOf("d", scores),
        ),
    )


# What makes a space, and the layers that its choices have.
SPACES = {
    "mbconv": (mbconv_space, {"SuperBlock"}),
    "uneven": (uneven_space, {"SuperBlock"}),
    "unexpanded": (unexpanded_space, {"SwitchLayer"}),
    "activation": (activation_space, {"SwitchLayer"}),
    "attended": (attended_space, {"SwitchLayer"}),
    "wide": (wide_space, {"WideSuperLayer"}),
    "mixed": (mixed_space, {"SwitchLayer", "SuperBlock"}),
    "bits": (bits_space, {"SuperBlock"}),
    "few_bits": (few_bits_space, {"SuperBlock"}),
    "branched_bits": (branched_bits_space, {"SwitchLayer"}),
    "one_kernel": (one_kernel_space, {"FormatLayer"}),
}
# One of each kind of layer; the others differ from these in numbers alone. All of them are compared
# in training mode as well; a few steps in a row are one kind's in the fast suite.
COMPARED = ("mbconv", "wide", "attended", "one_kernel")
TRAINED = ("mbconv",)
OF_DEPTHWISE = ("mbconv", "uneven")


def numpy(tensor: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(tensor))


def all_networks(space: Space) -> list[tuple[int, ...]]:
    return list(itertools.product(*(range(len(c.options)) for c in space.choices)))


def shaken(network: Supernet) -> Supernet:
    """Every weight and statistic away from its start, variances positive."""
    rng = np.random.default_rng(0)
    for variable in network.variables:
        if "gates" not in variable.path and variable.dtype == "float32":
            change = 0.1 * np.abs(rng.standard_normal(variable.shape))
            variable.assign(numpy(variable) + change.astype(np.float32))
    return network


def images() -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.uniform(0, 255, (6, SIZE, SIZE, 3)).astype(np.float32)


@pytest.mark.parametrize("name", SPACES)
def test_every_choice_has_its_layer(name: str) -> None:
    make, layers = SPACES[name]
    space = make()
    places = zip(space.layers, space.input_shapes(), strict=True)
    found = [layer_of(x, s, LayerSettings(), "x") for x, s in places if isinstance(x, OneOf)]
    assert {type(layer).__name__ for layer in found} == layers


@pytest.mark.parametrize("name", [*SPACES, *NAMED])
def test_networks_indices_and_draws_are_inverses(name: str) -> None:
    if name in SPACES:
        space = SPACES[name][0]()
        networks = all_networks(space)
    else:
        space, rng = get_space(name), np.random.default_rng(0)
        networks = [space.even_indices(rng) for _ in range(50)]
    for indices in networks:
        assert space.encode(space.decode(indices)) == indices
        hard = space.tables.hard(indices)
        joint = space.tables.joint(hard)
        assert tuple(int(row.argmax()) for row in joint) == indices
        assert all(sorted(row) == [*[0.0] * (len(row) - 1), 1.0] for row in joint)
        for table, allowed in zip(hard.values(), space.tables.allowed.values(), strict=True):
            assert table.sum(1).tolist() == [1.0] * len(table) and not table[~allowed].any()
    for choice in space.choices:
        for block in choice.blocks:
            assert choice.block(choice.values(block)) == block


@pytest.mark.parametrize(
    ("name", "gate"),
    [
        pytest.param(name, gate, marks=() if name in COMPARED else pytest.mark.slow)
        for name in SPACES
        for gate in GATE_FORMS
    ],
)
def test_masked_sampled_and_derived_network_agree(name: str, gate: str) -> None:
    space = SPACES[name][0]()
    if gate == "threshold" and name not in OF_DEPTHWISE:
        with pytest.raises(InputError, match="(?s)--gate threshold.*Received.*--gate categorical"):
            Supernet(space, gate=gate)
        return
    network, x = shaken(Supernet(space, gate=gate)), images()
    networks = all_networks(space)
    # Every option of every choice at least once.
    for shift in range(max(len(c.options) for c in space.choices)):
        indices = tuple(shift % len(c.options) for c in space.choices)
        assert indices in networks
        architecture = space.decode(indices)
        network.gates.set_draw(network.draw_of(indices))
        model = build_model(architecture)
        set_weights_by_name(model, architecture, inherit_weights(network, architecture))
        for training in (False, True):
            expected = numpy(model(x, training=training))
            for execution in ("masked", "sampled"):
                settings = {"update_statistics": False, "execution": execution}
                got = numpy(network(x, training=training, **settings))
                # The same float32 products with zeros among them: a few units in the last place.
                # Beyond a number in the middle between two codes these may be a whole code.
                rounding = 1e-3 if space.has_formats else 1e-5
                assert np.abs(got - expected).max() <= rounding * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize(
    "name", [n if n in TRAINED else pytest.param(n, marks=pytest.mark.slow) for n in SPACES]
)
def test_both_executions_train_alike_and_move_the_statistics_of_what_was_drawn(name: str) -> None:
    if keras.backend.backend() == "torch":
        pytest.skip("PyTorch has no gradient of a branch that did not run")
    space = SPACES[name][0]()
    network = shaken(Supernet(space))
    views = [WeightView(network, execution) for execution in ("masked", "sampled")]
    for view in views:
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        # A step of rate 1 without momentum subtracts the gradient.
        view.compile(optimizer=keras.optimizers.SGD(1.0), loss=loss, jit_compile=False)
    state = [v for v in network.variables if "gates" not in v.path and v.dtype == "float32"]
    start = [numpy(v) for v in state]
    y = np.eye(CLASSES, dtype=np.float32)[[0, 1, 2, 3, 0, 1]]
    for indices in (all_networks(space)[0], all_networks(space)[-1]):
        network.gates.set_draw(network.draw_of(indices))
        losses, moves = [], []
        for view in views:
            for variable, value in zip(state, start, strict=True):
                variable.assign(value)
            losses.append(float(view.train_on_batch(images(), y)))
            moves.append([numpy(v) - b for v, b in zip(state, start, strict=True)])
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
        for variable, masked, sampled in zip(state, *moves, strict=True):
            # Rounding through normalisations of 6 images; a step adds that of a weight near 1.
            allowed = 1e-4 * np.abs(masked).max() + 1e-5
            if variable.trainable:
                assert np.abs(masked - sampled).max() <= allowed, variable.path
            else:
                rests = sampled == 0
                assert np.abs(masked - sampled)[~rests].max(initial=0) <= allowed, variable.path
    skipped = [
        layer
        for layer, c in zip(network.super_layers, space.choices, strict=True)
        if c.skippable and c.options[-1] == Skip()
    ]
    for layer in skipped:
        for norm in layer.norms():
            place = next(i for i, v in enumerate(state) if v is norm.mean)
            np.testing.assert_array_equal(numpy(norm.mean), start[place])


@pytest.mark.parametrize("quantity", ["milliseconds", "params", "macs", "size_bytes", "bops"])
@pytest.mark.parametrize("name", SPACES)
def test_the_expected_cost_is_the_mean_over_all_networks(name: str, quantity: str) -> None:
    space, rng = SPACES[name][0](), np.random.default_rng(0)
    if quantity == "milliseconds":
        rows = tuple(rng.uniform(0.1, 1, len(c.options)) for c in space.choices)
        cost = AdditiveCost(rows, 1.1, 0.5)  # skip is given a cost too
    else:
        found = next(q for q in quantities(space, Bounds()) if q.name == quantity)
        cost = AdditiveCost(found.options, 1.0, found.fixed)
        for indices in all_networks(space):
            counted = getattr(architecture_cost(space.decode(indices)), quantity)
            assert cost.of(indices) == found.of(indices) == counted
    tables = {}
    for decision, allowed in space.tables.allowed.items():
        weights = rng.uniform(0.1, 1, allowed.shape) * allowed
        tables[decision] = weights / weights.sum(1, keepdims=True)
    joint = space.tables.joint(tables)
    for row in joint:
        assert row.sum() == pytest.approx(1, abs=1e-12)
    brute = sum(
        np.prod([row[i] for row, i in zip(joint, indices, strict=True)]) * cost.of(indices)
        for indices in all_networks(space)
    )
    tensors = {k: keras.ops.convert_to_tensor(v.astype(np.float32)) for k, v in tables.items()}
    got = float(numpy(ExpectedCost(cost, space.tables)(tensors)))
    # float32 sums and products against float64.
    assert got == pytest.approx(brute, rel=1e-5)


def test_a_decision_of_ones_own_is_searched_from_end_to_end() -> None:
    space, rng = attended_space(), np.random.default_rng(0)
    labels = (np.arange(80) % CLASSES).astype(np.int32)
    split = Split(rng.integers(0, 256, (80, SIZE, SIZE, 3)).astype(np.uint8), labels)
    cheap = (np.array([1.0, 1.0, 0.1]), np.array([1.0, 1.0, 0.0]))
    config = SearchConfig(weights=supernet_recipe(4.0, 8), warm_up=WarmUp(0.25, 0.1))
    config = dataclasses.replace(config, gates=dataclasses.replace(config.gates, learning_rate=0.5))
    search = GradientSearch(
        space,
        SpaceLatency(0.1, cheap, 1.0, 0.0).cost,
        split,
        config,
        Control(pace=Pace(log_every=4)),
        penalty=20.0,
    )
    result = search.run(lambda state: None)
    joint = result.probabilities.joint(space)
    # A penalty far above any loss of 80 random images: the cheap options win.
    assert [int(row.argmax()) for row in joint] == [2, 2]
    assert result.gates.choices[0].options == ("att_nr6", "att_nhs", "att_nno")
    assert result.history[-1]["expected_ms"] < result.history[0]["expected_ms"]
    network = space.decode((2, 2))
    assert set(inherit_weights(search.network, network)) >= {"1.mix.kernel", "1.eye.reduce.kernel"}


def test_options_that_are_no_grid_are_refused_by_the_missing_one() -> None:
    options = (MBConv(3, 1, 3, 8), MBConv(5, 1, 3, 8), MBConv(3, 1, 6, 8))
    with pytest.raises(SpaceError, match="(?s)kernel, expansion.*without ir_r1_k5_s1_e6_c8.*add"):
        OneOf("holey", options)
