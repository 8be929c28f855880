"""timm's published networks by their own strings, and what cannot be expressed.

Strings and totals: huggingface/pytorch-image-models, `timm/models/efficientnet.py`,
`timm/models/mobilenetv3.py` and the numbers of parameters that these models have there.
"""

from __future__ import annotations

import pytest

from nas.architecture.lowering import lower_architecture
from nas.architecture.operations import ConvOp, SqueezeExciteOp, all_ops
from nas.architecture.spec import Architecture, Dense, WidthsBlock
from nas.architecture.text import from_json, loads, parse, to_json, to_text
from nas.cost.counts import architecture_cost
from nas.errors import ArchitectureError, InputError

MOBILENETV2 = (
    "timm:mobilenetv2 in_s224 stem_c32 ds_r1_k3_s1_c16 ir_r2_k3_s2_e6_c24 ir_r3_k3_s2_e6_c32 "
    "ir_r4_k3_s2_e6_c64 ir_r3_k3_s1_e6_c96 ir_r3_k3_s2_e6_c160 ir_r1_k3_s1_e6_c320 "
    "head_c1280 drop_p0.2 fc_c1000"
)
MNASNET = (
    "timm:mnasnet in_s224 stem_c32 ds_r1_k3_s1_c16_noskip ir_r3_k3_s2_e3_c24 ir_r3_k5_s2_e3_c40 "
    "ir_r3_k5_s2_e6_c80 ir_r2_k3_s1_e6_c96 ir_r4_k5_s2_e6_c192 ir_r1_k3_s1_e6_c320_noskip "
    "head_c1280 fc_c1000"
)
SEMNASNET = (
    "timm:mnasnet in_s224 stem_c32 ds_r1_k3_s1_e1_c16_noskip ir_r2_k3_s2_e6_c24 "
    "ir_r3_k5_s2_e3_c40_se0.25 ir_r4_k3_s2_e6_c80 ir_r2_k3_s1_e6_c112_se0.25 "
    "ir_r3_k5_s2_e6_c160_se0.25 ir_r1_k3_s1_e6_c320 head_c1280 fc_c1000"
)
SPNASNET = (
    "timm:spnasnet in_s224 stem_c32 ds_r1_k3_s1_c16_noskip ir_r3_k3_s2_e3_c24 ir_r1_k5_s2_e6_c40 "
    "ir_r3_k3_s1_e3_c40 ir_r1_k5_s2_e6_c80 ir_r3_k3_s1_e3_c80 ir_r1_k5_s1_e6_c96 "
    "ir_r3_k5_s1_e3_c96 ir_r4_k5_s2_e6_c192 ir_r1_k3_s1_e6_c320_noskip head_c1280 fc_c1000"
)
# The one with `ir` blocks of expansion 1, which do expand there.
FBNETC = (
    "timm:fbnetc in_s224 stem_c16 ir_r1_k3_s1_e1_c16 ir_r1_k3_s2_e6_c24 ir_r2_k3_s1_e1_c24 "
    "ir_r1_k5_s2_e6_c32 ir_r1_k5_s1_e3_c32 ir_r1_k5_s1_e6_c32 ir_r1_k3_s1_e6_c32 "
    "ir_r1_k5_s2_e6_c64 ir_r1_k5_s1_e3_c64 ir_r2_k5_s1_e6_c64 ir_r3_k5_s1_e6_c112 "
    "ir_r1_k5_s1_e3_c112 ir_r4_k5_s2_e6_c184 ir_r1_k3_s1_e6_c352 head_c1984 fc_c1000"
)
SMALL_BLOCKS = (
    "ir_r1_k3_s2_e4.5_c24_nre ir_r1_k3_s1_e3.67_c24_nre ir_r1_k5_s2_e4_c40_se0.25 "
    "ir_r2_k5_s1_e6_c40_se0.25 ir_r2_k5_s1_e3_c48_se0.25 ir_r3_k5_s2_e6_c96_se0.25 "
    "cn_r1_k1_s1_c576"
)
MOBILENETV3_SMALL = (
    f"timm:mobilenetv3 in_s224 stem_c16 ds_r1_k3_s2_e1_c16_se0.25_nre {SMALL_BLOCKS} "
    "head_c1024 fc_c1000"
)
MOBILENETV3_LARGE = (
    "timm:mobilenetv3 in_s224 stem_c16 ds_r1_k3_s1_e1_c16_nre ir_r1_k3_s2_e4_c24_nre "
    "ir_r1_k3_s1_e3_c24_nre ir_r3_k5_s2_e3_c40_se0.25_nre ir_r1_k3_s2_e6_c80 "
    "ir_r1_k3_s1_e2.5_c80 ir_r2_k3_s1_e2.3_c80 ir_r2_k3_s1_e6_c112_se0.25 "
    "ir_r3_k5_s2_e6_c160_se0.25 cn_r1_k1_s1_c960 head_c1280 fc_c1000"
)
LITE_BLOCKS = (
    "ds_r1_k3_s1_e1_c16 ir_r2_k3_s2_e6_c24 ir_r2_k5_s2_e6_c40 ir_r3_k3_s2_e6_c80 "
    "ir_r3_k5_s1_e6_c112 ir_r4_k5_s2_e6_c192 ir_r1_k3_s1_e6_c320"
)
EFFICIENTNET_LITE0 = f"timm:efficientnet_lite in_s224 stem_c32 {LITE_BLOCKS} head_c1280 fc_c1000"
B0_BLOCKS = " ".join(f"{block}_se0.25" for block in LITE_BLOCKS.split())
EFFICIENTNET_B0 = f"timm:efficientnet in_s224 stem_c32 {B0_BLOCKS} head_c1280 fc_c1000"
MOBILENETV1 = (
    "timm:mobilenetv1 in_s224 stem_c32 dsa_r1_k3_s1_c64 dsa_r2_k3_s2_c128 dsa_r2_k3_s2_c256 "
    "dsa_r6_k3_s2_c512 dsa_r2_k3_s2_c1024 head_c0 fc_c1000"
)
EFFICIENTNET_ES = (
    "timm:efficientnet_edge in_s224 stem_c32 er_r1_k3_s1_e4_c24_fc24_noskip er_r2_k3_s2_e8_c32 "
    "er_r4_k3_s2_e8_c48 ir_r5_k5_s2_e8_c96 ir_r4_k5_s1_e8_c144 ir_r2_k5_s2_e8_c192 "
    "head_c1280 fc_c1000"
)
LCNET = (
    "timm:lcnet in_s224 stem_c16 dsa_r1_k3_s1_c32 dsa_r2_k3_s2_c64 dsa_r2_k3_s2_c128 "
    "dsa_r1_k3_s2_c256 dsa_r1_k5_s1_c256 dsa_r4_k5_s1_c256 dsa_r2_k5_s2_c512_se0.25 "
    "head_c1280 fc_c1000"
)
PUBLISHED = {
    "mobilenetv2_100": (MOBILENETV2, 3_504_872),
    "mnasnet_100": (MNASNET, 4_383_312),
    "semnasnet_100": (SEMNASNET, 3_887_038),
    "spnasnet_100": (SPNASNET, 4_421_616),
    "fbnetc_100": (FBNETC, 5_572_200),
    "mobilenetv3_small_100": (MOBILENETV3_SMALL, 2_542_856),
    "mobilenetv3_large_100": (MOBILENETV3_LARGE, 5_483_032),
    "efficientnet_lite0": (EFFICIENTNET_LITE0, 4_652_008),
    "efficientnet_b0": (EFFICIENTNET_B0, 5_288_548),
    "mobilenetv1_100": (MOBILENETV1, 4_231_976),
    "efficientnet_es": (EFFICIENTNET_ES, 5_438_392),
}


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_published_networks_have_their_parameters(name: str) -> None:
    text, params = PUBLISHED[name]
    assert architecture_cost(loads(text)).params == params


