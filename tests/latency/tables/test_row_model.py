"""The predictor that learns from physical features of rows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from latency.device import strict_json
from latency.errors import FileFormatError
from latency.onnx_files.features import FEATURES
from latency.tables.row_model import (
    MIN_ROWS,
    OutOfRangeError,
    RowModel,
    RowModelError,
    UnknownOperatorError,
    fit_row_model,
)

KINDS = ("Conv depthwise", "Conv pointwise")
COSTS = {"pointwise_macs": 3e-8, "depthwise_macs": 6e-8, "weight_bytes": 3e-9, "nodes": 5e-4}


Rows = tuple[dict[str, dict[str, float]], dict[str, float], dict[str, tuple[str, ...]]]


def made(count: int, noise: float) -> Rows:
    """Features, milliseconds and operators of rows."""
    rng = np.random.default_rng(0)
    features, latency_ms = {}, {}
    for index in range(count):
        row = dict.fromkeys(FEATURES, 0.0)
        row["pointwise_macs"] = float(rng.uniform(1e5, 3e6))
        row["depthwise_macs"] = float(rng.uniform(5e4, 1e6))
        row["weight_bytes"] = float(rng.uniform(1e4, 1e6))
        row["activation_bytes"] = float(rng.uniform(1e5, 1e6))
        row["nodes"] = float(rng.integers(2, 5))
        exact = sum(cost * row[name] for name, cost in COSTS.items())
        features[f"r{index}"] = row
        latency_ms[f"r{index}"] = exact * float(1 + noise * rng.standard_normal())
    return features, latency_ms, dict.fromkeys(features, KINDS)


def test_costs_are_recovered_from_noisy_rows() -> None:
    model = fit_row_model(*made(60, 0.01))
    for name in ("pointwise_macs", "depthwise_macs"):
        assert model.costs_ms[name] == pytest.approx(COSTS[name], rel=0.05)
    assert model.held_out["mape_percent"] < 2 and model.held_out["n"] >= 50
    exact = fit_row_model(*made(60, 0.0))
    features, latency_ms, _ = made(60, 0.0)
    assert exact.predict_ms(features["r7"], KINDS) == pytest.approx(latency_ms["r7"], rel=1e-6)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("pointwise_macs", 1e8, "Expected pointwise_macs from"),
        ("weight_bytes", 1.0, "Expected weight_bytes from"),
        ("dense_macs", 10.0, "Expected dense_macs from 0 to 0"),
        ("nodes", 40.0, "Received: 40."),
    ],
)
def test_a_row_outside_the_range_is_refused(name: str, value: float, text: str) -> None:
    features, latency_ms, operators = made(40, 0.0)
    model = fit_row_model(features, latency_ms, operators)
    with pytest.raises(OutOfRangeError) as info:
        model.predict_ms({**features["r3"], name: value}, KINDS)
    assert text in str(info.value) and "Fix: measure this row" in str(info.value)


def test_an_intensity_that_was_never_measured_is_refused() -> None:
    features, latency_ms, operators = made(40, 0.0)
    model = fit_row_model(features, latency_ms, operators)
    low, high = model.low, model.high
    extreme = {**dict.fromkeys(FEATURES, 0.0), "nodes": 3.0}
    extreme |= {n: high[n] for n in ("pointwise_macs", "depthwise_macs")}
    extreme |= {n: low[n] for n in ("weight_bytes", "activation_bytes")}
    with pytest.raises(OutOfRangeError, match="Expected MACs per byte from"):
        model.predict_ms(extreme, KINDS)


@pytest.mark.parametrize("operators", [("Softmax axis=[1] of 4",), (*KINDS, "Conv group=4")])
def test_an_operator_that_no_row_has_is_refused_by_name(operators: tuple[str, ...]) -> None:
    features, latency_ms, known = made(40, 0.0)
    model = fit_row_model(features, latency_ms, known)
    assert model.operators == KINDS
    with pytest.raises(UnknownOperatorError) as info:
        model.predict_ms(features["r3"], operators)
    assert f"Received: `{operators[-1]}`." in str(info.value)
    assert "Fix: measure this row" in str(info.value)


def test_an_operator_of_one_group_alone_counts_as_refused_when_that_is_held_out() -> None:
    features, latency_ms, operators = made(40, 0.0)
    operators["r5"] = (*KINDS, "Add")
    model = fit_row_model(features, latency_ms, operators)
    plain = fit_row_model(*made(40, 0.0))
    assert model.held_out["refused"] == plain.held_out["refused"] + 1
    assert model.operators == ("Add", *KINDS)


def test_whole_groups_are_held_out() -> None:
    features, latency_ms, operators = made(40, 0.0)
    # One group is twice as slow for a reason that no feature shows: its rows must look wrong.
    odd = [f"r{i}" for i in range(10)]
    latency_ms |= {key: 2 * latency_ms[key] for key in odd}
    groups = {key: str(key in odd) for key in features}
    together = fit_row_model(features, latency_ms, operators, groups=groups)
    alone = fit_row_model(features, latency_ms, operators)
    assert together.held_out["mape_percent"] > alone.held_out["mape_percent"]


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(RowModelError, match=f"Expected {MIN_ROWS} or more rows"):
        fit_row_model(*made(MIN_ROWS - 1, 0.0))


def test_a_model_survives_its_json_and_a_broken_one_is_refused() -> None:
    model = fit_row_model(*made(20, 0.01))
    plain = json.loads(json.dumps(strict_json.encode(model)))
    assert strict_json.decode(RowModel, plain, "a model") == model
    with pytest.raises(FileFormatError, match="Expected the key 'low' in a model"):
        strict_json.decode(RowModel, {k: v for k, v in plain.items() if k != "low"}, "a model")
    plain["costs_ms"]["nodes"] = -1.0
    with pytest.raises(FileFormatError, match="Expected finite costs of at least 0"):
        strict_json.decode(RowModel, plain, "a model")
