"""What the comparison with HGQ2 counts, how it finds the price of bits, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import hgq_trainings
from benchmarks.hgq_network import product_bits
from benchmarks.hgq_trainings import EXPONENTS, Record, Trained, matched, next_exponent
from benchmarks.quantized_hgq import Own, check_trainings, compared
from nas.architecture.lowering import lower_architecture
from nas.architecture.operations import ConvOp, DenseOp
from nas.architecture.text import loads
from nas.cost.counts import architecture_cost
from nas.errors import InputError

WIDTHS = "in_s9 cn_k3_s2_c4_wqf6.1_aqf8.1 cn_k3_s1_c3_valid_wqb4_aqb2 flat fc_c2_wqf3.1_aqf5.2"


def test_equal_widths_cost_what_the_summary_says() -> None:
    architecture = loads(WIDTHS)
    total = 0
    for layer in lower_architecture(architecture):
        for op in layer.ops:
            if isinstance(op, ConvOp | DenseOp):
                weights, read = op.formats.weights, op.formats.activations
                assert weights is not None and read is not None
                inputs = op.in_units if isinstance(op, DenseOp) else op.in_channels
                outputs = op.out_units if isinstance(op, DenseOp) else op.out_channels
                side = () if isinstance(op, DenseOp) else (op.kernel, op.kernel)
                kernel = np.full((*side, inputs, outputs), weights.bits)
                total += product_bits(op, kernel, np.full(op.input_shape, read.bits))
    assert total == architecture_cost(architecture).bops


def test_each_product_has_the_bits_of_its_two_numbers() -> None:
    op = ConvOp("conv", (3, 3, 1), 3, 1, 1, valid=True)
    kernel = np.arange(9).reshape(3, 3, 1, 1)
    read = np.arange(10, 19).reshape(3, 3, 1)
    assert product_bits(op, kernel, read) == int((kernel.ravel() * read.ravel()).sum())
    dense = DenseOp("dense", (3,), 2)
    kernel = np.array([[1, 2], [0, 0], [4, 5]])
    assert product_bits(dense, kernel, np.array([3, 7, 2])) == 3 * 3 + 0 + 9 * 2


def test_padding_reads_the_bits_of_the_nearest_number() -> None:
    op = ConvOp("conv", (2, 1, 1), 3, 1, 1)
    read = np.array([[[5]], [[7]]])
    # Rows of the padded map: 5, 5, 7, 7; each of 3 columns of the kernel sees all of them.
    expected = 3 * ((5 + 5 + 7) + (5 + 7 + 7))
    assert product_bits(op, np.ones((3, 3, 1, 1), np.int64), read) == expected


def _bops(exponent: float) -> float:
    return 1e6 * (1.0 + 4.0 / (1.0 + 10.0 ** (exponent + 7.3)))


def test_the_price_is_found_in_a_few_values() -> None:
    assert next_exponent({}, 2e6) == sum(EXPONENTS) / 2
    tried: dict[float, float] = {}
    for _ in range(9):
        exponent = next_exponent(tried, 2.2e6)
        assert exponent not in tried
        tried[exponent] = _bops(exponent)
        if abs(tried[exponent] / 2.2e6 - 1) <= 0.05:
            return
    pytest.fail(f"not found: {tried}")


def _trained(exponent: float, seed: int) -> Trained:
    bops = int(_bops(exponent) * (1 + 0.01 * seed))
    return Trained("goal", exponent, seed, bops, 1, 1, 0.0, 0.9, 0.8, 1.0, 1.0)


class _Task:
    twin = loads("in_s8 cn_k3_s1_c8 gap fc_c2")


def test_a_record_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[float, int]] = []

    def train(_task: Any, _goal: str, exponent: float, _bits: int, seed: int) -> Trained:
        asked.append((exponent, seed))
        return _trained(exponent, seed)

    monkeypatch.setattr(hgq_trainings, "train", train)
    path, same = tmp_path / "folder" / "record.jsonl", {"images": "a"}
    task: Any = _Task()

    def run(same: Mapping[str, Any] = same) -> list[Trained]:
        return matched(task, "goal", 2.2e6, (1, 2, 3), Record(path, same), 12)[1]

    found = run()
    assert [one.seed for one in found] == [1, 2, 3]
    assert len({one.exponent for one in found}) == 1
    assert abs(np.mean([one.bops for one in found]) / 2.2e6 - 1) <= 0.05
    assert asked[-3:] == [(found[0].exponent, seed) for seed in (1, 2, 3)]
    done = len(asked)
    assert len(path.read_text("utf-8").splitlines()) == 1 + done
    assert run() == found and len(asked) == done, "nothing is trained again"
    with pytest.raises(InputError, match="another one at"):
        run({"images": "b"})


def test_ours_is_equal_unless_it_is_below_by_more_than_the_interval() -> None:
    near = compared((0.90, 0.91, 0.92), (0.91, 0.92, 0.93))
    assert near["equal_or_better"] is True and near["ahead"] == "hgq2"
    assert near["low"] < near["difference"] < 0 < near["high"]
    far = compared((0.900, 0.901, 0.902), (0.95, 0.951, 0.952))
    assert far["equal_or_better"] is False
    assert compared((0.95, 0.951), (0.9, 0.901))["ahead"] == "ours"
    single = compared((0.9,), (0.8,))
    assert single["low"] is None and single["equal_or_better"] is None


def test_trainings_of_one_seed_or_with_inherited_weights_are_refused() -> None:
    owns = [Own(goal, seed, "", 1, 1, 0.9) for goal in ("20 %", "40 %") for seed in (1, 2)]
    check_trainings(owns)
    with pytest.raises(InputError, match=r"seeds 1, 2, 2 for 40 %"):
        check_trainings([*owns, Own("40 %", 2, "", 1, 1, 0.9)])
    with pytest.raises(InputError, match="weights of a supernet for 60 %"):
        check_trainings([*owns, Own("60 %", 1, "", 1, 1, 0.9, inherits=True)])
