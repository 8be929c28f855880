"""Counts that others have published or that can be worked out by hand, each with its source."""

from __future__ import annotations

import pytest

from nas.architecture.text import parse, to_text
from nas.cost.counts import architecture_cost
from nas.search_space.named import get_space

# Homework of an IoT machine-learning course, 32x32x3, `same` padding, biases: seven 3x3
# convolutions, each followed by BN, max pool 4, dense 128 with BN, dense 10. Its own table:
# 704,842 params (statistics included) and 12,035,328 MACs.
HOMEWORK_1 = (
    "in_s32 cn_k3_s2_c32_bias cn_k3_s2_c64_bias cn_k3_s2_c128_bias cn_r4_k3_s1_c128_bias "
    "mp_k4 flat fc_c128_bn fc_c10"
)
# The same with convolutions 2 to 7 separable: 104,106 params. The course's table says
# 1,678,592 MACs, having counted depthwise parts with the output channels; 1,650,944 is right.
HOMEWORK_2 = (
    "in_s32 cn_k3_s2_c32_bias sp_k3_s2_c64_bias sp_k3_s2_c128_bias sp_r4_k3_s1_c128_bias "
    "mp_k4 flat fc_c128_bn fc_c10"
)
# ResNet-9 of DAWNBench (David Page, "How to train your ResNet", 2018), without biases.
RESNET_9 = (
    "in_s32 cn_k3_s1_c64_nre cn_k3_s1_c128_nre mp_k2 res[cn_k3_s1_c128_nre cn_k3_s1_c128_nre] "
    "cn_k3_s1_c256_nre mp_k2 cn_k3_s1_c512_nre mp_k2 "
    "res[cn_k3_s1_c512_nre cn_k3_s1_c512_nre drop_p0.1] mp_k4 flat fc_c10_nobias"
)
# Single-Path NAS as retrained in timm (`spnasnet_100`), which states 4.42 M params.
SPNASNET_100 = (
    "in_s224 cn_k3_s2_c32_nre ir_k3_s1_e1_c16_nre_noskip ir_r3_k3_s2_e3_c24_nre "
    "ir_k5_s2_e6_c40_nre_noskip ir_r3_k3_s1_e3_c40_nre ir_k5_s2_e6_c80_nre "
    "ir_r3_k3_s1_e3_c80_nre ir_k5_s1_e6_c96_nre ir_r3_k5_s1_e3_c96_nre ir_r4_k5_s2_e6_c192_nre "
    "ir_k3_s1_e6_c320_noskip_nre cn_k1_s1_c1280_nre gap drop_p0.2 fc_c1000"
)


@pytest.mark.parametrize(
    "text, params, with_statistics, macs",
    [
        (HOMEWORK_1, 703_114, 704_842, 12_035_328),
        (HOMEWORK_2, 102_378, 104_106, 1_650_944),
        (RESNET_9, 6_573_120, 6_577_600, 379_261_952),
        (SPNASNET_100, 4_421_616, 4_461_120, None),
    ],
)
def test_published_counts(text: str, params: int, with_statistics: int, macs: int | None) -> None:
    cost = architecture_cost(parse(text))
    assert cost.params == params
    assert cost.params_with_statistics == with_statistics
    if macs is not None:
        assert cost.macs == macs


def test_resnet_9_macs_by_hand() -> None:
    # pixels * 9 * in * out of each convolution, then the classifier.
    by_hand = 9 * (
        1024 * (3 * 64 + 64 * 128)
        + 256 * (2 * 128 * 128 + 128 * 256)
        + 64 * 256 * 512
        + 16 * 2 * 512 * 512
    )
    assert architecture_cost(parse(RESNET_9)).macs == by_hand + 512 * 10


