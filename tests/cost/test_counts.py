"""Counts against closed forms written a second time, and against the exported file."""

from __future__ import annotations

import io
import math
import re

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, shape_inference

from latency.onnx_files.memory import peak_activation_bytes
from nas.architecture.spec import Conv, Dense, Layer, MBConv, Residual, SeparableConv
from nas.architecture.text import parse
from nas.architecture.weights import random_weights
from nas.builders.onnx_model import to_onnx
from nas.cost.counts import architecture_cost, op_macs
from nas.cost.memory import Steps, add_steps
from nas.report.summary import print_summary
from nas.search_space.named import SPACES, get_space

# Constants of the graph that are no weights: the pixels' offset and the bounds of relu6.
CONSTANTS = {"pixel_offset", "pixel_scale", "relu6_low", "relu6_high"}


def by_hand(layer: Layer, size: int, channels: int) -> tuple[int, int, int]:
    """(params, BN statistics, MACs) from the textbook formulas, for a square map."""
    match layer:
        case Conv(kernel=k, channels=out):
            area = math.ceil(size / layer.stride) ** 2
            extra = out * (layer.bias + 2 * layer.batch_norm)
            return (
                k * k * channels * out + extra,
                2 * out * layer.batch_norm,
                (area * k * k * channels * out),
            )
        case SeparableConv(kernel=k, channels=out):
            area = math.ceil(size / layer.stride) ** 2
            params = k * k * channels + channels * out
            extra = out * (layer.bias + 2 * layer.batch_norm)
            return params + extra, 2 * out * layer.batch_norm, area * params
        case MBConv(kernel=k, expansion=e, channels=out):
            wide, after = channels * e, math.ceil(size / layer.stride) ** 2
            params, macs, normed = (
                k * k * wide + wide * out,
                after * (k * k + out) * wide,
                wide + out,
            )
            if e > 1:
                params, macs = params + channels * wide, macs + size**2 * channels * wide
                normed += wide
            if layer.se_ratio:
                squeeze = max(8, int(channels * layer.se_ratio + 4) // 8 * 8)
                squeeze += 8 * (squeeze < 0.9 * channels * layer.se_ratio)
                params += 2 * wide * squeeze + wide + squeeze
                macs += 2 * wide * squeeze + after * wide
            return params + 2 * normed, 2 * normed, macs
        case Dense(units=units):
            extra = units * (layer.bias + 2 * layer.batch_norm)
            return channels * units + extra, 2 * units * layer.batch_norm, channels * units
        case Residual():
            parts = [by_hand(inner, size, channels) for inner in layer.layers]
            return tuple(map(sum, zip(*parts, strict=True)))  # type: ignore[return-value]
    return 0, 0, 0


@pytest.mark.parametrize("name", list(SPACES))
def test_every_space_by_hand(name: str) -> None:
    space = get_space(name)
    rng = np.random.default_rng(0)
    for network in (space.largest(), space.smallest(), *(space.sample(rng) for _ in range(5))):
        cost = architecture_cost(network)
        shape: tuple[int, ...] = (network.image_size, network.image_size, 3)
        for row, layer in zip(cost.layers, network.layers, strict=True):
            params, statistics, macs = by_hand(layer, shape[0], shape[-1])
            assert (row.params, row.macs) == (params, macs), row
            assert row.params_with_statistics == params + statistics, row
            shape = row.output_shape
        assert cost.params == sum(row.params for row in cost.layers)
        assert cost.params_with_statistics == sum(r.params_with_statistics for r in cost.layers)
        assert cost.macs == sum(row.macs for row in cost.layers)


TEXTS = [
    "in_s33 cn_k3_s2_c8_bias ir_r2_k5_s2_e3_c16_se0.25_nhs sp_k3_s2_c24_bias "
    "res[cn_k3_s1_c24 cn_k3_s1_c24_nobn] mp_k2 cn_k1_s1_c32_nobn_bias flat fc_c16_nre_bn fc_c7",
    "in_s32 cn_k3_s2_c8 skip ir_k7_s1_e1_c8 gap drop_p0.2 fc_c3_nobias",
]


def graph_macs(model: onnx.ModelProto) -> int:
    """Multiply-adds from the graph's own kernels and inferred shapes, knowing no layers."""
    graph = shape_inference.infer_shapes(model, strict_mode=True).graph
    shapes = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.output, *graph.input)
    }
    kernels = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    macs = 0
    for node in graph.node:
        if node.op_type == "Conv":
            macs += math.prod(shapes[node.output[0]][2:]) * kernels[node.input[1]].size
        elif node.op_type == "Gemm":
            macs += kernels[node.input[1]].size
        elif node.op_type == "Mul":  # squeeze-excite scaling its map
            macs += math.prod(shapes[node.output[0]])
    return macs


