"""Benchmarks run and print what their README promises; no time is judged."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from benchmarks import sample_design
from nas.cost.counts import architecture_cost
from tests.support.programs import ROOT, Done, call, run_program
from tests.support.toy_stages import timing

SCRIPT = "benchmarks/supernet_step.py"
SIZES = ("--space", "toy", "--image_size", "32", "--smoke", "--json")


def figures_of(done: Done) -> dict[str, Any]:
    assert done.exit_code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def is_positive(value: float) -> bool:
    return math.isfinite(value) and value > 0


@pytest.mark.slow
def test_quantized_step_prints_its_keys() -> None:
    script = "benchmarks/quantized_step.py"
    names = "trigger_f8,trigger_f8_norm"
    result = figures_of(run_program(script, "--smoke", "--json", "--networks", names))
    assert list(result["networks"]) == names.split(",")
    for row in result["networks"].values():
        low, high = row["quartiles"]
        assert is_positive(low) and low <= row["quantized_over_float"] <= high
        assert is_positive(row["quantized_ms"]) and is_positive(row["float_ms"])
    assert (result["batch_size"], result["rounds"]) == (4, 1)


@pytest.mark.slow
def test_supernet_step_prints_its_keys() -> None:
    result = figures_of(run_program(SCRIPT, *SIZES, "--no_twin"))
    positive = {
        "masked_over_plain",
        "sampled_over_plain",
        "sampled_over_plain_mean",
        "gate_over_plain",
        "plain_examples_per_s",
        "matmul_gflops",
        "matmul_share",
    }
    for key in positive:
        assert is_positive(result[key]), key
    for key in ("masked_over_plain", "sampled_over_plain"):
        low, high = result[f"{key}_quartiles"]
        assert is_positive(low) and low <= result[key] <= high
    absent = {"twin_examples_per_s", "plain_over_twin"}
    assert {key for key, value in result.items() if value is None} == absent
    # By hand, the largest network of `toy`: stem and first block 55,296 + 18,432 + 16,384; blocks
    # of expansion 6 and kernel 5 224,256 + 350,208; head and classes 16,384 + 160.
    assert result["plain_macs"] == 681_120
    assert (result["space"], result["image_size"]) == ("toy", 32)
    assert (result["batch_size"], result["rounds"]) == (4, 1)
    environment = result["environment"]
    assert {"cpu_model", "cores", "python", "keras", "tensorflow"} <= environment.keys()
    assert environment["torch"] is None
    readme = (ROOT / "benchmarks" / "README.md").read_text()
    assert [key for key in result if f"`{key}`" not in readme] == []


def test_operation_times_of_one_framework() -> None:
    sizes = ("--framework", "tensorflow", "--batch_size", "2", "--rounds", "1")
    done = run_program("benchmarks/operation_times.py", *sizes)
    assert done.exit_code == 0, done.err
    found = json.loads(done.out.splitlines()[-1])
    assert {"widening 1x1", "depthwise 7x7", "batch norm"} <= found.keys()
    assert all(is_positive(value) for value in found.values())


@pytest.mark.slow
def test_memory_is_that_of_training() -> None:
    # A process of its own: one that has freed memory before would not grow.
    result = figures_of(call(SCRIPT, *SIZES, "--memory"))
    assert is_positive(result["built_rss_anon_gb"])
    assert result["peak_rss_anon_gb"] > result["built_rss_anon_gb"]  # training needs activations
    assert result["memory_samples"] > 1


def test_rounds_below_one_are_refused() -> None:
    done = run_program(SCRIPT, "--rounds", "0")
    assert done.exit_code == 2
    assert "expected --rounds above 0, received 0; raise it" in done.err


@pytest.mark.slow
def test_latency_audit_collects_tables_and_checks(tmp_path: Path) -> None:
    flags = ("--runs", "1", "--checks", "1", "--uniform", "4", "--smoke", "--json")
    done = run_program("benchmarks/latency_audit.py", "--folder", str(tmp_path), *flags)
    found = figures_of(done)
    assert [a["precision"] for a in found["audits"]] == ["fp32", "int8"]
    for audit in (*(a["audit"] for a in found["audits"]), *found["uniform"]):
        assert audit["n"] == 4 and is_positive(audit["spread"])
        assert 0 <= audit["within_5_percent"] <= 1 and is_positive(audit["mape_percent"])
    names = [check["table"] for check in found["checks"]]
    assert names == ["good", "scaled by 1.15", "measured at extended"]
    assert all(is_positive(check["drift"]) for check in found["checks"])
    assert json.loads((tmp_path / "latency_audit.json").read_text()) == found


def test_sample_design_compares_the_ends_of_the_space_with_the_same_random_networks() -> None:
    found = sample_design.networks(2)
    assert list(found) == ["smallest", "random 1", "random 2", "largest"]
    assert list(found.values()) == list(sample_design.networks(2).values())
    macs = [architecture_cost(network).macs for network in found.values()]
    assert macs[0] < min(macs[1:3]) and max(macs[1:3]) < macs[3]


def test_sample_design_tells_the_spread_over_seeds_where_there_are_several() -> None:
    network = sample_design.networks(0)["smallest"]
    one, two = (
        sample_design.record("a", network, timing(2.0), top1) for top1 in ([0.5], [0.4, 0.6])
    )
    assert one["mean"] == two["mean"] == 0.5 and one["latency_ms"] == 2.0
    assert one["sd"] is None and two["sd"] == pytest.approx(0.2 / math.sqrt(2))


@pytest.mark.slow
def test_sample_design_trains_each_network_with_each_seed(tmp_path: Path) -> None:
    flags = ("--smoke", "--seeds", "1,2", "--random", "1", "--jobs", "1")
    done = run_program("benchmarks/sample_design.py", *flags, "--json", str(tmp_path / "d.json"))
    assert done.exit_code == 0, done.err
    rows = json.loads((tmp_path / "d.json").read_text())["networks"]
    assert [row["name"] for row in rows] == ["smallest", "random 1", "largest"]
    assert all(len(row["top1"]) == 2 and row["sd"] is not None for row in rows)
    assert rows[0]["latency_ms"] < rows[2]["latency_ms"]
