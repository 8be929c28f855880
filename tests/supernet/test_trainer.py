"""A supernet is trained by itself: gates rest, nothing of them is told, a kill changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

from nas.data import Split
from nas.errors import InputError
from nas.hardware.predictor import SpaceLatency
from nas.methods.config import SearchConfig, WarmUp, supernet_recipe
from nas.methods.gradient import GradientSearch
from nas.methods.registry import METHODS
from nas.supernet.settings import SupernetSettings
from nas.supernet.trainer import SupernetTrainer
from nas.training.loop import Control, LoopState
from nas.training.recipe import Pace
from tests.layers.test_gates import CLASSES, toy_space

TIMES = ("examples_per_s", "input_wait_share")
ACCURACIES = ("accuracy", "dominant_accuracy")


def settings() -> SupernetSettings:
    warm_up = WarmUp.usual(gates_learn=False)
    return SearchConfig(weights=supernet_recipe(1.0, 8), warm_up=warm_up).supernet


def split() -> Split:
    images = np.random.default_rng(0).integers(0, 256, (80, 8, 8, 3)).astype(np.uint8)
    return Split(images, (np.arange(80) % CLASSES).astype(np.int32))


def trainer(path: Path | None = None) -> SupernetTrainer:
    # Saved at each row, so that a test may stop anywhere.
    control = Control(path, Pace(log_every=2, checkpoint_seconds=0))
    return SupernetTrainer(toy_space(8), split(), settings(), control, seed=3)


def values(found: SupernetTrainer) -> list[np.ndarray]:
    parts = found.variables().values()
    return [np.array(keras.ops.convert_to_numpy(v)) for part in parts for v in part]


def without_times(state: LoopState) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in TIMES} for row in state.history]


class Undisturbed(NamedTuple):
    """A supernet that was trained to the end; tests only read it."""

    own: SupernetTrainer
    gates_before: dict[str, np.ndarray]
    state: LoopState


@pytest.fixture(scope="module")
def undisturbed() -> Undisturbed:
    own = trainer()
    gates = {name: np.array(v) for name, v in own.network.gates.logits.items()}
    return Undisturbed(own, gates, own.train(lambda state: None))


def test_gates_rest_and_no_column_is_theirs(undisturbed: Undisturbed) -> None:
    own, gates, state = undisturbed
    assert own.warmup_steps == own.total_steps == 8
    columns = {"step", "stage", "images_seen", "loss", "cross_entropy", *ACCURACIES, *TIMES}
    assert {row["stage"] for row in state.history} == {"warmup"}
    assert all(set(row) == columns for row in state.history)
    for name, before in gates.items():
        np.testing.assert_array_equal(np.array(own.network.gates.logits[name]), before)


def test_a_kill_between_steps_changes_nothing(undisturbed: Undisturbed, tmp_path: Path) -> None:
    history = without_times(undisturbed.state)

    def killed(state: LoopState) -> None:
        if state.step == 6:  # after the checkpoint of step 4
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path / "c.npz").train(killed)
    again = trainer(tmp_path / "c.npz")
    assert without_times(again.train(lambda state: None)) == history
    for one, other in zip(values(again), values(undisturbed.own), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_warm_up_of_a_search_is_the_trainers() -> None:
    """The gate step is all that a search adds: until then both train the same weights."""
    search = gradient_search()
    settings_ = search.config.supernet
    alone = SupernetTrainer(toy_space(8), split(), settings_, search.control, seed=3)
    for one in (search, alone):
        one.train(lambda state: None, only_warm_up=True)
    count = len(values(alone))
    assert set(search.variables()) - set(alone.variables()) == {"gates_optimizer"}
    for own, other in zip(values(search)[:count], values(alone), strict=True):
        np.testing.assert_array_equal(own, other)


def test_the_weights_are_read_without_the_optimizer_of_who_trained_them(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    trained = trainer(path)
    trained.train(lambda state: None)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        reader = trainer(path)  # whose optimizer has a scale of the loss beside it
    finally:
        keras.config.set_dtype_policy("float32")
    reader.read_weights()
    for one, other in zip(reader.network.variables, trained.network.variables, strict=True):
        np.testing.assert_array_equal(np.array(one), np.array(other))
    with pytest.raises(InputError, match="weights_optimizer"):
        reader.restore()
    path.unlink()
    with pytest.raises(InputError, match="trained weights of the supernet"):
        reader.read_weights()


@pytest.mark.parametrize(
    "precision",
    [
        "float32",
        pytest.param("mixed_float16", marks=pytest.mark.slow),
        pytest.param("mixed_bfloat16", marks=pytest.mark.slow),
    ],
)
def test_a_checkpoint_holds_the_same_before_the_first_step_and_after_it(
    precision: str, tmp_path: Path
) -> None:
    keras.config.set_dtype_policy(precision)
    try:
        search = gradient_search()
        before = {part: len(list(found)) for part, found in search.variables().items()}
        search.train(lambda state: None)
        assert {part: len(list(found)) for part, found in search.variables().items()} == before
    finally:
        keras.config.set_dtype_policy("float32")


def gradient_search() -> GradientSearch:
    config = SearchConfig(weights=supernet_recipe(1.0, 8), warm_up=WarmUp(0.5, 0.3))
    latency = SpaceLatency(1.0, (np.array([0.2, 0.4, 0.3, 0.6, 0.0]),), 1.0, 0.0)
    control = Control(pace=Pace(log_every=2))
    return GradientSearch(toy_space(8), latency.cost, split(), config, control, penalty=0.1, seed=3)


def test_every_method_says_what_it_trains() -> None:
    found = {name: (METHODS[name].trains_supernet, METHODS[name].learns_gates) for name in METHODS}
    assert found == {
        "gradient": (True, True),
        "evolution": (True, False),
        "random": (False, False),
    }