@pytest.mark.parametrize("text", TEXTS)
def test_counts_are_those_of_the_exported_graph(text: str) -> None:
    network = parse(text)
    model = to_onnx(network, random_weights(network))
    cost = architecture_cost(network)
    assert cost.macs == graph_macs(model)
    stored = [numpy_helper.to_array(i) for i in model.graph.initializer if i.name not in CONSTANTS]
    assert all(value.dtype == np.float32 for value in stored)
    assert cost.size_bytes == sum(value.nbytes for value in stored)
    assert cost.memory_bytes == peak_activation_bytes(model.SerializeToString())


def test_tiny_with_squeeze_excite_as_exported() -> None:
    network = get_space("tiny_se").sample(np.random.default_rng(1))
    model = to_onnx(network, random_weights(network))
    cost = architecture_cost(network)
    assert cost.macs == graph_macs(model)
    assert cost.memory_bytes == peak_activation_bytes(model.SerializeToString())


def test_what_folds_or_computes_nothing_is_free() -> None:
    bare = architecture_cost(parse("in_s16 cn_k3_s2_c8_nno_nobn gap fc_c4"))
    same = architecture_cost(parse("in_s16 cn_k3_s2_c8_nhs skip gap drop_p0.3 fc_c4"))
    assert same.macs == bare.macs == 8 * 8 * 9 * 3 * 8 + 8 * 4
    # Batch normalisation: 2 trained and 2 counted numbers a channel, one bias once folded.
    assert same.params - bare.params == 16
    assert same.params_with_statistics - bare.params_with_statistics == 32
    assert same.size_bytes - bare.size_bytes == 4 * 8
    assert bare.size_bytes == 4 * (216 + 8 * 4 + 4)


def test_rows_of_the_table() -> None:
    row = architecture_cost(parse("in_s16 cn_k3_s2_c8 ir_k3_s1_e3_c8 gap fc_c2")).layers[1]
    assert (row.index, row.name, row.type) == (1, "ir_r1_k3_s1_e3_c8", "MBConv")
    assert row.output_shape == (8, 8, 8)


def test_unknown_operation_is_an_error() -> None:
    with pytest.raises(TypeError, match="Expected an operation.*Received: str.*Fix: register"):
        op_macs("upsample")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Expected an operation.*Received: str.*Fix: register"):
        add_steps("upsample", Steps((4, 4, 8)), "input", None)  # type: ignore[arg-type]


def test_memory_by_hand() -> None:
    # At the depthwise convolution: the block's input, which is added later, and 6 times its
    # channels before and after it.
    pixels = 16 * 16 * 4
    network = parse("in_s32 cn_k3_s2_c8 ir_k3_s1_e6_c8 gap fc_c2")
    assert architecture_cost(network).memory_bytes == pixels * (8 + 6 * 8 + 6 * 8)
    # Nothing is larger than the image, as it comes and turned.
    tiny = parse("in_s32 cn_k3_s2_c1 gap fc_c2")
    assert architecture_cost(tiny).memory_bytes == 2 * 3 * 32 * 32 * 4


def test_summary_cuts_and_swallows_nothing() -> None:
    # Brackets are markup to the printer, and a file has no width to be cut to.
    network = parse(
        "in_s224 cn_k3_s2_c32 ir_k3_s1_e6_c32_se0.25_nhs_noskip "
        "res[cn_k3_s1_c32_nre cn_k3_s1_c32_nre] gap fc_c1000",
        name="[example]",
    )
    file = io.StringIO()
    print_summary(network, file)
    lines = file.getvalue().splitlines()
    cost = architecture_cost(network)
    assert "[example]" in lines[0]
    for row in cost.layers:
        (line,) = [x for x in lines if f" {row.name} " in x]
        size = "x".join(map(str, row.output_shape))
        cells = re.split(r" {2,}", line.strip())
        assert cells == [
            str(row.index),
            row.name,
            row.type,
            f"{row.params:,}",
            f"{row.params_with_statistics - row.params:,}",
            f"{row.macs:,}",
            size,
        ]
    (total,) = [line for line in lines if " total " in line]
    assert f"{cost.params:,}" in total and f"{cost.macs:,}" in total
    assert f"{cost.params_with_statistics:,}" in lines[-1] and f"{cost.size_bytes:,}" in lines[-1]