def test_lcnet_has_the_millions_that_its_table_states() -> None:
    assert round(architecture_cost(loads(LCNET)).params / 1e6, 2) == 2.95


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_what_was_read_is_written_in_our_own_words(name: str) -> None:
    network = loads(PUBLISHED[name][0])
    assert parse(to_text(network)) == network
    assert from_json(to_json(network)) == network
    assert network.name == PUBLISHED[name][0].split()[0].removeprefix("timm:")


def blocks(network: Architecture) -> list[WidthsBlock]:
    return [layer for layer in network.layers if isinstance(layer, WidthsBlock)]


def squeezes(network: Architecture) -> list[SqueezeExciteOp]:
    lowered = lower_architecture(network)
    ops = [op for layer in lowered for op in all_ops(layer.ops)]
    return [op for op in ops if isinstance(op, SqueezeExciteOp)]


def test_an_expansion_of_1_has_its_convolution_in_timm_and_none_here() -> None:
    theirs = loads("timm:fbnetc in_s32 stem_c16 ir_r1_k3_s1_e1_c16 head_c32 fc_c10")
    ours = parse("in_s32 cn_k3_s2_c16_nre ir_r1_k3_s1_e1_c16_nre cn_k1_s1_c32_nre gap fc_c10")
    # A 1x1 convolution of 16 channels with its normalisation.
    difference = architecture_cost(theirs).params - architecture_cost(ours).params
    assert difference == 16 * 16 + 2 * 16