def test_spnasnet_block_by_hand() -> None:
    # Layer 5: 5x5, stride 2, expansion 6, 24 -> 40 channels, 56 px in, 28 px out.
    row = architecture_cost(parse(SPNASNET_100)).layers[5]
    assert row.macs == 56 * 56 * 24 * 144 + 28 * 28 * 144 * (25 + 40)
    assert row.params == 24 * 144 + 25 * 144 + 144 * 40 + 2 * (144 + 144 + 40)
    assert row.output_shape == (28, 28, 40)


def test_separable_layers_of_the_homework() -> None:
    # Depthwise with the INPUT channels, then pointwise; the course's slip was the output's.
    rows = architecture_cost(parse(HOMEWORK_2)).layers
    assert rows[1].macs == 64 * (9 * 32 + 32 * 64) == 149_504
    assert rows[2].macs == 16 * (9 * 64 + 64 * 128) == 140_288
    assert rows[3].macs == 16 * (9 * 128 + 128 * 128)


def test_mnasnet_has_the_networks_of_single_path_nas() -> None:
    # 20 searched blocks, 5 of them first in their stage and never skipped.
    space = get_space("mnasnet")
    assert space.size == 4**5 * 5**15
    blocks = [layer for layer in space.layers if not hasattr(layer, "options")]
    assert len(space.choices) == 20
    assert len([b for b in blocks if type(b).__name__ == "MBConv"]) == 2


@pytest.mark.parametrize(
    "name, least, greatest",
    [
        ("small", (12_170, 3_657_344), (215_658, 33_584_768)),
        ("small_se", (14_098, 3_703_168), (268_482, 34_050_176)),
    ],
)
def test_small_spaces_are_small(
    name: str, least: tuple[int, int], greatest: tuple[int, int]
) -> None:
    # Each layer is counted by hand in tests/cost/test_counts.py.
    space = get_space(name)
    for network, (params, macs) in ((space.smallest(), least), (space.largest(), greatest)):
        cost = architecture_cost(network)
        assert (cost.params, cost.macs) == (params, macs)
    assert space.input_shapes()[-3] == (8, 8, 48)


def test_smallest_network_of_the_small_space_by_hand() -> None:
    # Parameters: a normalisation has two a channel. The first block of each stage is never skipped.
    stem = 27 * 16 + 2 * 16
    first = 9 * 16 + 16 * 16 + 2 * (16 + 16)
    blocks = [
        wide * before + 9 * wide + wide * after + 2 * (2 * wide + after)
        for before, wide, after in ((16, 32, 16), (16, 32, 24), (24, 48, 48))
    ]
    head = 48 * 64 + 2 * 64 + 64 * 10 + 10
    assert architecture_cost(get_space("small").smallest()).params == (
        stem + first + sum(blocks) + head
    )


@pytest.mark.parametrize("name, low, high", [("tiny", 30e6, 60e6)])
def test_sizes_of_spaces(name: str, low: float, high: float) -> None:
    space = get_space(name)
    assert low <= architecture_cost(space.largest()).macs <= high
    assert 10 <= len(space.choices) <= 14


@pytest.mark.parametrize(
    "block, params",
    [
        # Depthwise 3x3 and projection with their normalisations: an expansion of 1 has no more.
        ("ir_k3_s1_e1_c16", 9 * 16 + 16 * 16 + 2 * (16 + 16)),
        # 16 -> 48, squeezed to round(0.25 * 16) = 4 -> 8 channels, with biases.
        (
            "ir_k3_s1_e3_c16_se0.25",
            16 * 48 + 9 * 48 + 48 * 16 + 2 * (48 + 48 + 16) + 2 * 48 * 8 + 8 + 48,
        ),
    ],
)
def test_texts_of_earlier_runs_mean_what_they_meant(block: str, params: int) -> None:
    network = parse(f"in_s32 cn_k3_s2_c16 {block} gap fc_c10")
    cost = architecture_cost(network)
    assert cost.layers[1].params == params
    # A missing activation is relu6, here and before; timm's reader has its own.
    assert to_text(network).split()[1] == "cn_r1_k3_s2_c16"
    assert {layer.activation for layer in network.layers[:2]} == {"relu6"}  # type: ignore[attr-defined]
