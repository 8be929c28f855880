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

ROOT = Path(__file__).resolve().parents[2]


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


@pytest.mark.parametrize("name", ["tensorflow", "jax", "torch"])
@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_mixed_precision_trains_nearly_the_same(name: str, precision: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    plain, mixed = _trained(name, "none"), _trained(name, precision)
    assert mixed["scores_dtype"] == "float32"
    # Eight (bfloat16) or eleven bits of mantissa, a dozen steps.
    for one, other in zip(plain["loss"], mixed["loss"], strict=True):
        assert abs(one - other) <= 0.05
    assert plain["loss"] != mixed["loss"]


def test_two_devices_train_like_one() -> None:
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed")
    # Two devices made of one processor; without the flag they may wait for each other for ever.
    flags = {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "JAX_CPU_ENABLE_ASYNC_DISPATCH": "false",
    }
    one, two = _trained("jax", "none"), _trained("jax", "none", "parallel", **flags)
    assert (one["devices"], two["devices"]) == (1, 2)
    # The same sums in another order.
    for first, second in zip(one["loss"], two["loss"], strict=True):
        assert first == pytest.approx(second, rel=1e-3)


def _trained(name: str, *arguments: str, **variables: str) -> dict:
    environment = {**os.environ, "KERAS_BACKEND": name, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "backend_training.py"), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
