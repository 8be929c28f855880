"""Steps that are made on the device as a whole: what they compute, keep and refuse.

JAX itself is not needed: TensorFlow computes what a step asks of it; see `jax_stand_in`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nas.architecture import text as arch_text
from nas.builders.keras_model import build_model
from nas.data import Split
from nas.data.augment import Augmentation
from nas.data.augmentation.mixing import Mixing
from nas.data.loader import BatchLoader
from nas.training import loop
from nas.training.device_images import SHARE_OF_MEMORY, device_memory_bytes
from nas.training.device_steps import DeviceSteps, device_steps
from nas.training.evaluation import Accuracy
from nas.training.judge import Judge
from nas.training.lost import LostWeightsError
from nas.training.recipe import Pace, Recipe
from nas.training.steps import WeightSteps
from nas.training.trainer import Trainer
from tests.support import jax_stand_in

CLASSES, STEPS, BATCH = 4, 3, 8
NETWORK = arch_text.loads(f"in_s8 cn_r1_k3_s2_c4 gap drop_p0.2 fc_c{CLASSES}")
MIXED = replace(Augmentation(crop_padding_pixels=2), mixing=Mixing(mixup_alpha=0.4))
# One recipe that has a bit of everything that a step looks at.
RECIPE = replace(
    Recipe(2.0, BATCH, "adamw", weight_decay=0.01, average_share=0.9, augmentation=MIXED),
    l2=0.01,
    clip_norm=1.0,
).resolved()


@pytest.fixture(autouse=True)
def on_device(monkeypatch: pytest.MonkeyPatch) -> None:
    jax_stand_in.install(monkeypatch)


def split() -> Split:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (16, 8, 8, 3), np.uint8)
    return Split(images, (np.arange(16) % CLASSES).astype(np.int32))


def new_model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model(NETWORK)


def made(recipe: Recipe = RECIPE) -> DeviceSteps | None:
    return device_steps(new_model(), recipe, STEPS, CLASSES, split().images)


def steps_of(recipe: Recipe = RECIPE) -> DeviceSteps:
    found = made(recipe)
    assert found is not None
    return found


def loader_of(recipe: Recipe = RECIPE, **more: Any) -> BatchLoader:
    asked: dict[str, Any] = {"augment": recipe.augmentation, "num_classes": CLASSES, **more}
    return BatchLoader(split(), batch_size=BATCH, seed=3, **asked)


def values(steps: WeightSteps) -> list[np.ndarray]:
    """All variables of a model and of its optimizer."""
    return [np.array(v) for v in (*steps.model.variables, *steps.model.optimizer.variables)]


def are_equal(found: list[np.ndarray], expected: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("is_growing", [pytest.param(False, marks=pytest.mark.slow), True])
def test_steps_on_the_device_are_those_of_the_host(is_growing: bool) -> None:
    recipe = replace(RECIPE, growing_average=is_growing)
    host, device = WeightSteps(new_model(), recipe, STEPS, CLASSES), steps_of(recipe)
    loader = loader_of()
    # The same operations, one after another: tracing them takes longer than all steps.
    host.model.run_eagerly = True
    before = values(device)
    assert are_equal(before, values(host)) and device.take_logs() == {}
    for step in range(STEPS):
        host.train(step, *loader.batch(step))
        device.train_plan(step, loader.plan(step, is_resident=True))
        assert device.rate == host.rate > 0
        if step != 1:  # a row of one step, and one of two
            # Means of losses in float32, by other orders of sums.
            assert device.take_logs() == pytest.approx(host.take_logs(), rel=1e-4)
            assert device.take_logs() == {}
    assert are_equal(values(device), before), "nothing reaches the model before it is asked for"
    device.settle()
    for found, expected, first in zip(values(device), values(host), before, strict=True):
        # Sums of float32 in another order; Adam divides by roots of squares of small gradients.
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
        assert not np.allclose(found, first), "a variable that no step changed"


def test_steps_begin_from_the_model_when_they_forget_and_look_at_the_same_images_anywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    device, loader = steps_of(), loader_of()
    before = values(device)
    device.settle()
    assert are_equal(values(device), before), "no step was made"
    device.train_plan(0, loader.plan(0, is_resident=True))
    device.settle()
    once = values(device)
    variables = (*device.model.variables, *device.model.optimizer.variables)
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
    device.forget()
    # The same step by images that come with it.
    device.train_plan(0, loader.plan(0, is_resident=False))
    device.settle()
    assert are_equal(values(device), once) and not are_equal(once, before)


def test_a_loss_that_is_no_number_names_the_step_and_the_rate() -> None:
    device = steps_of()
    kernel = device.model.trainable_variables[0]
    kernel.assign(np.full(kernel.shape, np.nan, np.float32))
    device.train_plan(2, loader_of().plan(2, is_resident=True))
    with pytest.raises(LostWeightsError) as caught:
        device.take_logs()
    assert "nan at step 2" in caught.value.received
    assert "--learning_rate above 0" in caught.value.fix


def trained(path: Path, *stops: int | None) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
    """A training that is left at steps and goes on in what a new process would make."""
    for stop in stops:
        recipe = RECIPE.changed(epochs=1.0)
        trainer = Trainer(NETWORK, split(), (np.arange(16), None), recipe, 0, None)
        assert trainer.device_steps is not None and trainer.total_steps == 2
        state = loop.restore(path, trainer.variables())
        control = loop.Control(path, Pace(log_every=1), stop_step=stop)
        loop.run(trainer, state, trainer.total_steps, control)
    timed = ("examples_per_s", "input_wait_share")
    rows = [{k: v for k, v in row.items() if k not in timed} for row in state.history]
    return rows, values(trainer.steps)


def test_a_training_on_the_device_that_is_left_goes_on_alike(tmp_path: Path) -> None:
    rows, whole = trained(tmp_path / "whole.npz", None)
    others, parts = trained(tmp_path / "parts.npz", 1, None)
    assert [row["step"] for row in rows] == [1, 2] and rows == others
    assert are_equal(whole, parts)


def test_the_model_gets_the_weights_for_evaluations_and_checkpoints_and_for_no_other_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = RECIPE.changed(epochs=2.0, evaluate_every=1.0)
    trainer = Trainer(NETWORK, split(), (np.arange(16), np.arange(4)), recipe, 0, None)
    steps, settled, seen = trainer.device_steps, [], []
    assert steps is not None and trainer.total_steps == 4
    settle = steps.settle

    def settling() -> None:
        settled.append(state.step)
        settle()

    def accuracy(_judge: Judge, kind: str, *_images: object) -> Accuracy:
        seen.append((kind, values(trainer.steps)))
        return Accuracy(0.5, 0.5, 1.0, 4)

    monkeypatch.setattr(steps, "settle", settling)
    monkeypatch.setattr(Judge, "accuracy", accuracy)
    state = loop.LoopState()
    control = loop.Control(tmp_path / "whole.npz", Pace(log_every=1))
    loop.run(trainer, state, 4, control)
    assert len(state.history) == 4
    # Two evaluations, and the checkpoint at the end.
    assert settled == [2, 4, 4]
    assert [kind for kind, _ in seen] == ["last", "average"] * 2
    # What was looked at half way is what a training has that is left there.
    left = Trainer(NETWORK, split(), (np.arange(16), None), recipe, 0, None)
    loop.run(left, loop.LoopState(), 4, loop.Control(pace=Pace(log_every=1), stop_step=2))
    assert are_equal(seen[0][1], values(left.steps))
    assert not are_equal(seen[0][1], seen[2][1])


@pytest.mark.parametrize(
    ("memory", "found"), [(None, None), ({}, None), ({"bytes_limit": 1 << 30}, 1 << 30)]
)
def test_memory_is_that_of_the_device(
    memory: dict[str, int] | None, found: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    jax_stand_in.install(monkeypatch, memory)
    assert device_memory_bytes() == found


def test_images_without_room_and_those_that_pillow_changes_come_with_their_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rotated = replace(RECIPE, augmentation=replace(MIXED, rotation_degrees=10.0))
    assert steps_of().is_resident and not steps_of(rotated).is_resident
    needed = int(split().images.size / SHARE_OF_MEMORY)
    jax_stand_in.install(monkeypatch, {"bytes_limit": needed - 3})
    assert not steps_of().is_resident


def test_who_looks_at_the_clock_waits_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    device, loader = steps_of(), loader_of()
    waited: list[Any] = []
    monkeypatch.setattr("jax.block_until_ready", waited.append)
    device.train_plan(0, loader.plan(0, is_resident=True))
    assert waited == []
    device.wait()
    (state,) = waited
    assert state[3]["loss"] > 0, "the sums of this step are waited for"


def test_images_of_a_step_have_the_size_of_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(RECIPE, image_sizes=(4, 8))
    keras.utils.set_random_seed(0)
    model = build_model(NETWORK, any_size=True)
    device = device_steps(model, recipe, STEPS, CLASSES, split().images)
    assert device is not None
    seen = []
    call = model.stateless_call

    def watched(trainable: Any, others: Any, pixels: Any, **asked: Any) -> Any:
        seen.append(tuple(pixels.shape))
        return call(trainable, others, pixels, **asked)

    monkeypatch.setattr(model, "stateless_call", watched)
    loader = loader_of(recipe, size_at=lambda step: (4, 4, 8)[step])
    for step in range(STEPS):
        device.train_plan(step, loader.plan(step, is_resident=True))
    assert seen == [(BATCH, side, side, 3) for side in (4, 4, 8)]
    assert np.isfinite(device.take_logs()["loss"])


def test_other_recipes_and_backends_train_by_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert made() is None
    finally:
        keras.config.set_dtype_policy("float32")
    monkeypatch.setattr("nas.training.device_steps.has_device_steps", lambda: False)
    assert made() is None
