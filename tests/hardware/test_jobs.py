"""Rows, jobs and predictions; a real table at toy size."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import pytest

from latency.device.settings import SessionSettings
from latency.measurement.measure import MeasurePlan
from latency.tables.table import LatencyTable, MissingRowError
from nas.architecture.spec import Conv, Dense, GlobalAveragePool, MBConv, Skip
from nas.architecture.text import parse
from nas.cost.counts import architecture_cost
from nas.hardware.jobs import build_space_table, network_of, space_job, stratified_networks
from nas.hardware.predictor import SpaceLatency
from nas.hardware.rows import architecture_row_keys, row_key
from nas.search_space.named import get_space
from nas.search_space.space import OneOf, Space

SPACE = get_space("sample")
PLAN = MeasurePlan(min_rounds=3, max_rounds=3, runs_per_visit=1, max_wait_seconds=0.0)


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    return build_space_table(
        SPACE, settings=SessionSettings(), plan=PLAN, calibration=4, held_out=4
    )


def test_key_names_layers_and_shape() -> None:
    assert row_key((MBConv(5, 1, 6, 24),), (32, 32, 16)) == "ir_r1_k5_s1_e6_c24@32x32x16"


def test_head_is_one_row_and_a_skip_is_none() -> None:
    network = parse("in_s32 cn_k3_s2_c8 skip ir_k3_s1_e3_c8 cn_k1_s1_c64 gap drop_p0.1 fc_c4")
    assert architecture_row_keys(network) == (
        "cn_r1_k3_s2_c8@32x32x3",
        "ir_r1_k3_s1_e3_c8@16x16x8",
        "cn_r1_k1_s1_c64+gap+drop_p0.1+fc_c4@16x16x8",
    )


@pytest.mark.parametrize("name", ["sample", "tiny", "tiny_se", "cifar"])
def test_job_has_every_row_and_few_graphs(name: str) -> None:
    space = get_space(name)
    job = space_job(space, settings=SessionSettings(), plan=PLAN, calibration=10, held_out=50)
    models = {model.key: model for model in job.models}
    assert len(models) == len(job.models) <= 300
    planned = {plan.key for plan in job.rows}
    for plan in job.rows:
        assert plan.long_key in models
        assert plan.short_key is None or (
            models[plan.short_key].group == models[plan.long_key].group
        )
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert set(architecture_row_keys(space.sample(rng))) <= planned
    roles = [whole.role for whole in job.wholes]
    assert (roles.count("calibration"), roles.count("held_out")) == (10, 50)
    assert len({whole.key.split(": ")[1] for whole in job.wholes}) == 60


def test_flattened_head_is_one_row_too() -> None:
    # A classifier without a global mean: nothing behind the first vector can be a chain.
    network = parse("in_s16 cn_k3_s2_c8 cn_k3_s1_c8 mp_k2 flat fc_c16_bn fc_c4")
    assert architecture_row_keys(network)[2:] == (
        "mp_k2@8x8x8",
        "flat+fc_c16_bn+fc_c4@4x4x8",
    )


def test_equal_places_share_one_row() -> None:
    # Blocks 2 to 4 of a stage see the same shape: three choices, one set of rows.
    job = space_job(
        get_space("tiny"), settings=SessionSettings(), plan=PLAN, calibration=1, held_out=1
    )
    shared = [plan for plan in job.rows if plan.key == "ir_r1_k5_s1_e6_c48@8x8x48"]
    assert len(shared) == 1
    assert len(job.rows) < sum(len(c.options) for c in get_space("tiny").choices)


def graph_macs(data: bytes) -> int:
    """Multiply-adds of a graph from its kernels and inferred shapes."""
    graph = onnx.shape_inference.infer_shapes(onnx.load_from_string(data)).graph
    shapes = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.output)
    }
    sizes = {i.name: math.prod(i.dims) for i in graph.initializer}
    macs = 0
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm"):
            macs += math.prod(shapes[node.output[0]][2:]) * sizes[node.input[1]]
        elif node.op_type == "Mul":  # squeeze-excite
            macs += math.prod(shapes[node.output[0]])
    return macs


@pytest.mark.parametrize("name", ["sample", "tiny_se", "mnasnet"])
def test_every_row_is_the_difference_of_its_own_layers(name: str) -> None:
    # What the long graph has more than the short one, over the divisor, is the row itself.
    space = get_space(name, 64)
    job = space_job(space, settings=SessionSettings(), plan=PLAN, calibration=0, held_out=0)
    data = {model.key: model.data for model in job.models}
    plans = {plan.key: plan for plan in job.rows}
    rng = np.random.default_rng(0)
    for network in (space.largest(), space.smallest(), *(space.sample(rng) for _ in range(3))):
        total = 0.0
        for key in architecture_row_keys(network):
            plan = plans[key]
            short = graph_macs(data[plan.short_key]) if plan.short_key else 0
            total += (graph_macs(data[plan.long_key]) - short) / plan.divisor
        assert total == architecture_cost(network).macs


def test_calibration_spans_the_range() -> None:
    wholes = space_job(
        SPACE, settings=SessionSettings(), plan=PLAN, calibration=4, held_out=8
    ).wholes
    macs: dict[str, list[int]] = {"calibration": [], "held_out": []}
    for whole in wholes:
        macs[whole.role].append(architecture_cost(parse(whole.key.split(": ")[1])).macs)
    assert min(macs["calibration"]) <= min(macs["held_out"])
    assert max(macs["calibration"]) >= max(macs["held_out"])


@pytest.mark.parametrize("calibration, held_out", [(0, 3), (1, 1), (2, 3), (4, 0)])
def test_roles_are_as_many_as_asked(calibration: int, held_out: int) -> None:
    wholes = space_job(
        SPACE, settings=SessionSettings(), plan=PLAN, calibration=calibration, held_out=held_out
    ).wholes
    roles = [whole.role for whole in wholes]
    assert (roles.count("calibration"), roles.count("held_out")) == (calibration, held_out)


def test_fixed_block_that_equals_an_option_counts_once_more() -> None:
    block = MBConv(3, 1, 6, 8)
    space = Space(
        "twins",
        16,
        (
            Conv(3, 2, 8),
            block,
            OneOf("a", (MBConv(3, 1, 3, 8), block, Skip())),
            GlobalAveragePool(),
            Dense(4),
        ),
    )
    table = build_space_table(
        space, settings=SessionSettings(), plan=PLAN, calibration=2, held_out=0
    )
    latency = SpaceLatency.from_table(space, table)
    for index in range(3):
        keys = architecture_row_keys(space.decode((index,)))
        assert latency.predict_ms((index,)) == pytest.approx(table.predict_ms(keys))
    assert latency.fixed_ms >= table.effective_row_ms(row_key((block,), (8, 8, 8)))
    assert latency.option_ms[0][2] == 0


def test_graphs_are_valid_onnx() -> None:
    for model in space_job(
        SPACE, settings=SessionSettings(), plan=PLAN, calibration=1, held_out=1
    ).models[::7]:
        onnx.checker.check_model(onnx.load_from_string(model.data), full_check=True)


def test_networks_span_the_range() -> None:
    macs = [architecture_cost(n).macs for n in stratified_networks(SPACE, 12, 0)]
    low, high = (architecture_cost(n).macs for n in (SPACE.smallest(), SPACE.largest()))
    assert macs[0] < low + 0.1 * (high - low) and macs[-1] > high - 0.1 * (high - low)
    gaps = np.diff(macs) / (high - low)
    assert gaps.max() < 0.2


def test_prediction_is_the_calibrated_sum(table: LatencyTable) -> None:
    latency = SpaceLatency.from_table(SPACE, table)
    rng = np.random.default_rng(0)
    for _ in range(10):
        network = SPACE.sample(rng)
        keys = architecture_row_keys(network)
        expected = table.affine[0] * sum(table.effective_row_ms(k) for k in keys) + table.affine[1]
        assert latency.predict_ms(SPACE.encode(network)) == pytest.approx(expected)
        assert table.predict_ms(keys) == pytest.approx(expected)
    low, high = latency.range_ms()
    assert 0 < low < high


def test_largest_is_slower_than_smallest_as_measured(table: LatencyTable) -> None:
    latency = SpaceLatency.from_table(SPACE, table)
    small, large = (SPACE.encode(n) for n in (SPACE.smallest(), SPACE.largest()))
    # 1.5 M against 7.8 M MACs: no noise makes these equal.
    assert latency.predict_ms(large) > 1.5 * latency.predict_ms(small)


@pytest.mark.parametrize("name", ["sample", "tiny_se"])
def test_networks_of_a_table_reach_from_one_end_of_the_space_to_the_other(name: str) -> None:
    space = get_space(name)
    networks = stratified_networks(space, 8, 0)
    assert (networks[0], networks[-1]) == (space.smallest(), space.largest())
    macs = [architecture_cost(network).macs for network in networks]
    assert macs == sorted(macs) and len(set(macs)) == 8


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_networks_are_the_ends_first(count: int) -> None:
    ends = [SPACE.smallest(), SPACE.largest()]
    assert stratified_networks(SPACE, count, 0) == ends[:count]


def test_the_key_of_a_whole_network_names_it() -> None:
    job = space_job(SPACE, settings=SessionSettings(), plan=PLAN, calibration=2, held_out=2)
    assert [network_of(whole.key) for whole in job.wholes] == stratified_networks(SPACE, 4, 0)


def test_missing_row_is_an_error(table: LatencyTable) -> None:
    with pytest.raises(MissingRowError):
        SpaceLatency.from_table(get_space("tiny"), table)


def test_table_round_trips(table: LatencyTable, tmp_path: Path) -> None:
    table.save(tmp_path / "t.json")
    again = LatencyTable.load(
        tmp_path / "t.json",
        space="sample",
        space_hash=SPACE.fingerprint(),
        image_size=32,
        precision="fp32",
    )
    assert again.rows.keys() == table.rows.keys()
    assert again.affine == table.affine


def test_chains_run_in_the_blocked_layout(table: LatencyTable) -> None:
    # A long chain of blocks must carry no reorder between its blocks: at most one at the
    # entry and one at the exit, and every activation fused into its convolution.
    key = row_key((MBConv(5, 1, 6, 32),), (4, 4, 32))
    counts = table.rows[key].op_counts
    assert sum(n for op, n in counts.items() if op.startswith("Reorder")) <= 2, counts
    assert counts.get("Transpose", 0) == 0 and counts.get("Clip", 0) == 0, counts
    assert counts.get("Add", 0) == 0, counts
