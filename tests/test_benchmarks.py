"""Benchmarks run and print what their README promises; no time is judged."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "benchmarks" / "supernet_step.py"


def run_benchmark(*flags: str) -> dict[str, Any]:
    command = [sys.executable, str(SCRIPT), "--space", "sample", "--smoke", "--json", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def is_positive(value: float) -> bool:
    return math.isfinite(value) and value > 0


def test_supernet_step_prints_its_keys() -> None:
    result = run_benchmark("--no_twin")
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
    assert result["plain_macs"] == 11_640_320  # golden: the largest network of `sample`
    assert (result["space"], result["image_size"]) == ("sample", 64)
    assert (result["batch_size"], result["rounds"]) == (4, 1)
    environment = result["environment"]
    assert {"cpu_model", "cores", "python", "keras", "tensorflow"} <= environment.keys()
    assert environment["torch"] is None
    readme = (ROOT / "benchmarks" / "README.md").read_text()
    assert [key for key in result if f"`{key}`" not in readme] == []


def test_operation_times_of_one_framework() -> None:
    script = str(ROOT / "benchmarks" / "operation_times.py")
    sizes = ["--framework", "tensorflow", "--batch_size", "2", "--rounds", "1"]
    command = [sys.executable, script, *sizes]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert {"widening 1x1", "depthwise 7x7", "batch norm"} <= found.keys()
    assert all(is_positive(value) for value in found.values())


def test_memory_is_that_of_training() -> None:
    result = run_benchmark("--memory")
    assert is_positive(result["built_rss_anon_gb"])
    assert result["peak_rss_anon_gb"] > result["built_rss_anon_gb"]  # training needs activations
    assert result["memory_samples"] > 1


def test_rounds_below_one_are_refused() -> None:
    command = [sys.executable, str(SCRIPT), "--rounds", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 2
    assert "Expected --rounds above 0. Received: 0. Fix: raise it." in done.stderr


def test_latency_audit_collects_tables_and_checks(tmp_path: Path) -> None:
    script = ROOT / "benchmarks" / "latency_audit.py"
    flags = ["--runs", "1", "--checks", "1", "--uniform", "4", "--smoke", "--json"]
    command = [sys.executable, str(script), "--folder", str(tmp_path), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [a["precision"] for a in found["audits"]] == ["fp32", "int8"]
    for audit in (*(a["audit"] for a in found["audits"]), *found["uniform"]):
        assert audit["n"] == 4 and is_positive(audit["spread"])
        assert 0 <= audit["within_5_percent"] <= 1 and is_positive(audit["mape_percent"])
    names = [check["table"] for check in found["checks"]]
    assert names == ["good", "scaled by 1.15", "measured at extended"]
    assert all(is_positive(check["drift"]) for check in found["checks"])
    assert json.loads((tmp_path / "latency_audit.json").read_text()) == found


def test_sample_design_trains_each_network_with_each_seed(tmp_path: Path) -> None:
    script = ROOT / "benchmarks" / "sample_design.py"
    flags = ["--smoke", "--seeds", "1,2", "--random", "1", "--json", str(tmp_path / "d.json")]
    command = [sys.executable, str(script), *flags]
    environment = {**os.environ, "STOPWATCH_CACHE": str(tmp_path)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, cwd=ROOT, env=environment
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "d.json").read_text())["networks"]
    assert [row["name"] for row in rows] == ["smallest", "random 1", "largest"]
    assert all(len(row["top1"]) == 2 and row["sd"] is not None for row in rows)
    assert rows[0]["latency_ms"] < rows[2]["latency_ms"]
