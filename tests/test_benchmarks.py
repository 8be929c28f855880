"""Benchmarks run and print what their README promises; no time is judged."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_supernet_step_prints_its_keys() -> None:
    script = str(ROOT / "benchmarks" / "supernet_step.py")
    command = [sys.executable, script, "--space", "sample", "--smoke", "--json", "--no_twin"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    for key in (
        "masked_over_plain",
        "gate_over_plain",
        "plain_examples_per_s",
        "matmul_gflops",
        "matmul_share",
        "rss_anon_gb",
    ):
        assert math.isfinite(result[key]) and result[key] > 0, key
    assert result["twin_examples_per_s"] is None and result["sampled_over_plain"] is None
    assert result["plain_macs"] == 7_782_912  # golden: the largest network of `sample`
