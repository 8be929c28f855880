"""Supernets whose blocks choose their bits: scales, searches and resuming."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from nas.architecture.spec import Architecture, Conv, Dense, GlobalAveragePool, MBConv, Skip
from nas.builders.keras_model import build_model, set_weights_by_name
from nas.cost.constraints import counted_cost
from nas.cost.units import BOPS
from nas.data import Split
from nas.methods.config import SearchConfig, WarmUp, supernet_recipe
from nas.methods.gradient import GradientSearch
from nas.search_space.bits import BitWidths, with_bits
from nas.search_space.space import OneOf, Space
from nas.supernet.inherit import inherit_weights
from nas.supernet.model import Supernet
from nas.training.first_scales import learned_layers, set_first_scales
from nas.training.loop import Control
from nas.training.recipe import Pace

CLASSES, SIZE = 4, 8


def bits_space() -> Space:
    options = (MBConv(3, 1, 2, 8), Skip())
    head = (GlobalAveragePool(), Dense(CLASSES))
    plain = Space("toy", SIZE, (Conv(3, 2, 8), OneOf("a", options), *head))
    return with_bits(plain, BitWidths((8, 2)))


def split() -> Split:
    images = np.random.default_rng(0).integers(0, 256, (80, SIZE, SIZE, 3)).astype(np.uint8)
    return Split(images, (np.arange(80) % CLASSES).astype(np.int32))


def numpy(variable: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable))


def search(path: Path | None = None) -> GradientSearch:
    config = SearchConfig(weights=supernet_recipe(2.0, 8), warm_up=WarmUp(0.25, 0.1))
    config = dataclasses.replace(config, gates=dataclasses.replace(config.gates, learning_rate=0.5))
    space, control = bits_space(), Control(path, Pace(log_every=4, checkpoint_seconds=0))
    cost = counted_cost(space, BOPS)
    return GradientSearch(space, cost, split(), config, control, penalty=20.0, seed=3)


def test_all_learned_scales_begin_with_the_first_images_and_statistics_stay() -> None:
    network = Supernet(bits_space())
    network.gates.set_draw(network.draw_of(network.space.encode(network.space.largest())))
    # Three operations of the block with two scales each, and what the class scores read.
    assert len(learned_layers(network)) == 4
    scales = [v for v in network.trainable_variables if "activations_scale" in v.path]
    others = [v for v in network.variables if not any(v is scale for scale in scales)]
    before = [numpy(v) for v in others]
    set_first_scales(network, split().images[:16].astype(np.float32))
    assert [v.shape for v in scales] == [(2,), (2,), (2,), ()]
    for scale in scales:
        assert (numpy(scale) > 0).all() and (numpy(scale) != 1).all()
    for variable, value in zip(others, before, strict=True):
        np.testing.assert_array_equal(numpy(variable), value)


@pytest.mark.slow
def test_a_search_lowers_bits_and_a_kill_between_steps_changes_nothing(tmp_path: Path) -> None:
    whole = search()
    result = whole.run(lambda state: None)
    # A penalty far above any loss of 80 random images: two bits on either side, or no block.
    for name in ("weight_format", "activation_format"):
        tables = result.probabilities.tables
        assert tables[name][0].argmax() == 0 or tables["skip"][0].argmax() == 1
    assert result.history[-1]["expected_bops"] < result.history[0]["expected_bops"]

    def stop(state: Any) -> None:
        if state.step == 8:
            raise RuntimeError("killed")

    path = tmp_path / "checkpoint.npz"
    with pytest.raises(RuntimeError, match="killed"):
        search(path).run(stop)
    again = search(path)
    again.run(lambda state: None)
    for one, other in zip(whole.network.variables, again.network.variables, strict=True):
        np.testing.assert_array_equal(numpy(one), numpy(other), err_msg=one.path)


@pytest.mark.slow
def test_what_a_network_inherits_gives_the_scores_of_the_supernet() -> None:
    network = search().network
    set_first_scales(network, split().images[:16].astype(np.float32))
    images = split().images[:6].astype(np.float32)
    for indices in ((0,), (1,), (2,), (3,), (4,)):
        architecture: Architecture = network.space.decode(indices)
        network.gates.set_draw(network.draw_of(indices))
        model = build_model(architecture)
        weights = inherit_weights(network, architecture)
        set_weights_by_name(model, architecture, weights)
        is_block = indices != (4,)
        assert ("1.project.activations.scale" in weights) == is_block
        expected = numpy(model(images))
        # Whole numbers beside sums of floats; a number in the middle may get another code.
        assert np.abs(numpy(network(images)) - expected).max() <= 1e-3 * np.abs(expected).max()
