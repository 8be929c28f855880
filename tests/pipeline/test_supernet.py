"""The supernet of a run: its own, or lent; what it is asked with."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nas.data import Dataset, Split
from nas.errors import InputError
from nas.methods.evolution import EvolutionConfig
from nas.pipeline.lending import check_lender, lender
from nas.pipeline.supernet import SupernetStage
from nas.runs.config import RunConfig, read_search_config
from nas.runs.data import DataRecord
from nas.runs.folder import RunFolder
from nas.runs.records import SupernetScore
from nas.selection.goals import Goal
from nas.system import backend
from nas.system.interrupt import Interrupter
from tests.support.run_config import run_config
from tests.support.toy import IMAGE_SIZE, SAMPLE_CLASSES, toy_space

# What a stage that only reads never asks.
NOBODY: Any = None
BORROWS: dict[str, Any] = {"method": "evolution", "image_size": IMAGE_SIZE}


@pytest.fixture
def dataset() -> Dataset:
    labels = np.arange(2 * SAMPLE_CLASSES, dtype=np.int32) % SAMPLE_CLASSES
    split = Split(np.zeros((len(labels), IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8), labels)
    names = tuple(f"class {i}" for i in range(SAMPLE_CLASSES))
    return Dataset("toy", split, split, names, IMAGE_SIZE, "0" * 16, True)


@pytest.fixture
def trained(toy_run: Path, dataset: Dataset, tmp_path: Path) -> Path:
    """A finished search that learned from these images."""
    run = shutil.copytree(toy_run, tmp_path / "lender")
    RunFolder(run).write(DataRecord.of(dataset))
    return run


def borrower(path: Path) -> RunConfig:
    return run_config(Goal(percent=50.0), supernet=str(path), method="evolution")


@pytest.fixture
def no_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*arguments: object) -> None:
        raise AssertionError("the backend was started")

    monkeypatch.setattr(backend, "start", start)


def test_a_lender_is_trained_with_its_own_seed_and_goal(trained: Path, dataset: Dataset) -> None:
    lent = lender(replace(borrower(trained), seed=9), dataset)
    assert lent.config == read_search_config(trained)
    assert (lent.config.seed, lent.penalty, lent.target) == (0, 0.1, None)
    assert lent.checkpoint.is_file()


def spoil_space(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "space": "cifar"}))


def spoil_classes(run: Path) -> None:
    data = json.loads((run / "data.json").read_text())
    data["class_names"] = data["class_names"][:7]
    (run / "data.json").write_text(json.dumps(data))


def spoil_image(run: Path) -> None:
    data = json.loads((run / "data.json").read_text())
    (run / "data.json").write_text(json.dumps({**data, "fingerprint": "1" * 16}))


def spoil_schema(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "schema_version": 1}))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (shutil.rmtree, "a run folder with config.json"),
        (spoil_space, "a supernet of the same space, toy"),
        (spoil_classes, "a new class class 7, class 8, class 9, class 10, class 11"),
        (spoil_image, "other pixels or labels"),
        (spoil_schema, "a run folder of schema 2"),
        (lambda run: (run / "search.json").unlink(), "a finished search with its checkpoint"),
        (lambda run: shutil.rmtree(run / "checkpoints"), "a finished search with its checkpoint"),
    ],
)
def test_a_wrong_lender_is_refused_before_the_backend_starts(
    spoil: Any, said: str, trained: Path, dataset: Dataset, tmp_path: Path, no_backend: None
) -> None:
    run, config = trained, borrower(trained)
    folder = RunFolder.create(tmp_path / "run", config, "test")
    check_lender(folder, config, dataset)
    spoil(run)
    own = SupernetStage(folder, toy_space(), None, dataset, config, Interrupter())  # type: ignore[arg-type]
    for ask in (lambda: check_lender(folder, config, dataset), own.trainer):
        with pytest.raises(InputError, match="(?s)Expected.*Received.*Fix") as caught:
            ask()
        assert said in str(caught.value)


def test_a_run_that_needs_no_supernet_any_more_may_lose_its_lender(
    dataset: Dataset, tmp_path: Path
) -> None:
    config = borrower(tmp_path / "gone")
    folder = RunFolder.create(tmp_path / "run", config, "test")
    with pytest.raises(InputError):
        check_lender(folder, config, dataset)
    folder.write(SupernetScore(0.1, 0.5))
    check_lender(folder, config, dataset)


def test_a_lender_may_move_but_not_change(trained: Path, dataset: Dataset, tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", borrower(trained), "test")
    check_lender(folder, borrower(trained), dataset)
    moved = tmp_path / "moved"
    trained.rename(moved)
    with pytest.raises(InputError, match="to lend its supernet") as caught:
        check_lender(folder, borrower(trained), dataset)
    assert "--supernet" in caught.value.fix
    check_lender(folder, borrower(moved), dataset)
    with (moved / "checkpoints" / "search.npz").open("ab") as stream:
        stream.write(b"trained further")
    with pytest.raises(InputError, match="the supernet that .* began with"):
        check_lender(folder, borrower(moved), dataset)


def test_networks_are_judged_with_the_settings_of_the_run(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, dict[str, Any]]] = []

    class Scorer:
        def __init__(self, views: Any, train: Any, images: int, *rest: Any, **more: Any) -> None:
            asked.append((images, more))

        def accuracy(self, network: Any) -> Any:
            return SimpleNamespace(top1=0.25, top5=0.5)

    monkeypatch.setitem(sys.modules, "nas.supernet.scoring", SimpleNamespace(SharedScorer=Scorer))
    own = EvolutionConfig(images=7, statistics_images=5)
    config = replace(run_config(), evolution=own)
    folder = RunFolder.create(tmp_path / "run", config, "test")
    space = toy_space()
    found = SupernetStage(folder, space, None, dataset, config, Interrupter())  # type: ignore[arg-type]
    trainer = SimpleNamespace(held_out_part=np.arange(20), weights_part=np.arange(4))
    monkeypatch.setattr(found, "_trained", lambda: trainer)
    monkeypatch.setattr(found, "_forward", lambda: None)
    found.evaluate(space.largest())
    found.scorer(config.evolution)
    assert [images for images, _ in asked] == [5, 5]
    assert len(asked[1][1]["indices"]) == 7


def test_nothing_is_trained_again_that_is_there(
    toy_run: Path, dataset: Dataset, no_backend: None
) -> None:
    config = read_search_config(toy_run)
    own = SupernetStage(
        RunFolder(toy_run),
        toy_space(),
        NOBODY,
        dataset,
        config,
        NOBODY,
    )
    own.train()
    probabilities, expected_ms = own.probabilities()
    assert expected_ms > 0 and probabilities is not None
