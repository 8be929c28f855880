"""The same search code on TensorFlow, JAX and PyTorch."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("execution", ["masked", "sampled"])
@pytest.mark.parametrize("name", ["tensorflow", "jax", "torch"])
def test_search_and_derive(name: str, execution: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    environment = {**os.environ, "KERAS_BACKEND": name, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "backend_search.py"), execution],
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["backend"] == name
    assert all(math.isfinite(loss) for loss in found["loss"])
    assert any(value is not None for value in found["gate_cross_entropy"])
    # Weights, statistics and logits all learn.
    for part in ("depthwise_kernel", "gamma", "mean", "kernel_logits", "skip_logits"):
        assert any(part in path for path in found["moved"]), part
    assert 0.78 <= found["predicted_ms"] <= 0.82
    assert 0 <= found["score"] <= 1