def test_squeezes_follow_the_family() -> None:
    """MobileNetV3: a quarter of the expansion, in eighths. EfficientNet: of the input, exact."""
    v3 = [op.squeeze_channels for op in squeezes(loads(MOBILENETV3_SMALL))]
    assert v3 == [8, 24, 64, 64, 32, 40, 72, 144, 144]
    b0 = squeezes(loads(EFFICIENTNET_B0))
    assert [op.squeeze_channels for op in b0[:6]] == [8, 4, 6, 6, 10, 10]
    assert {(op.activation, op.gate) for op in b0} == {("swish", "sigmoid")}
    kinds = {(op.activation, op.gate) for op in squeezes(loads(MOBILENETV3_LARGE))}
    assert kinds == {("relu", "hard_sigmoid")}


@pytest.mark.parametrize(
    ("family", "activation"),
    [("mobilenetv2", "relu6"), ("mnasnet", "relu"), ("mobilenetv3", "hard_swish")],
)
def test_a_missing_activation_is_the_familys(family: str, activation: str) -> None:
    block = "ir_r2_k3_s2_e6_c24"
    network = loads(f"timm:{family} in_s64 stem_c16 {block} {block}_nre head_c64 fc_c10")
    assert [b.activation for b in blocks(network)] == [activation] * 2 + ["relu"] * 2
    ops = [op for layer in lower_architecture(network) for op in all_ops(layer.ops)]
    stem = next(op for op in ops if isinstance(op, ConvOp))
    assert stem.activation == activation


def test_the_head_of_mobilenetv3_is_a_layer_with_bias_after_the_mean() -> None:
    *_, pool, head, classes = loads(MOBILENETV3_SMALL).layers
    assert (pool.TOKEN, head, classes) == ("gap", Dense(1024, "hard_swish"), Dense(1000))


def test_channels_are_rounded_as_there() -> None:
    network = loads("timm:mobilenetv2 in_s64 stem_c20 ir_r2_k3_s2_e2.3_c20 head_c64 fc_c10")
    # 20 -> 24; 24 * 2.3 = 55.2 -> 56.
    assert [(b.channels, b.expanded, b.stride) for b in blocks(network)] == [
        (24, 56, 2),
        (24, 56, 1),
    ]


