"""The choice of blocks that run as int8: faster here, and as accurate; or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from latency.measurement.compare import ratios_of
from latency.measurement.measure import Model
from nas.architecture.text import parse
from nas.deployment.int8 import int8_settings
from nas.deployment.records import Int8Candidate
from nas.deployment.timing import sha256
from nas.pipeline import int8_blocks
from nas.pipeline.int8_blocks import BlockChoice, Judged, best_of
from nas.recipes.scales import SMOKE
from tests.support.timings import timing
from tests.support.toy_stages import exported_file, toy_dataset

NETWORK = parse("in_s32 cn_k3_s2_c4 cn_k3_s2_c6 cn_k3_s1_c8 gap fc_c12")
FP32 = exported_file(NETWORK)
CHOICE = BlockChoice(
    FP32, NETWORK, toy_dataset().train, int8_settings(4, 0, None), SMOKE.measuring, "here"
)


class Machine:
    """Stands in for the measurement and the accuracy of files.

    Args:
        monkeypatch: Of the test.
        ms: Milliseconds of a file by its key.
        top1: Of a file by the number of its blocks in int8; of float32 it is 0.9.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, ms: dict[str, float], top1: dict[int, float]
    ) -> None:
        self.ms, self.top1, self.asked = ms, top1, list[list[str]]()
        monkeypatch.setattr(int8_blocks, "compare_models", self.compare)
        monkeypatch.setattr(int8_blocks, "judged_on", self.judge)

    def compare(self, models: Sequence[Model], *_: Any) -> Any:
        self.asked.append([model.key for model in models])
        timings = {model.key: timing(self.ms.get(model.key, 1.0)) for model in models}
        return timings, ratios_of(timings)

    def judge(self, data: bytes, _: Any) -> Judged:
        if data == FP32:
            return Judged(0.9, 0.5)
        blocks = data.count(b"kernel_quantized_scale")
        return Judged(self.top1.get(blocks, 0.9), 0.5 + 0.01 * blocks)


def test_the_fastest_set_that_stays_accurate_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = {"fp32": 1.0, "0": 1.2, "1": 0.8, "2": 0.7, "4": 1.0}
    machine = Machine(monkeypatch, {**alone, "set 0": 0.7, "set 1": 0.6, "set 2": 0.5}, {})
    found = CHOICE.chosen()
    # Blocks 2 and 1 pay alone, in this order; then half of the others more, and all.
    assert machine.asked == [
        ["fp32", "0", "1", "2", "4"],
        ["fp32", "set 0", "set 1", "set 2", "set 3"],
    ]
    assert [one.blocks for one in found.candidates] == [
        ("2",),
        ("1", "2"),
        ("1", "2", "4"),
        ("0", "1", "2", "4"),
    ]
    assert found.chosen == ("1", "2", "4") and "0.500 times as long" in found.reason
    assert [block.name for block in found.blocks] == ["0", "1", "2", "4"]
    assert [block.is_int8 for block in found.blocks] == [False, True, True, True]
    assert found.blocks[2].layer == "cn_r1_k3_s1_c8"
    assert found.blocks[2].gain_ms == pytest.approx(0.3)
    assert found.blocks[0].gain_ms == pytest.approx(-0.2)
    assert all(block.kernel_decibel is not None for block in found.blocks)
    assert (found.source_sha256, found.host_fingerprint) == (sha256(FP32), "here")
    assert found.judging_images == len(toy_dataset().train.labels) - 4


def test_what_is_slow_is_not_chosen_however_accurate(monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(monkeypatch, {"set 0": 1.1, "set 1": 1.0, "set 2": 1.3}, {})
    found = CHOICE.chosen()
    assert found.chosen == () and "No set of blocks is faster" in found.reason
    assert not any(block.is_int8 for block in found.blocks)


def candidate(blocks: str, ratio: float, top1: float, verdict: str = "faster") -> Int8Candidate:
    return Int8Candidate(
        blocks=tuple(blocks),
        measured_ms=ratio,
        ratio=ratio,
        ratio_low=ratio,
        ratio_high=ratio,
        verdict=verdict,
        top1=top1,
    )


def test_a_faster_set_that_costs_more_than_a_point_is_passed_over() -> None:
    tried = [candidate("a", 0.9, 0.9), candidate("ab", 0.8, 0.895), candidate("abc", 0.5, 0.88)]
    assert best_of(tried, 0.9)[0] == ("a", "b")
    chosen, reason = best_of(tried[2:], 0.9)
    assert chosen == () and "costs more than 1 points" in reason


def test_a_set_of_which_nothing_can_be_told_is_not_chosen() -> None:
    tried = [replace(candidate("a", 0.5, 0.9, "cannot tell"), ratio=None)]
    words = "sets of blocks it cannot be told whether they are faster in int8 here than the network"
    assert best_of(tried, 0.9) == ((), f"Of 1 of 1 {words} in float32.")
    tried.append(candidate("b", 1.5, 0.9, "slower"))
    assert best_of(tried, 0.9) == ((), f"Of 1 of 2 {words} in float32, and no other one is.")
    tried.append(candidate("c", 0.9, 0.9))
    assert best_of(tried, 0.9)[0] == ("c",)


def test_files_are_judged_by_their_scores_on_the_judging_images() -> None:
    found = int8_blocks.judged_on(FP32, toy_dataset().train)
    assert 0 <= found.top1 <= 1 and found.cross_entropy > 0
