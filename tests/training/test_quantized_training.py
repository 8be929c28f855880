"""Training of networks with number formats: first scales, resuming, and that each format learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nas.architecture import text as arch_text
from nas.architecture.scales import activation_unit, learned_scale
from nas.builders.integer_network import integer_scores
from nas.builders.keras_model import build_model, weights_by_name
from nas.builders.onnx_model import check_float
from nas.data import Dataset, Split
from nas.data.augment import Augmentation
from nas.errors import ArchitectureError
from nas.training import loop, trainer
from nas.training.first_scales import set_first_scales
from nas.training.recipe import Pace, Recipe
from nas.training.suits import check_suits

LEARNED = "in_s8 cn_r1_k3_s2_c8_nno_wqb4l_aqf8.1 cn_r1_k3_s1_c8_nno_wqb2l_aqb4l gap fc_c4_wqb8_aqb8"
RECIPE = Recipe(1.0, 16, augmentation=Augmentation(0, flip=False))


def images_of(count: int) -> Dataset:
    """Images whose quarter that is bright is their class."""
    rng = np.random.default_rng(0)
    labels = (np.arange(count) % 4).astype(np.int32)
    images = rng.integers(0, 120, (count, 8, 8, 3))
    for number, label in enumerate(labels):
        y, x = divmod(int(label), 2)
        images[number, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4] += 120
    split = Split(images.astype(np.uint8), labels)
    return Dataset("toy", split, split, tuple("abcd"), 8, "0", False)


def test_scales_begin_with_what_the_first_images_say() -> None:
    architecture, dataset = arch_text.loads(LEARNED), images_of(32)
    keras.utils.set_random_seed(0)
    model = build_model(architecture)
    before = weights_by_name(model, architecture)
    set_first_scales(model, dataset.train.images.astype(np.float32))
    after = weights_by_name(model, architecture)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {name for name in before if name.endswith(".scale")}
    # 2 mean |w| / sqrt(greatest code) of each output.
    kernel = after["1.conv.kernel"]
    layer = model.get_layer("1_conv")
    expected = 2.0 * np.abs(kernel).mean(axis=(0, 1, 2))
    found = keras.ops.convert_to_numpy(layer._kernel_scale(layer.weight_format, kernel))
    np.testing.assert_allclose(np.ravel(found), expected, rtol=1e-5)
    # What the second layer reads is normalised: its mean size is near 0.8.
    found_format = layer.activation_format
    scale = learned_scale(after["1.conv.activations.scale"], activation_unit(found_format))
    assert 0.6 < float(scale) * np.sqrt(7) / 2 < 1.0


def begun(dataset: Dataset) -> trainer.Trainer:
    """A training that has not made a step."""
    learned = np.arange(len(dataset.train.labels))
    architecture = arch_text.loads(LEARNED)
    return trainer.Trainer(architecture, dataset.train, (learned, None), RECIPE, 0, None)


def test_a_resumed_training_with_learned_scales_ends_as_one_that_was_not_stopped(
    tmp_path: Path,
) -> None:
    dataset, path, pace = images_of(64), tmp_path / "checkpoint.npz", Pace(1, 0.0)
    whole = begun(dataset)
    set_first_scales(whole.model, dataset.train.images[:16].astype(np.float32))
    state = loop.run(whole, loop.LoopState(), 4, loop.Control(path, pace, stop_step=2))
    loop.run(whole, state, 4, loop.Control(pace=pace))
    resumed = begun(dataset)
    loop.run(resumed, loop.restore(path, resumed.variables()), 4, loop.Control(pace=pace))
    one, other = (
        weights_by_name(training.model, arch_text.loads(LEARNED)) for training in (whole, resumed)
    )
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert any(name.endswith("activations.scale") for name in one)


def trained(formats: str, epochs: float = 12.0) -> tuple[float, Any, Dataset]:
    """Top-1 of a small network in formats on images that it has seen."""
    text = f"in_s8 cn_r1_k3_s2_c8_nno_{formats} cn_r1_k3_s1_c16_nno_{formats} flat fc_c4_{formats}"
    architecture, dataset = arch_text.loads(text), images_of(64)
    recipe = Recipe(epochs, 16, average_share=None, augmentation=Augmentation(0, flip=False))
    result = trainer.train_network(architecture, dataset, recipe, loop.Control())
    scores = integer_scores(
        architecture,
        weights_by_name(result.model, architecture),
        dataset.evaluation.images.astype(np.float32),
    )
    share = float((scores.argmax(axis=1) == dataset.evaluation.labels).mean())
    assert share == result.evaluation.top1
    return share, result.model, dataset


@pytest.mark.parametrize(
    "formats",
    [
        "wqb1_aqb1",
        *(
            pytest.param(slow, marks=pytest.mark.slow)
            for slow in ("wqb1l_aqb1l", "wqb2_aqb2", "wqb4_aqb4", "wqb4l_aqb4l", "wqf8.2_aqf8.3")
        ),
    ],
)
def test_a_network_learns_in_every_kind_of_format(formats: str) -> None:
    """Chance is a quarter; the classes can be told by one bit of each weight and pixel."""
    assert trained(formats)[0] > 0.6


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in_s8 cn_k3_s1_c16_wqf24.4 cn_k3_s1_c8_wqf24.4_aqf24.4 gap fc_c4", "sums of 144"),
        ("in_s8 cn_k3_s1_c8_wqb4_nqb4 gap fc_c4", "fixed-point format of batch normalisation"),
    ],
)
def test_formats_that_no_layer_computes_are_refused_before_training(
    text: str, expected: str
) -> None:
    with pytest.raises(ArchitectureError, match=expected):
        check_suits(arch_text.loads(text), RECIPE)


def test_a_graph_of_float32_never_drops_formats() -> None:
    from nas.architecture.lowering import lower_architecture

    op = lower_architecture(arch_text.loads(LEARNED))[0].ops[0]
    with pytest.raises(ArchitectureError, match="`0.conv` with weights b4l, activations f8.1"):
        check_float(op)
