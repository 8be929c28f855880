"""A quantised network in NumPy's whole numbers is Keras' bit for bit, over every format."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.architecture import text as arch_text
from nas.architecture.number_formats import ScaledInteger, parse_format
from nas.architecture.operations import ConvOp, DenseOp, Formats, Op
from nas.architecture.spec import Architecture
from nas.architecture.weights import op_weights, random_op_weights, random_weights
from nas.builders import integer_network
from nas.builders.integer_network import integer_scores
from nas.builders.keras_layers import LayerSettings, OpChain
from nas.builders.keras_model import (
    build_model,
    portable_model,
    set_weights_by_name,
    weights_by_name,
)
from nas.errors import ArchitectureError
from tests.support.formats import FIXED, FORMATS

SIZE = 6
KINDS: dict[str, Op] = {
    "same": ConvOp("0.conv", (SIZE, SIZE, 3), 3, 1, 5),
    "strided": ConvOp("0.conv", (SIZE, SIZE, 3), 2, 2, 5),
    "valid": ConvOp("0.conv", (SIZE, SIZE, 3), 3, 2, 5, valid=True),
    "pointwise": ConvOp("0.conv", (SIZE, SIZE, 3), 1, 1, 5),
    "depthwise": ConvOp("0.conv", (SIZE, SIZE, 3), 3, 1, 3, depthwise=True),
    "strided depthwise": ConvOp("0.conv", (SIZE, SIZE, 3), 3, 2, 3, depthwise=True),
    "dense": DenseOp("0.dense", (12,), 5, bias=False),
    "scaled dense": DenseOp("0.dense", (12,), 5, bias=False, scale=0.3),
}
KEYWORDS: dict[str, Any] = {"deadline": None, "derandomize": True}


@st.composite
def operations(draw: st.DrawFn) -> ConvOp | DenseOp:
    """Any kind of layer with any formats of its weights, its input, its bias and its norm."""
    plain = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    assert isinstance(plain, ConvOp | DenseOp)
    bias, norm = draw(st.booleans()), draw(st.booleans())
    formats = Formats(
        draw(FORMATS),
        draw(FORMATS),
        draw(st.one_of(st.none(), FORMATS)) if bias or norm else None,
        draw(st.one_of(st.none(), FIXED)) if norm else None,
    )
    activation = draw(st.sampled_from(("none", "relu", "relu6")))
    return replace(plain, bias=bias, batch_norm=norm, activation=activation, formats=formats)


def agree(op: ConvOp | DenseOp, seed: int) -> None:
    """Asserts that Keras and NumPy give the very same numbers for one operation."""
    rng = np.random.default_rng(seed)
    weights = random_op_weights(op, rng)
    chain = OpChain((op,), LayerSettings(is_quantized=True))
    chain.build()
    x = rng.normal(0, 10 ** rng.uniform(-1, 1), (2, *op.input_shape)).astype(np.float32)
    # Numbers that lie in the middle between two codes, and zero, are among them.
    x = np.where(rng.random(x.shape) < 0.3, np.round(x * 4) / 8, x).astype(np.float32)
    _set(chain, weights)
    found = keras.ops.convert_to_numpy(chain.run(x, lambda layer, value: layer(value)))
    expected = integer_network._run(op, x, weights)
    np.testing.assert_array_equal(found, expected)


def _set(chain: OpChain, weights: dict[str, np.ndarray]) -> None:
    from nas.builders.keras_layers import variables_of

    named = {layer.name: layer for layer in chain.layers}
    for op in chain.ops:
        for name, variable, depthwise in variables_of(op, named.__getitem__):
            variable.assign(weights[name].transpose(0, 1, 3, 2) if depthwise else weights[name])
    for name, value in chain.arrays().items():
        np.testing.assert_array_equal(value, weights[name])


@settings(max_examples=20, **KEYWORDS)
@given(operations(), st.integers(0, 2**32 - 1))
def test_every_layer_in_every_format_is_that_of_numpy(op: ConvOp | DenseOp, seed: int) -> None:
    agree(op, seed)


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(operations(), st.integers(0, 2**32 - 1))
def test_many_layers_in_every_format_are_those_of_numpy(op: ConvOp | DenseOp, seed: int) -> None:
    agree(op, seed)


def test_bias_far_from_its_own_value_has_that_of_its_format() -> None:
    # A sign times the largest size: small values of the bias are far from what they stand for.
    bias = ScaledInteger(1)
    dense = KINDS["dense"]
    assert isinstance(dense, DenseOp)
    agree(replace(dense, bias=True, formats=Formats(bias, bias, bias)), seed=1)


NETWORKS = (
    "in_s12 cn_r1_k3_s1_c6_valid_wqb1_aqf8.1_nno cn_r1_k3_s1_c8_nno_wqb1_aqb1 mp_k2 flat "
    "drop_p0.5 fc_c8_bn_nobias_wqb1_aqb1 fc_c5_nobias_wqb1_aqb1",
    "in_s12 cn_r1_k3_s2_c6_wqb4_aqf8.1 ir_r1_k3_s1_e3_c6_wqb4l_aqb4l gap fc_c5_wqu3l_aqu3l_bqb4",
    "in_s12 cn_r1_k3_s2_c6_nre_wqf16.6_aqf16.6_nqf16.6 ap_k2 flat fc_c5_wqf16.6_aqf24.8tw_bqf8.2t",
)


def network(number: int) -> Architecture:
    return arch_text.loads(NETWORKS[number])


def pixels(count: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 12, 12, 3)).astype(np.float32)


@pytest.mark.parametrize("number", [0, 1, pytest.param(2, marks=pytest.mark.slow)])
def test_whole_networks_are_those_of_numpy_in_a_compiled_graph(number: int) -> None:
    architecture = network(number)
    weights = random_weights(architecture, seed=2)
    model = build_model(architecture)
    model.compile(jit_compile=False)
    set_weights_by_name(model, architecture, weights)
    found = weights_by_name(model, architecture)
    assert found.keys() == weights.keys()
    assert all(np.array_equal(found[name], weights[name]) for name in weights)
    images = pixels()
    np.testing.assert_array_equal(
        model.predict_on_batch(images), integer_scores(architecture, weights, images)
    )


def test_a_saved_file_holds_formats_and_learned_scales(tmp_path: Any) -> None:
    architecture = network(1)
    weights = random_weights(architecture, seed=3)
    portable_model(architecture, weights).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    found = np.asarray(keras.ops.convert_to_numpy(loaded(pixels(), training=False)))
    np.testing.assert_array_equal(found, integer_scores(architecture, weights, pixels()))


def test_learned_scales_are_weights_by_name() -> None:
    op = ConvOp("0.conv", (4, 4, 3), 3, 1, 5)
    found = replace(op, formats=Formats(parse_format("b4l"), parse_format("u4l")))
    named = {weight.name: weight for weight in op_weights(found) if weight.kind == "scale"}
    assert {name: weight.shape for name, weight in named.items()} == {
        "0.conv.weights.scale": (5,),
        "0.conv.activations.scale": (),
    }
    assert all(weight.trainable for weight in named.values())
    assert not [weight for weight in op_weights(op) if weight.kind == "scale"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in_s8 cn_r1_k3_s2_c6_wqb4 gap fc_c2_wqb4_aqb4", "formats of the weights and of the"),
        ("in_s8 cn_r1_k3_s2_c6_nsw_wqb4_aqb4 gap fc_c2_wqb4_aqb4", "an activation of none, relu"),
        ("in_s8 cn_r1_k3_s2_c6_wqb4_aqb4 norm gap fc_c2_wqb4_aqb4", "operations of whole numbers"),
    ],
)
def test_what_is_not_whole_numbers_throughout_is_refused(text: str, expected: str) -> None:
    architecture = arch_text.loads(text)
    with pytest.raises(ArchitectureError, match=expected):
        integer_scores(architecture, random_weights(architecture), pixels())


def test_networks_with_floats_beside_numbers_of_few_bits_are_built() -> None:
    text = "in_s12 cn_r1_k3_s2_c6_wqb4 cn_r1_k3_s1_c6_aqu4 norm gap fc_c2_bqf8.2"
    model = build_model(arch_text.loads(text))
    assert np.isfinite(keras.ops.convert_to_numpy(model(pixels(), training=False))).all()
