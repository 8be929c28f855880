"""Training of one network: initial weights, lost weights, and what a resumed training gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from nas.architecture import text as arch_text
from nas.builders.keras_model import build_model, weights_by_name
from nas.data import Dataset, Split
from nas.data.augment import Augmentation
from nas.data.loader import one_hot
from nas.errors import InputError
from nas.training import loop, trainer
from nas.training.lost import check_loss
from nas.training.recipe import Pace, Recipe
from nas.training.steps import WeightSteps, ema_momentum
from tests.support.backend_augmentation import STRONG as STRONG_CHANGES

RESIDUAL = arch_text.loads("in_s8 cn_r1_k3_s2_c8 ir_r2_k3_s1_e3_c8 gap drop_p0.1 fc_c4")

NETWORK = arch_text.loads("in_s8 cn_r1_k3_s2_c8 ir_r1_k3_s1_e3_c8 gap fc_c4")
RECIPE = Recipe(1.0, 16, augmentation=Augmentation(0, flip=False))


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    labels = (np.arange(64) % 4).astype(np.int32)
    images = (rng.integers(0, 128, (64, 8, 8, 3)) + labels[:, None, None, None] * 32).astype(
        np.uint8
    )
    split = Split(images, labels)
    return Dataset("toy", split, split, tuple("abcd"), 8, "0", False)


def test_a_training_starts_from_the_weights_it_is_given(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    keras.utils.set_random_seed(5)
    given = weights_by_name(build_model(NETWORK), NETWORK)
    found: list[dict[str, np.ndarray]] = []

    class SeenError(Exception):
        pass

    def watched(*arguments: object, **named: object) -> loop.LoopState:
        model = arguments[0].model  # type: ignore[attr-defined]
        found.append(weights_by_name(model, NETWORK))
        raise SeenError  # what follows is training

    monkeypatch.setattr(loop, "run", watched)
    for weights in (given, None):
        with pytest.raises(SeenError):
            trainer.train_network(NETWORK, dataset, RECIPE, loop.Control(), initial_weights=weights)
    assert all(np.array_equal(found[0][name], value) for name, value in given.items())
    assert not all(np.array_equal(found[1][name], value) for name, value in given.items())


def test_initial_weights_of_another_network_are_refused(dataset: Dataset) -> None:
    other = arch_text.loads("in_s8 cn_r1_k3_s2_c16 gap fc_c4")
    given = weights_by_name(build_model(other), other)
    with pytest.raises(InputError, match="weight `"):
        trainer.train_network(NETWORK, dataset, RECIPE, loop.Control(), initial_weights=given)


def test_a_lost_training_names_the_rate_that_was_found_and_those_allowed(dataset: Dataset) -> None:
    recipe = replace(RECIPE, learning_rate=1e30, optimizer="sgd")
    with pytest.raises(InputError) as lost:
        trainer.train_network(NETWORK, dataset, recipe, loop.Control())
    assert lost.value.expected == "a finite loss"
    assert "--learning_rate 1e+30" in lost.value.received
    assert "--learning_rate above 0 and below 1e+30" in lost.value.fix


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_no_loss_that_is_not_finite_passes(loss: float) -> None:
    with pytest.raises(InputError, match="at step 7"):
        check_loss(loss, 7, 0.006)
    check_loss(0.0, 7, 0.006)


@pytest.fixture
def policy(request: pytest.FixtureRequest) -> Iterator[str]:
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    "policy",
    [
        "float32",
        pytest.param("mixed_float16", marks=pytest.mark.slow),
        pytest.param("mixed_bfloat16", marks=pytest.mark.slow),
    ],
    indirect=True,
)
def test_a_training_that_was_stopped_ends_like_one_that_was_not(
    policy: str, dataset: Dataset, tmp_path: Path
) -> None:
    control = loop.Control(tmp_path / "state.npz", Pace(1, 0.0))
    recipe = replace(RECIPE, epochs=2.0)
    whole = trainer.train_network(NETWORK, dataset, recipe, loop.Control(pace=Pace(1)))

    class StoppedError(Exception):
        pass

    def stop(state: loop.LoopState, total: int) -> None:
        if state.step == 4:
            raise StoppedError

    with pytest.raises(StoppedError):
        trainer.train_network(NETWORK, dataset, recipe, replace(control, on_progress=stop))
    again = trainer.train_network(NETWORK, dataset, recipe, control)
    assert again.evaluation == whole.evaluation
    assert [row["loss"] for row in again.history] == [row["loss"] for row in whole.history]


@pytest.mark.parametrize(
    "policy",
    ["float32", pytest.param("mixed_float16", marks=pytest.mark.slow)],
    indirect=True,
)
def test_the_average_of_the_weights_is_what_is_evaluated_in_every_precision(
    policy: str, dataset: Dataset
) -> None:
    recipe = replace(RECIPE, epochs=2.0, average_share=1.0)
    averaged = trainer.train_network(NETWORK, dataset, recipe, loop.Control())
    last = trainer.train_network(
        NETWORK, dataset, replace(recipe, average_share=None), loop.Control()
    )
    one, other = (weights_by_name(found.model, NETWORK) for found in (averaged, last))
    # The same steps: only what is taken of them differs.
    assert [r["loss"] for r in averaged.history] == [r["loss"] for r in last.history]
    assert not np.array_equal(one["0.conv.kernel"], other["0.conv.kernel"])


def test_the_average_is_as_long_as_its_share_of_the_steps() -> None:
    assert ema_momentum(None, 1000) is None
    assert ema_momentum(0.02, 50) is None  # one step is no average
    assert ema_momentum(0.02, 1000) == 0.95


def test_one_hot_targets_are_float32() -> None:
    found = one_hot(np.array([2, 0]), 3)
    assert found.dtype == np.float32 and found.tolist() == [[0, 0, 1], [1, 0, 0]]


def soft_loss(targets: np.ndarray, logits: np.ndarray, smoothing: float) -> float:
    """The mean cross-entropy of smoothed targets, written out."""
    smoothed = targets * (1 - smoothing) + smoothing / targets.shape[1]
    log_sum = np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return float(-(smoothed * (logits - log_sum)).sum(axis=1).mean())


def test_targets_of_mixed_images_are_smoothed_and_judged_by_their_greatest_part() -> None:
    keras.utils.set_random_seed(0)
    model = build_model(NETWORK)
    steps = WeightSteps(model, replace(RECIPE, label_smoothing=0.2), 10, 4)
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (6, 8, 8, 3)).astype(np.float32)
    targets = np.array(
        [[0.7, 0.3, 0, 0], [0, 0.4, 0.6, 0], [1, 0, 0, 0], [0, 0, 0.2, 0.8]] + [[0, 1, 0, 0]] * 2,
        np.float32,
    )
    logits = keras.ops.convert_to_numpy(model(images, training=True)).astype(float)
    steps.train(0, images, targets)
    logs = steps.take_logs()
    # Float32 sums over six images.
    assert logs["loss"] == pytest.approx(soft_loss(targets, logits, 0.2), rel=1e-5)
    assert logs["accuracy"] == pytest.approx((logits.argmax(1) == targets.argmax(1)).mean())


# Everything that draws at random or changes with the steps.
STRONG = replace(
    RECIPE,
    epochs=3.0,
    dropout=0.2,
    stochastic_depth=0.3,
    image_sizes=(5, 6, 8),
    augmentation=STRONG_CHANGES,
)


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [3, 4, 9])
def test_a_strong_recipe_that_was_stopped_ends_like_one_that_was_not(
    stop_at: int, dataset: Dataset, tmp_path: Path, strong_end: trainer.TrainResult
) -> None:
    control = loop.Control(tmp_path / "state.npz", Pace(1, 0.0))

    class StoppedError(Exception):
        pass

    def stop(state: loop.LoopState, total: int) -> None:
        if state.step == stop_at:
            raise StoppedError

    with pytest.raises(StoppedError):
        trainer.train_network(RESIDUAL, dataset, STRONG, replace(control, on_progress=stop))
    again = trainer.train_network(RESIDUAL, dataset, STRONG, control)
    assert again.evaluation == strong_end.evaluation
    losses = [[row["loss"] for row in found.history] for found in (again, strong_end)]
    assert losses[0] == losses[1]


@pytest.mark.slow
def test_mixed_images_have_no_accuracy(strong_end: trainer.TrainResult) -> None:
    assert strong_end.running_accuracy is None
    for row in strong_end.history:
        assert row["accuracy"] is None and 0 <= row["dominant_accuracy"] <= 1
        assert 0 <= row["input_wait_share"] <= 1


@pytest.fixture(scope="module")
def strong_end(dataset: Dataset) -> trainer.TrainResult:
    return trainer.train_network(RESIDUAL, dataset, STRONG, loop.Control(pace=Pace(1)))
