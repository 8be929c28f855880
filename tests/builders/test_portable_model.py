"""`model.keras` holds Keras' own layers and loads where nothing of this project is known."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nas.architecture.activations import ACTIVATIONS
from nas.architecture.spec import Architecture
from nas.architecture.text import parse
from nas.architecture.weights import random_weights
from nas.builders.keras_model import (
    build_model,
    portable_model,
    set_weights_by_name,
    weights_by_name,
)
from nas.errors import InputError
from nas.search_space.files import load_blocks
from tests.support.programs import ROOT, blocks_forgotten

HEAD = "gap drop_p0.2 fc_c4"
NETWORKS = {
    "convolutions": f"in_s16 cn_k3_s2_c8 cn_k1_s1_c12 cn_k1_s2_c8 cn_k5_s1_c8_nobn_bias {HEAD}",
    "separable": f"in_s16 cn_k3_s2_c8 sp_k5_s2_c16 sp_k3_s1_c8 {HEAD}",
    "inverted residuals": f"in_s21 cn_k3_s2_c8 ir_k5_s2_e3_c16 ir_k3_s1_e6_c16 {HEAD}",
    "squeeze and excite": f"in_s16 cn_k3_s2_c8 ir_k3_s1_e3_c8_se0.25 ir_k3_s2_e3_c8_se0.5 {HEAD}",
    "written widths": (
        f"in_s16 cn_k3_s2_c8 wb_k3_s1_x20_q3_c8_nsw_qnsw_sigmoid wb_k5_s2_q4_c16 {HEAD}"
    ),
    "flat": "in_s12 cn_k3_s2_c8 mp_k2 flat fc_c8_bn_nobias fc_c4",
    "a residual": f"in_s16 cn_k3_s2_c8 skip res[cn_k3_s1_c8 cn_k1_s1_c8] {HEAD}",
}
# Of the block families; the others are functions of one value behind a convolution alone.
_IN_BLOCKS = ("none", "relu", "relu6", "hard_swish", "swish")
_OTHERS = [act.short for name, act in ACTIVATIONS.items() if name not in _IN_BLOCKS]
NETWORKS["other activations"] = f"in_s8 {' '.join(f'cn_k1_s1_c4_n{x}' for x in _OTHERS)} {HEAD}"
NETWORKS["single layers"] = (
    f"in_s9 cn_k3_s2_c8_valid dw_k3_s1 se_q3_sigmoid rb_k3_w4_p0.1 act_nre norm ap_k2 "
    f"res[cn_k3_s1_c4 | cn_k1_s1_c4] {HEAD}"
)
for _name in _IN_BLOCKS:
    _part = f"n{ACTIVATIONS[_name].short}"
    NETWORKS[f"activation {_name}"] = (
        f"in_s16 cn_k3_s2_c8_{_part} ir_k3_s1_e3_c8_{_part} gap fc_c8_{_part} fc_c4"
    )
# Loads every file of a folder with Keras alone, and writes what it says of the images beside it.
LOAD = """
import sys
sys.path[:] = [path for path in sys.path if path not in sys.argv[2:]]
from pathlib import Path
import keras, numpy as np
folder = Path(sys.argv[1])
images = np.load(folder / "images.npy")
for path in sorted(folder.glob("*.keras")):
    size = int(path.stem.rpartition("-")[2])
    found = keras.models.load_model(path)(images[:, :size, :size], training=False)
    np.save(path.with_suffix(".npy"), keras.ops.convert_to_numpy(found))
own = [name for name in sys.modules if name.split(".")[0] in ("nas", "latency")]
assert not own, own
"""


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def own_blocks() -> Iterator[None]:
    """A block of a user's own is primitive operations, and so it is portable."""
    with blocks_forgotten():
        load_blocks([str(ROOT / "examples" / "wide_block.py")])
        yield


def own_network() -> Architecture:
    return parse(f"in_s16 cn_k3_s2_c8 wide_w16_s1_c8 {HEAD}")


def networks() -> dict[str, Architecture]:
    return {name: parse(text) for name, text in NETWORKS.items()} | {"own block": own_network()}


def scores(model: keras.Model, images: np.ndarray, size: int) -> np.ndarray:
    found: np.ndarray = keras.ops.convert_to_numpy(model(images[:, :size, :size], training=False))
    return found


def trained(network: Architecture) -> keras.Model:
    model = build_model(network)
    set_weights_by_name(model, network, random_weights(network))
    return model


def modules_of(value: Any) -> Iterator[str]:
    """Where the classes of a saved model come from."""
    if isinstance(value, dict):
        if isinstance(value.get("module"), str):
            yield value["module"]
        for part in value.values():
            yield from modules_of(part)
    elif isinstance(value, list):
        for part in value:
            yield from modules_of(part)


@pytest.mark.parametrize("name", [*NETWORKS, "own block"])
def test_a_file_names_no_class_that_keras_has_not(
    name: str, images: np.ndarray, tmp_path: Path
) -> None:
    network = networks()[name]
    model = trained(network)
    weights = weights_by_name(model, network)
    portable = portable_model(network, weights)
    portable.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        config = json.loads(archive.read("config.json"))
    assert {module.split(".")[0] for module in modules_of(config)} == {"keras"}
    assert "stopwatch" not in json.dumps(config)
    found = weights_by_name(portable, network)
    assert all(np.array_equal(found[key], value) for key, value in weights.items())
    own, other = (scores(one, images, network.image_size) for one in (model, portable))
    # The same sums in float32 by other kernels: a few 1e-6 of the largest score.
    assert np.abs(own - other).max() <= 1e-5 * max(1.0, np.abs(own).max())


@pytest.mark.slow
def test_files_load_with_keras_alone_in_a_process_that_cannot_find_us(
    images: np.ndarray, tmp_path: Path
) -> None:
    np.save(tmp_path / "images.npy", images)
    expected = {}
    for number, network in enumerate(networks().values()):
        name = f"{number}-{network.image_size}"
        model = trained(network)
        expected[name] = scores(model, images, network.image_size)
        portable_model(network, weights_by_name(model, network)).save(tmp_path / f"{name}.keras")
    command = [sys.executable, "-I", "-c", LOAD, str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    for name, own in expected.items():
        found = np.load(tmp_path / f"{name}.npy")
        assert np.abs(own - found).max() <= 1e-5 * max(1.0, np.abs(own).max())


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_what_is_exported_is_float32_whatever_was_trained_with(policy: str) -> None:
    network = networks()["squeeze and excite"]
    keras.config.set_dtype_policy(policy)
    try:
        portable = portable_model(network, random_weights(network))
        assert keras.config.dtype_policy().name == policy
    finally:
        keras.config.set_dtype_policy("float32")
    assert {layer.dtype_policy.name for layer in portable.layers} == {"float32"}


def test_a_weight_that_is_missing_is_named() -> None:
    network = networks()["squeeze and excite"]
    weights = random_weights(network)
    del weights["1.se.reduce.kernel"]
    with pytest.raises(InputError, match=r"weight `1\.se\.reduce\.kernel`"):
        portable_model(network, weights)
