"""Number formats of one set of weights: mixed by gates, drawn alone, and in a network alone."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from nas.architecture.lowering import lower
from nas.architecture.number_formats import ScaledInteger, parse_format
from nas.architecture.operations import ResidualOp
from nas.architecture.spec import MBConv
from nas.builders.keras_layers import LayerSettings, OpChain, variables_of
from nas.errors import InputError
from nas.layers import fake_quantization as fake
from nas.layers.drawn_formats import FormatTable
from nas.layers.mixed_formats import MixedFormats, common_range, mixed
from nas.layers.super_block import SuperBlock
from nas.search_space.choice import OneOf
from nas.supernet.super_layers import layer_of

SHAPE = (4, 4, 8)


def numpy(tensor: Any) -> np.ndarray:
    return np.array(ops.convert_to_numpy(tensor))


@pytest.fixture(scope="module")
def block() -> tuple[OneOf, SuperBlock]:
    made = tuple(
        MBConv(
            kernel,
            1,
            expansion,
            8,
            weight_format=ScaledInteger(w) if w else None,
            activation_format=ScaledInteger(a, True, "learned") if a else None,
            inner_format=ScaledInteger(a, False, "learned") if a else None,
        )
        for kernel in (3, 5)
        for expansion in (2, 3)
        for w in (None, 4, 2)
        for a in (None, 4)
    )
    choice = OneOf("a", made)
    layer = layer_of(choice, SHAPE, LayerSettings(), "block")
    layer.build((None, *SHAPE))
    rng = np.random.default_rng(0)
    for variable in layer.variables:
        change = 0.1 * np.abs(rng.standard_normal(variable.shape))
        variable.assign(numpy(variable) + change.astype(np.float32))
    return choice, layer


def gates_of(choice: OneOf, option: MBConv) -> dict[str, Any]:
    values = choice.values(option)
    return {
        d.name: np.eye(len(d.options), dtype=np.float32)[d.options.index(values[d.name])]
        for d in choice.decisions
    }


@pytest.mark.parametrize("place", [5, 15])
def test_mixed_drawn_and_own_networks_of_a_block_agree(block: Any, place: int) -> None:
    choice, layer = block
    option = choice.blocks[place]
    x = np.random.default_rng(1).standard_normal((3, *SHAPE)).astype(np.float32)
    gates = gates_of(choice, option)
    chain = OpChain(lower(option, "own", SHAPE), LayerSettings())
    chain.build()
    named = {one.name: one for one in chain.layers}
    weights = layer.weights_of(choice.values(option))
    assert isinstance(chain.ops[0], ResidualOp)
    for op in chain.ops[0].body:
        for name, variable, is_depthwise in variables_of(op, named.__getitem__):
            value = weights[name.removeprefix("own.")]
            variable.assign(value.transpose(0, 1, 3, 2) if is_depthwise else value)
    assert len(weights) == sum(len(one.variables) for one in chain.layers)

    def call(one: Any, inputs: Any) -> Any:
        is_plain = isinstance(one, keras.layers.Add | keras.layers.Activation)
        return one(inputs) if is_plain else one(inputs, training=True)

    expected = numpy(chain.run(ops.convert_to_tensor(x), call))
    for execution in ("masked", "sampled"):
        settings = {"update_statistics": False, "execution": execution}
        got = numpy(layer(x, gates, training=True, **settings))
        # Float32 sums in another order. A number in the middle between two codes may get the
        # other code for that; a scale of the whole kernel would change all of them.
        assert (np.abs(got - expected) > 1e-4).mean() < 0.01


def test_gates_mix_forms_or_choose_one() -> None:
    layer = MixedFormats(("b2", "b8"), ("b2l", "b8l", "float32"), (0, 1, 2))
    layer.build()
    x = np.linspace(-2, 2, 64, dtype=np.float32).reshape(1, 4, 4, 4)
    gates = np.eye(3, dtype=np.float32)
    forms = [numpy(layer.read(x, gate, False)) for gate in gates]
    # Three codes of two bits; steps of 1/8, with which scales of 8 bits begin; float32.
    assert [len(np.unique(values)) for values in forms] == [3, 33, 64]
    np.testing.assert_array_equal(forms[2], x)
    for form, gate in zip(forms, gates, strict=True):
        np.testing.assert_array_equal(numpy(layer.read(x, gate, True)), form)
    half = np.array([0.5, 0.25, 0.25], np.float32)
    expected = sum(part * form for part, form in zip(half, forms, strict=True))
    # Three float32 products and their sum.
    np.testing.assert_allclose(numpy(layer.read(x, half, False)), expected, atol=1e-6)


def test_scales_of_a_part_of_a_kernel_are_those_of_the_part() -> None:
    rng = np.random.default_rng(0)
    whole = rng.standard_normal((5, 5, 6, 1)).astype(np.float32)
    mask = np.zeros((5, 5, 1, 1), np.float32)
    mask[1:4, 1:4] = 1
    for text in ("b1", "b3", "b8"):
        one = parse_format(text)
        assert one is not None
        part = numpy(fake.kernel_scales(one, whole[1:4, 1:4], (0, 1, 3)))
        found = numpy(fake.kernel_scales(one, whole, (0, 1, 3), mask))
        # Sums of 9 numbers beside sums of 25, of which 16 are 0.
        np.testing.assert_allclose(found, part, rtol=1e-6)
        assert not np.allclose(numpy(fake.kernel_scales(one, whole, (0, 1, 3))), part, rtol=1e-2)


def test_every_option_has_a_scale_that_begins_with_what_is_read() -> None:
    layer = MixedFormats(("b4",), ("b2l", "b8l"), (0, 1, 2))
    layer.build()
    layer.sets_scales = True
    x = np.full((2, 2, 2, 3), 3.0, np.float32)
    layer.read(x, np.array([1.0, 0.0], np.float32), False)
    scales = [layer.weights_of("conv", place)["conv.activations.scale"] for place in (0, 1)]
    units = [2.0 ** round(np.log2(0.8 * 2 / np.sqrt(q))) for q in (1, 127)]
    # 2 mean |x| / sqrt(greatest code) (Esser et al. 2020), in multiples of the unit.
    expected = [6.0 / np.sqrt(q) / unit for q, unit in zip((1, 127), units, strict=True)]
    np.testing.assert_allclose(scales, expected, rtol=1e-6)
    assert MixedFormats(("b4",), ("b4", "float32"), (0,)).weights_of("conv", 0) == {}


def test_weights_are_cut_where_all_formats_have_an_end() -> None:
    wide = common_range([parse_format("f8.4"), parse_format("f8.2")])
    assert wide is not None and (wide.low, wide.high) == (-8.0, 7.9375)
    assert common_range([parse_format("f8.4"), None]) is None
    assert common_range([parse_format("b8")]) is None


def test_codes_that_half_precision_does_not_hold_are_refused() -> None:
    layer = MixedFormats(("f12.4",), ("float32",), (0,), dtype="mixed_bfloat16")
    with pytest.raises(InputError, match=r"(?s)at most 8 bits.*f12\.4.*mixed_precision"):
        layer.build()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="gradients by tf.GradientTape")
@pytest.mark.parametrize(
    "texts",
    [("b2l", "b8l", "float32"), ("u1l", "u4l"), ("b3", "b6"), ("f4.2", "f12.4", "float32")],
    ids=" ".join,
)
def test_one_quantiser_gives_what_each_format_gives_with_its_gradients(
    texts: tuple[str, ...],
) -> None:
    import tensorflow as tf

    assert FormatTable.of(tuple(map(parse_format, texts))) is not None
    kernels = texts if not texts[0].endswith("l") else ("b4", "b2", "float32")[: len(texts)]
    layer = MixedFormats(kernels, texts, (0, 1, 2))
    layer.build()
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 3, 4)).astype(np.float32) * 2
    weight = rng.standard_normal(x.shape).astype(np.float32)
    for gate in np.eye(len(texts), dtype=np.float32):
        found = []
        for is_sampled in (False, True):
            image = tf.Variable(x)
            variables = [image, *(one.value for one in layer.trainable_variables)]
            with tf.GradientTape() as tape:
                y = layer.read(image, gate, is_sampled)
                loss = tf.reduce_sum(y * weight)
            gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
            kernel = layer.kernel(x, gate, is_sampled)
            found.append([numpy(y), numpy(kernel), *map(numpy, gradients)])
        for mixture, drawn in zip(*found, strict=True):
            # Sums of 72 products in another order; a square root that is computed otherwise.
            np.testing.assert_allclose(drawn, mixture, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("texts", [("b1", "b4"), ("b4", "u4"), ("f8.4t", "f4.2t"), ("float32",)])
def test_formats_that_no_one_quantiser_has_are_branches(texts: tuple[str, ...]) -> None:
    assert FormatTable.of(tuple(map(parse_format, texts))) is None


def test_one_option_needs_no_gate() -> None:
    assert numpy(mixed([lambda x: x * 2], np.ones(2, np.float32), np.ones(1), True)).tolist() == [
        2.0,
        2.0,
    ]
