"""One contract for every kind of layer: text, JSON, shapes, cost, Keras and ONNX agree.

A new record joins `EXAMPLES`; without an example the suite fails. A user's own block passes
the same contract (`OwnBlock`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
import onnxruntime
import pytest

from latency.onnx_files.memory import peak_activation_bytes
from nas.architecture import spec
from nas.architecture import text as arch_text
from nas.architecture.lowering import lower, lower_architecture
from nas.architecture.number_formats import FixedPoint, NumberFormat
from nas.architecture.operations import FLOAT, ConvOp, DenseOp, Op, all_ops
from nas.architecture.shapes import Shape
from nas.architecture.spec import (
    LAYER_TYPES,
    Activate,
    Architecture,
    AveragePool,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Field,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool,
    MBConv,
    Normalise,
    Residual,
    ResidualBlock,
    SeparableConv,
    Skip,
    SqueezeExcite,
    WidthsBlock,
)
from nas.architecture.weights import random_weights
from nas.builders.keras_model import build_model, set_weights_by_name, weights_by_name
from nas.builders.onnx_model import to_onnx_bytes
from nas.cost.counts import architecture_cost

# Two runtimes sum the same float32 products in different orders, and BN is folded in one of
# them: a few 1e-6 of the largest score. A wrong pad or a lost activation gives above 1e-2.
RELATIVE_TOLERANCE = 3e-5


@dataclass(frozen=True)
class OwnBlock(Layer):
    """What a user would write: two convolutions around a residual, and a format of weights."""

    channels: int
    weights: NumberFormat | None = FixedPoint(8, 2)

    TOKEN: ClassVar[str] = "own"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("c", "channels"),
        Field("w", "weights", "format"),
    )


@pytest.fixture(scope="module", autouse=True)
def own_block() -> Iterator[None]:
    spec.register_layer(OwnBlock)

    @lower.register
    def _(layer: OwnBlock, prefix: str, shape: Shape) -> tuple[Op, ...]:
        inner = Residual((Conv(3, 1, shape[2], "hard_swish"),))
        first = lower(inner, f"{prefix}.first", shape)
        second = Conv(1, 1, layer.channels, weight_format=layer.weights)
        return (*first, *lower(second, f"{prefix}.second", shape))

    yield
    del LAYER_TYPES["own"]


HEAD = (GlobalAveragePool(), Dense(5))
# Layers that are small by themselves, in one network.
SMALL = (
    Normalise(),
    Conv(3, 2, 8),
    DepthwiseConv(5, 2),
    SqueezeExcite(3),
    SqueezeExcite(4, "swish", sigmoid_gate=True),
    ResidualBlock(3, 12),
    ResidualBlock(5, 4, "relu", 0.1),
    DepthwiseConv(3, 1, "elu", batch_norm=False, bias=True, valid=True),
    AveragePool(2),
    Activate("relu"),
    GlobalAveragePool(),
    Normalise(),
    Dense(5),
    Activate("softplus"),
)
EXAMPLES: dict[str, list[tuple[int, tuple[Layer, ...]]]] = {
    "cn": [
        (16, (Conv(3, 2, 8), *HEAD)),
        (33, (Conv(5, 2, 8, "relu"), Conv(3, 2, 16, "hard_swish"), *HEAD)),
        (15, (Conv(3, 1, 8, "none", batch_norm=False, bias=True), *HEAD)),
        (16, (Conv(3, 2, 8, "relu", bias=True), *HEAD)),
        (15, (Conv(3, 2, 8, "leaky_relu", valid=True), Conv(1, 1, 8, valid=True), *HEAD)),
    ],
    "sp": [
        (16, (Conv(3, 2, 8), SeparableConv(5, 2, 16), SeparableConv(3, 1, 8, bias=True), *HEAD)),
        (16, (SeparableConv(5, 2, 16, "relu", batch_norm=False, valid=True), *HEAD)),
    ],
    "ir": [
        (32, (Conv(3, 2, 8), MBConv(7, 2, 6, 16), MBConv(5, 1, 3, 16), MBConv(3, 1, 1, 8), *HEAD)),
        (21, (Conv(3, 2, 8), MBConv(5, 2, 3, 16, 0.25, "hard_swish"), *HEAD)),
        (
            16,
            (
                Conv(3, 2, 8),
                MBConv(3, 1, 3, 8, 0.25, "relu"),
                MBConv(3, 1, 3, 8, residual=False),
                *HEAD,
            ),
        ),
    ],
    "wb": [
        (16, (Conv(3, 2, 8), WidthsBlock(3, 2, 16, expanded=24), *HEAD)),
        (
            21,
            (
                Conv(3, 2, 8, "swish"),
                WidthsBlock(5, 1, 8, 20, 3, "swish", "swish", sigmoid_gate=True),
                WidthsBlock(3, 1, 8, 0, 4, "relu", project_activation=True, residual=False),
                WidthsBlock(3, 2, 16, 8, 5, "hard_swish", "relu"),
                *HEAD,
            ),
        ),
    ],
    "skip": [(16, (Conv(3, 2, 8), Skip(), *HEAD))],
    "res": [
        (16, (Conv(3, 2, 8), Residual((Conv(3, 1, 8), Conv(3, 1, 8, "none"))), *HEAD)),
        (15, (Residual((Conv(3, 2, 8), Skip()), (Conv(1, 2, 8, "none", bias=True),)), *HEAD)),
        (9, (Residual((Residual((Conv(3, 1, 4),), (Conv(1, 1, 4),)),), (Conv(1, 1, 4),)), *HEAD)),
    ],
    "mp": [(18, (Conv(3, 2, 8), MaxPool(2), *HEAD))],
    "gap": [(16, (Conv(3, 2, 8), *HEAD))],
    "flat": [(12, (Conv(3, 2, 8), Flatten(), Dense(5)))],
    "drop": [(16, (Conv(3, 2, 8), GlobalAveragePool(), Dropout(0.3), Dense(5)))],
    "fc": [
        (8, (Flatten(), Dense(16, "relu", batch_norm=True), Dense(5, bias=False))),
        (8, (Flatten(), Dense(16, "relu", scale=0.5), Dense(5, scale=0.125))),
    ],
    **dict.fromkeys(("dw", "se", "rb", "ap", "act", "norm"), [(21, SMALL)]),
    "own": [(16, (Conv(3, 2, 8), OwnBlock(24, None), *HEAD))],
}
# Formats of numbers, of every kind and for every place; what they compute has tests of its own.
QUANTISED = (
    "in_s15 cn_k3_s1_c8_nno_valid_wqb1_aqf8.1_bqb8_nqf16.6 dw_k3_s1_wqb4l_aqu4l_bqf16.6_nqf12.4tw "
    "sp_k3_s2_c16_bias_wqb8_aqu8_bqf16.6t_nqf16.6w "
    "ir_k3_s1_e3_c16_se0.25_wqu2_aqb2l_iqu4l_bqf24.8_nqb8 "
    "own_c8_wf4.2 gap fc_c5_bn_wqb1l_aqu1_bqb3_nqf8.2",
)
CASES = [
    pytest.param(network, id=name)
    for network, name in {
        Architecture(size, layers): f"{token}-{number}"
        for token, examples in EXAMPLES.items()
        for number, (size, layers) in enumerate(examples)
    }.items()
]


def test_every_registered_layer_has_an_example() -> None:
    missing = set(LAYER_TYPES) - set(EXAMPLES)
    assert not missing, f"Add an example of {missing} to EXAMPLES in this file."
    for token, examples in EXAMPLES.items():
        for _, layers in examples:
            assert any(token == layer.TOKEN for layer in layers), token


def test_every_attribute_has_an_example() -> None:
    """An attribute that no example changes could be lost by any reader, and nobody would see it."""
    layers = [inner for examples in EXAMPLES.values() for _, every in examples for inner in every]
    layers += [inner for text in QUANTISED for inner in arch_text.parse(text).layers]
    unchanged = [
        f"{kind.__name__}.{attribute.name}"
        for kind in LAYER_TYPES.values()
        for attribute in dataclasses.fields(kind)
        if attribute.default is not dataclasses.MISSING
        and all(
            getattr(layer, attribute.name) == attribute.default
            for layer in layers
            if isinstance(layer, kind)
        )
    ]
    assert not unchanged, unchanged


def round_trip(network: Architecture) -> None:
    assert arch_text.parse(arch_text.to_text(network)) == network
    assert arch_text.from_json(json.loads(json.dumps(arch_text.to_json(network)))) == network


@pytest.mark.parametrize("network", CASES)
def test_text_and_json_round_trip(network: Architecture) -> None:
    round_trip(network)


@pytest.mark.parametrize("text", QUANTISED)
def test_formats_are_lowered_and_stay_in_text_and_json(text: str) -> None:
    network = arch_text.parse(text)
    round_trip(network)
    kinds = [layer.TOKEN for layer in network.layers if layer.TOKEN != "gap"]
    lowered = [layer for layer in lower_architecture(network) if layer.layer.TOKEN in kinds]
    for layer in lowered:
        convolutions = [op for op in all_ops(layer.ops) if isinstance(op, ConvOp | DenseOp)]
        assert any(op.formats != FLOAT for op in convolutions), layer.layer
    # A part of the text is a format, and the JSON has its text again.
    assert arch_text.to_json(network)["layers"][4] == {
        "type": "own",
        "channels": 8,
        "weights": "f4.2",
    }
    assert arch_text.to_text(arch_text.parse("in_s8 own_c8_wf8.2 own_c8_wfloat32")) == (
        "in_s8 own_c8 own_c8_wfloat32"
    )


@pytest.mark.parametrize("network", CASES)
def test_shapes_cost_keras_and_onnx_agree(network: Architecture) -> None:
    model = build_model(network)
    cost = architecture_cost(network)
    assert model.count_params() == cost.params_with_statistics
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == cost.params
    lowered = lower_architecture(network)
    assert model.output_shape[1:] == lowered[-1].output_shape == cost.layers[-1].output_shape

    weights = random_weights(network, seed=1)
    set_weights_by_name(model, network, weights)
    back = weights_by_name(model, network)
    assert all(np.array_equal(back[name], weights[name]) for name in weights)

    size = network.image_size
    image = np.random.default_rng(0).uniform(0, 255, (1, size, size, 3)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(model(image, training=False))
    exported = to_onnx_bytes(network, weights)
    assert cost.memory_bytes == peak_activation_bytes(exported)
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    got = session.run(None, {"image": image})[0]
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= RELATIVE_TOLERANCE * max(1.0, np.abs(expected).max())
