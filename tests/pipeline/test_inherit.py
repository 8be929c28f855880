"""Retraining from the supernet's weights: what a network starts with, and what is recorded."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latency.tables.table import LatencyTable
from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.errors import InputError
from nas.hardware.predictor import SpaceLatency
from nas.pipeline import retrain, supernet
from nas.pipeline.inherit import check_inherits, inherited_weights
from nas.pipeline.inputs import load_data
from nas.pipeline.table import TABLE_FILE
from nas.runs.config import read_config, read_search_config
from nas.runs.folder import RunFolder
from nas.search_space.space import Space
from nas.selection.baselines import uniform_network
from nas.selection.goals import ResolvedTarget
from nas.system.interrupt import Interrupter
from nas.training.trainer import train_network
from tests.support.programs import run_program
from tests.support.toy import toy_space
from tests.support.toy_stages import toy_dataset
from tests.support.trained_runs import untrained_run


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


class Supernet:
    """Stands in for the supernet of a run: the weights of a network are its text's length.

    Args:
        asked: What it was made of.
    """

    def __init__(self, *asked: Any) -> None:
        self.asked = asked
        self.space: Space = asked[1]

    def weights_of(self, network: Architecture) -> dict[str, np.ndarray]:
        return {"stem": np.array(len(arch_text.to_text(network)))}


def test_networks_of_the_space_inherit_and_others_are_named(
    toy_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[Supernet] = []

    def stage(*asked: Any) -> Supernet:
        made.append(Supernet(*asked))
        return made[-1]

    monkeypatch.setattr(supernet, "SupernetStage", stage)
    folder, config, space = RunFolder(toy_run), read_search_config(toy_run), toy_space()
    images, interrupter = toy_dataset(), Interrupter()
    networks = {
        "found": space.smallest(),
        "wide": uniform_network(space, 2.0),
        "largest": space.largest(),
    }
    found = inherited_weights(folder, config, images, networks, interrupter)
    lengths = {name: int(weights["stem"]) for name, weights in found.items()}
    assert lengths == {
        name: len(arch_text.to_text(networks[name])) for name in ("found", "largest")
    }
    (only,) = made
    own_folder, own_space, cost, *rest, target = only.asked
    assert (own_folder, own_space) == (folder, space)
    assert rest == [images, config, interrupter]
    assert target == folder.read(ResolvedTarget).target
    # Milliseconds are those of the table that the search had.
    expected = SpaceLatency.from_table(space, LatencyTable.load(toy_run / TABLE_FILE)).cost
    assert (cost.fixed, cost.scale, cost.offset) == (
        expected.fixed,
        expected.scale,
        expected.offset,
    )
    assert all(map(np.array_equal, cost.options, expected.options))
    told = capsys.readouterr().out
    assert "wide is no network of the space: it starts from random weights." in told
    assert "found is no network" not in told


@pytest.mark.parametrize("gone", ["search.json", "checkpoints/search.npz"])
def test_a_supernet_whose_training_or_weights_are_missing_lends_nothing(
    gone: str, toy_run: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(toy_run, tmp_path / "run")
    folder, config = RunFolder(run), read_search_config(run)
    assert check_inherits(folder, config) == config
    (run / gone).unlink()
    with pytest.raises(InputError) as caught:
        inherited_weights(folder, config, toy_dataset(), {}, Interrupter())
    assert caught.value.expected == f"the supernet's weights, {folder.checkpoint('search')}"
    assert caught.value.received == "no such file, or a search that is not finished"
    assert f"--run_dir {run} --resume" in caught.value.fix
    # Those of another run are looked for there.
    assert check_inherits(folder, replace(config, supernet=str(toy_run))).supernet == str(toy_run)


def test_a_lender_that_is_gone_lends_nothing(toy_run: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    config = replace(read_search_config(toy_run), supernet=str(gone))
    with pytest.raises(InputError) as caught:
        check_inherits(RunFolder(toy_run), config)
    assert caught.value.received == "no such folder"
    # main.py has no flag that names another place.
    assert caught.value.fix.startswith(f"bring back what is missing in {gone}, or write --noinh")
    shutil.copytree(toy_run, gone)
    assert check_inherits(RunFolder(toy_run), config) == config


def test_a_run_without_a_supernet_lends_nothing(toy_run: Path, tmp_path: Path) -> None:
    given = untrained_run(tmp_path / "given")
    search = read_search_config(toy_run)
    alone = replace(search, search=replace(search.search, method="random"))
    for folder, config in ((given, read_config(given.path)), (RunFolder(toy_run), alone)):
        with pytest.raises(InputError) as caught:
            check_inherits(folder, config)
        assert caught.value.expected.startswith("--inherit with the run of a search that trained")
        assert caught.value.received == f"{folder.path}, which has none"
        assert "--method gradient or evolution" in caught.value.fix


def test_without_the_flag_networks_start_at_random(toy_retrained: Path) -> None:
    assert read(toy_retrained / "recipe.json")["inherits"] is False
    assert read(toy_retrained / "certificate.json")["recipe"]["inherits"] is False