def with_block(block: str, family: str = "mobilenetv2") -> str:
    return f"timm:{family} in_s64 stem_c16 {block} head_c64 fc_c10"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        *[
            (with_block(block), block)
            for block in (
                "uir_r1_k3_s2_e4_c32",
                "mqa_r1_k3_h8_s1_d64_c256",
                "tu_r1_k3_s1_ir4_or4_c48",
                "xy_r1_k3_s1_c8",
                "gap",
            )
        ],
        (with_block("ir_r1_k3.5.7_s1_e6_c24"), "'k3.5.7'"),
        (with_block("ir_r1_k3_a1.1_s1_e6_c24"), "'a1.1'"),
        (with_block("ir_r1_k3_p3_s1_e6_c24"), "'p3'"),
        (with_block("ir_r1_k3_s1_e6_c24_cc4"), "'cc4'"),
        (with_block("ir_r1_k3_s1_e6_c24_gs8"), "'gs8'"),
        (with_block("ir_r1_k3_s1_e6_c24_d1"), "'d1'"),
        (with_block("ir_r1_k3_s1_e6_c24_nmi"), "'nmi'"),
        (with_block("ir_r1_k3_s1_e6_c24_k5"), "'k5' again"),
        (with_block("ir_r1_k3_s1_e6_c24_nre_nr6"), "'nr6' again"),
        (with_block("ir_k3_s1_e6_c24"), "add r"),
        (with_block("ir_r1_k3_s1_c24"), "add e"),
        (with_block("ir_r1_k3_s3_e6_c24"), "s3"),
        (with_block("ir_r1_k3_s1_e0_c24"), "e0"),
        (with_block("ds_r1_k3_s1_e6_c24"), "e6"),
        (with_block("er_r1_k3_s1_e6_c24_se0.25"), "'se0.25'"),
        (with_block("ir_r999999999_k3_s1_e6_c24"), "r1e+09"),
        (with_block("ir_r9999999999999_k3_s1_e6_c24"), "'r9999999999999'"),
        (with_block("ir_r9000_k3_s1_e6_c24"), "ir_r9000"),
        (with_block("ir_r1_k3_s1_e60000_c24"), "ir_r1_k3_s1_e60000_c24"),
        (with_block("ir_r1_k3_s1_e6_c24_se0.001", "mnasnet"), "se0.001"),
        (with_block("ir_r1_k3_s1_e6_c24") + " fc_c10", "'fc_c10'"),
        ("timm:mobilenetv2 in_s64 stem_c16 ir_r1_k3_s1_e6_c24 fc_c10", "`head_c<number>`"),
        ("timm:mobilenetv2 in_s64 stem_c16 drop_p0.2 fc_c10", "`head_c<number>`"),
        ("timm:mobilenetv2 in_s64 stem_c16 ir_r1_k3_s1_e6_c24", "the end of the text"),
        ("timm:mobilenetv2 stem_c16 in_s64 head_c64 fc_c10", "'stem_c16'"),
        ("timm:resnet in_s64 stem_c16 head_c64 fc_c10", "resnet"),
        ("timm:", "''"),
    ],
)
def test_what_cannot_be_expressed_is_refused_by_its_token(text: str, named: str) -> None:
    with pytest.raises(InputError) as refused:
        loads(text)
    message = str(refused.value)
    assert named in message, message
    assert all(part in message for part in ("Expected", "Received", "Fix"))


@pytest.mark.parametrize("block", ["ds_r1_k3_s1_c16", "uir_r1_k3_s2_e4_c32", "er_r1_k3_s1_e4_c24"])
def test_timms_blocks_in_our_own_text_are_told_where_they_are_read(block: str) -> None:
    with pytest.raises(ArchitectureError, match="timm:FAMILY"):
        parse(f"in_s64 {block} gap fc_c10")
    with pytest.raises(ArchitectureError, match="timm:FAMILY"):
        parse(block)
