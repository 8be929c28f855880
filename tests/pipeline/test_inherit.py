"""Retraining from the supernet's weights: what a network starts with, and what is recorded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.architecture import text as arch_text
from nas.pipeline import retrain
from nas.pipeline.inherit import inherited_weights
from nas.pipeline.inputs import load_data
from nas.runs.config import read_search_config
from nas.runs.folder import RunFolder
from nas.selection.baselines import uniform_network
from nas.system.interrupt import Interrupter
from nas.training.trainer import train_network
from tests.support.programs import run_program
from tests.support.toy import toy_space


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


@pytest.mark.slow
def test_networks_start_from_the_supernets_weights_and_the_files_say_so(
    toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(toy_run, tmp_path / "run")
    started: dict[str, Any] = {}

    def watched(network: Any, *arguments: Any, initial_weights: Any, **named: Any) -> Any:
        started[arch_text.to_text(network)] = initial_weights
        return train_network(network, *arguments, initial_weights=initial_weights, **named)

    monkeypatch.setattr(retrain, "train_network", watched)
    done = run_program("main.py", "--run", str(run), "--inherit", "--nolargest")
    assert done.exit_code == 0, done.err
    folder = RunFolder.open(run)
    found = arch_text.from_json(read(run / "architecture.json"))
    assert started[arch_text.to_text(found)] is not None
    space = toy_space()
    for text, weights in started.items():
        assert (weights is not None) == space.contains(arch_text.parse(text)), text

    config = read_search_config(run)
    dataset = load_data(config.data, config.sizes, config.seed)
    networks = {"found": found, "wide": uniform_network(space, 2.0)}
    cut = inherited_weights(folder, config, dataset, networks, Interrupter())
    assert list(cut) == ["found"]  # twice as wide is no network of the space
    again = cut["found"]
    first = started[arch_text.to_text(found)]
    assert again.keys() == first.keys()
    assert all(np.array_equal(again[name], first[name]) for name in again)

    assert read(run / "recipe.json")["inherits"] is True
    assert read(run / "certificate.json")["recipe"]["inherits"] is True
    done = run_program("main.py", "--run", str(run), "--noinherit")
    assert done.exit_code == 2
    assert "as this run's training began" in done.err


def test_without_the_flag_networks_start_at_random(toy_retrained: Path) -> None:
    assert read(toy_retrained / "recipe.json")["inherits"] is False
    assert read(toy_retrained / "certificate.json")["recipe"]["inherits"] is False
