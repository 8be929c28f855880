"""The same search code on TensorFlow, JAX and PyTorch."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import pytest

from nas.system.hosts import free_port
from tests.support import backend_quantized, backend_search, backend_training
from tests.support.programs import ROOT, environment_of, forget_keras

TRAINED: dict[tuple[str, ...], dict[str, Any]] = {}


def in_backend(name: str, script: str, *arguments: str, **variables: str) -> dict[str, Any]:
    """What a script of tests/support prints, in a process of its own with another backend."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "support" / script), *arguments],
        env=environment_of(None, KERAS_BACKEND=name, **variables),
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def trained(name: str, *arguments: str) -> dict[str, Any]:
    """A short training; each is done once, since two tests compare with the plain one."""
    key = (name, *arguments)
    if key not in TRAINED:
        if name == keras.backend.backend():
            try:
                TRAINED[key] = backend_training.train(arguments[0], False)
            finally:
                forget_keras()
        else:
            TRAINED[key] = in_backend(name, "backend_training.py", *arguments)
    return TRAINED[key]


@pytest.mark.parametrize("execution", [pytest.param("masked", marks=pytest.mark.slow), "sampled"])
@pytest.mark.parametrize(
    # With TensorFlow every search of the suite does so.
    "name",
    [pytest.param("tensorflow", marks=pytest.mark.slow), "jax", "torch"],
)
def test_search_and_derive(name: str, execution: str) -> None:
    if name == keras.backend.backend():
        found = backend_search.search(execution)
    else:
        found = in_backend(name, "backend_search.py", execution)
    assert found["backend"] == name
    assert all(math.isfinite(loss) for loss in found["loss"])
    assert any(value is not None for value in found["gate_cross_entropy"])
    # Weights, statistics and logits all learn.
    for part in ("depthwise_kernel", "gamma", "mean", "kernel_logits", "skip_logits"):
        assert any(part in path for path in found["moved"]), part
    assert 0.78 <= found["predicted_ms"] <= 0.82
    assert 0 <= found["score"] <= 1


@pytest.mark.parametrize("name", ["tensorflow", "jax", "torch"])
@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_mixed_precision_trains_nearly_the_same(name: str, precision: str) -> None:
    plain, mixed = trained(name, "none"), trained(name, precision)
    assert mixed["scores_dtype"] == "float32"
    # Eight (bfloat16) or eleven bits of mantissa, a dozen steps.
    for one, other in zip(plain["loss"], mixed["loss"], strict=True):
        assert abs(one - other) <= 0.05
    assert plain["loss"] != mixed["loss"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sizes"),
    [("jax", "growing_size"), ("jax", "one_size"), ("torch", "growing_size")],
)
def test_every_augmentation_resumes_exactly(name: str, sizes: str) -> None:
    """On TensorFlow tests/training/test_trainer.py asks for the same."""
    found = in_backend(name, "backend_augmentation.py", sizes)
    assert found["resumed"] == found["whole"] and len(found["whole"]) == 6


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jax", "torch"])
def test_numbers_of_few_bits_agree(name: str) -> None:
    """On TensorFlow tests/builders/test_integer_network.py asks for the very same scores."""
    try:
        here = backend_quantized.compare()
    finally:
        forget_keras()
    there = in_backend(name, "backend_quantized.py")
    assert here["differences"] == [0.0, 0.0, 0.0]
    # JAX has no double precision: its last sum rounds twice. Scores are of size 1 to 10.
    most = 0.0 if name == "torch" else 1e-5
    assert max(there["differences"]) <= most
    for one, other in zip(here["moves"], there["moves"], strict=True):
        assert one.keys() == other.keys()
        # Sums in another order move numbers between two codes to the other one now and then, which
        # counts in a batch of four images: one gradient of 53 differed by 9 % on PyTorch.
        together = [(one[key], other[key]) for key in one]
        assert all(there == pytest.approx(here, rel=0.25, abs=1e-4) for here, there in together)


# Two devices made of one processor, which wait for each other in every step.
TWO_DEVICES = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}


def check_trained_alike(one: dict[str, Any], two: dict[str, Any]) -> None:
    """The same sums in another order, in float32: 1e-7 of a loss was seen, over a dozen steps."""
    assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
    # Means and variances of the whole batch: those of its halves differ by some hundredths.
    for name in ("statistics", "gate_cross_entropy"):
        for first, second in zip(one.get(name, ()), two.get(name, ()), strict=True):
            # Gates have no cross-entropy before they train.
            is_none = first is None or second is None
            assert first is second if is_none else second == pytest.approx(first, 1e-3, 1e-3)


def test_two_devices_train_like_one() -> None:
    one = in_backend("jax", "backend_training.py", "none")
    two = in_backend("jax", "backend_training.py", "none", "parallel", **TWO_DEVICES)
    assert (one["devices"], two["devices"]) == (1, 2)
    check_trained_alike(one, two)


@pytest.mark.slow
def test_two_devices_train_a_supernet_like_one() -> None:
    one = in_backend("jax", "backend_search.py", "sampled", "alone")
    two = in_backend("jax", "backend_search.py", "sampled", "parallel", **TWO_DEVICES)
    check_trained_alike(one, two)
    assert two["expected_ms"] == pytest.approx(one["expected_ms"], rel=1e-3)


@pytest.mark.slow
def test_two_processes_train_like_one() -> None:
    one = in_backend("jax", "backend_training.py", "none")
    where = f"127.0.0.1:{free_port()}"
    with ThreadPoolExecutor(2) as pool:
        found = [
            pool.submit(in_backend, "jax", "backend_training.py", "none", "parallel", where, number)
            for number in ("0", "1")
        ]
        leader, other = (done.result() for done in found)
    assert (leader["devices"], other["devices"]) == (2, 2)
    assert leader["loss"] == other["loss"]
    check_trained_alike(one, leader)
