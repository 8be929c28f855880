"""Blocks of a file: their nodes, their errors in int8, and the order in which they are tried."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from latency.onnx_files.int8 import name_nodes
from nas.architecture.text import parse
from nas.deployment.int8 import int8_settings, to_int8
from nas.deployment.int8_blocks import (
    MOST_DECIBEL,
    candidate_sizes,
    decibel,
    in_order_of_worth,
    joined,
    judging_rows,
    kernel_errors,
    last_tensors,
    mean_cross_entropy,
    nodes_of_blocks,
    output_errors,
)
from tests.support.toy_stages import exported_file, toy_dataset

NETWORK = parse(
    "in_s32 cn_k3_s2_c4 ir_r1_k3_s1_e3_c4_se0.5 mp_k2 cn_k1_s1_c6_nhs gap drop_p0.1 fc_c12"
)
FP32 = exported_file(NETWORK)
TRAIN = toy_dataset().train
SETTINGS = int8_settings(4, 0, None)


@pytest.fixture(scope="module")
def int8() -> bytes:
    return to_int8(FP32, SETTINGS, TRAIN)


def operators(data: bytes, names: tuple[str, ...]) -> list[str]:
    proto = onnx.ModelProto.FromString(data)
    name_nodes(proto)
    return [node.op_type for node in proto.graph.node if node.name in names]


def test_each_layer_that_multiplies_is_a_block_with_all_of_its_nodes() -> None:
    blocks = nodes_of_blocks(FP32)
    assert list(blocks) == ["0", "1", "3", "6"]
    assert operators(FP32, blocks["0"]) == ["Conv", "Clip"]
    # Squeeze-and-excitation and the pool behind the block belong to it.
    inside = operators(FP32, blocks["1"])
    assert inside.count("Conv") == 5 and inside[-2:] == ["Add", "MaxPool"]
    assert operators(FP32, blocks["6"]) == ["Gemm"]
    everything = joined(blocks, ["6", "1"])
    assert everything == (*blocks["1"], *blocks["6"])  # in the order of the graph


def test_only_the_named_blocks_become_int8() -> None:
    blocks = nodes_of_blocks(FP32)
    made = onnx.ModelProto.FromString(to_int8(FP32, SETTINGS, TRAIN, blocks["3"]))
    kernels = {tensor.name for tensor in made.graph.initializer}
    assert "3.conv.kernel_quantized" in kernels
    assert {"0.conv.kernel", "6.dense.kernel"} <= kernels


def test_errors_are_those_of_kernels_and_of_what_blocks_give(int8: bytes) -> None:
    blocks = nodes_of_blocks(FP32)
    kernels = kernel_errors(FP32, int8)
    assert set(kernels) == set(blocks)
    # 7 bits of a number evenly spread over its range are 7 * 6.02 dB of its greatest value; of
    # kernels whose largest weight is rare it is some less.
    assert all(25 < ratio < 50 for ratio in kernels.values())
    outputs = output_errors(FP32, int8, blocks, TRAIN.images[:3])
    assert set(outputs) <= set(blocks) and "6" in outputs
    assert all(0 < ratio < 60 for ratio in outputs.values())
    same = output_errors(FP32, FP32, blocks, TRAIN.images[:3])
    assert set(same.values()) == {MOST_DECIBEL}


def test_the_last_tensor_of_the_last_block_is_the_scores() -> None:
    blocks = nodes_of_blocks(FP32)
    assert last_tensors(FP32, blocks)["6"] == "logits"


def test_decibel_is_ten_times_the_logarithm_of_powers() -> None:
    signal = np.array([3.0, 4.0])
    assert decibel(signal, np.array([0.3, 0.4])) == pytest.approx(20.0)
    assert decibel(signal, np.zeros(2)) == MOST_DECIBEL
    assert decibel(np.zeros(2), np.ones(2)) == -MOST_DECIBEL


def test_cross_entropy_is_in_nats_and_large_scores_do_not_overflow() -> None:
    scores = np.array([[0.0, 0.0], [1000.0, 0.0]], np.float32)
    assert mean_cross_entropy(scores, np.array([0, 0])) == pytest.approx(np.log(2) / 2)
    assert mean_cross_entropy(scores, np.array([0, 1])) == pytest.approx((np.log(2) + 1000) / 2)


def test_blocks_are_tried_by_what_they_save_for_what_they_cost() -> None:
    gains = {"much": 0.4, "dear": 0.5, "free": 0.1, "better": 0.05, "none": -0.1, "less": -0.2}
    losses = {"much": 0.1, "dear": 1.0, "free": 0.0, "better": -0.1, "none": 0.0, "less": 0.0}
    # What costs nothing comes first, the larger saving before the smaller one.
    assert in_order_of_worth(gains, losses) == ["free", "better", "much", "dear", "none", "less"]


@pytest.mark.parametrize(
    ("paying", "total", "sizes"),
    [(4, 10, [2, 4, 7, 10]), (0, 4, [2, 4]), (1, 1, [1]), (3, 3, [2, 3]), (0, 1, [1])],
)
def test_sets_of_several_sizes_are_tried_and_all_blocks(
    paying: int, total: int, sizes: list[int]
) -> None:
    assert candidate_sizes(paying, total) == sizes


def test_judging_images_are_others_than_those_of_the_ranges() -> None:
    taken = np.array([1, 3, 5])
    rows = judging_rows(10, taken, 4, 0)
    assert len(rows) == 4 and not set(rows) & set(taken)
    assert np.array_equal(rows, judging_rows(10, taken, 4, 0))
    assert len(judging_rows(10, taken, 100, 0)) == 7
    # Where ranges took all images there are no others.
    assert np.array_equal(judging_rows(3, np.arange(3), 100, 0), np.arange(3))
