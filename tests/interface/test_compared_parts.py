"""What comparisons are made of: their images, their networks, their recipe, and how they go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.data import Dataset
from nas.deployment.formats import AskedExports
from nas.deployment.records import ExportedFile
from nas.errors import InputError
from nas.interface import comparing
from nas.interface.compared_parts import AskedComparison
from nas.interface.comparing import go_on_with_comparison, is_comparison, run_comparison
from nas.interface.showing import shown_networks
from nas.runs.compared import ComparedCells, ComparedNetworks
from nas.runs.config import (
    NETWORKS_FOLDER,
    ComparisonConfig,
    TrainingConfig,
    read_config,
)
from nas.runs.data import DataRecord
from nas.runs.folder import RunFolder
from nas.system.interrupt import Interrupter
from tests.support.keras_files import entry, written
from tests.support.trained_runs import NETWORK, WIDER, dataset, trained_run, untrained_run

SMOKE = {"smoke": True}
INT8_FILE = ExportedFile(
    name="int8",
    file="model_int8.onnx",
    file_bytes=1,
    file_sha256="0" * 64,
    source_sha256=None,
    top1=None,
    top5=None,
    evaluation_images=0,
    parity=None,
)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is asked to train and to measure, in place of any training."""
    made: list[Any] = []

    def compared(folder: RunFolder, config: Any, training: Any, images: Any, *rest: Any) -> Any:
        values = {"folder": folder, "config": config, "training": training, "images": images}
        made.append(SimpleNamespace(**values, exports=rest[2]))
        return SimpleNamespace(run=lambda: None)

    monkeypatch.setattr(comparing, "Compared", compared)
    monkeypatch.setattr(comparing, "check_trains", lambda *arguments: None)
    monkeypatch.setattr(comparing, "check_late_packages", lambda: None)
    monkeypatch.setattr("nas.system.backend.start", lambda *arguments: None)
    return made


def keras_file(path: Path, classes: int, size: int | None) -> Path:
    """A file of Keras with scores of as many classes, of images of one size or of any."""
    entries = [entry("GlobalAveragePooling2D"), entry("Dense", units=classes)]
    return written(path, entries, (size, size, 3))


def begin(path: Path, *words: str, images: Dataset | None = None, **options: Any) -> Path:
    asked = AskedComparison(words, {**SMOKE, **options}, dataset=images or dataset())
    return run_comparison(asked, path, Interrupter())


def go_on(path: Path, images: Dataset | None = None, **options: Any) -> Path:
    asked = AskedComparison((), options, dataset=images or dataset())
    return go_on_with_comparison(asked, RunFolder.open(path), Interrupter())


def config_of(path: Path) -> ComparisonConfig:
    config = read_config(path)
    assert isinstance(config, ComparisonConfig)
    return config


def networks_of(path: Path) -> list[Architecture]:
    return [arch_text.parse(entry.text) for entry in config_of(path).networks]


def refused(call: Callable[[], object], expected: str, received: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert expected in caught.value.expected, caught.value
    assert received in caught.value.received, caught.value
    assert caught.value.fix


def test_given_networks_are_trained_on_images_handed_over(
    trained: list[Any], tmp_path: Path
) -> None:
    path = begin(tmp_path / "both", NETWORK, WIDER, seed=4)
    (one,) = trained
    assert one.images.fingerprint == dataset().fingerprint
    assert one.training == one.folder.read(TrainingConfig) and one.training.seed == 4
    assert one.config == config_of(path) and one.config.seed == 4
    assert networks_of(path) == [arch_text.parse(NETWORK), arch_text.parse(WIDER)]
    assert one.folder.read(DataRecord) == DataRecord.of(dataset())
    assert is_comparison(RunFolder(path)) and not is_comparison(untrained_run(tmp_path / "run"))


def test_division_of_the_images_is_that_of_the_runs(trained: list[Any], tmp_path: Path) -> None:
    run = untrained_run(tmp_path / "run")
    begin(tmp_path / "both", str(run.path), WIDER, seed=4)
    (one,) = trained
    assert (one.config.seed, one.training.seed) == (read_config(run.path).seed, 4)
    others = dataset(fingerprint="1" * 16)
    refused(
        lambda: begin(tmp_path / "new", str(run.path), WIDER, images=others), "learned from", "1111"
    )
    assert not (tmp_path / "new").exists()


def test_a_published_network_gets_the_size_that_is_asked_for(
    trained: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = begin(tmp_path / "both", "resnet9_x0.125", "resnet9_x0.25", image_size=16)
    assert [(n.image_size, n.num_classes) for n in networks_of(path)] == [(16, 7)] * 2
    assert "resnet9" in capsys.readouterr().out
    refused(
        lambda: begin(tmp_path / "new", NETWORK, WIDER, image_size=20), "16 px", "20 px of --image"
    )
    refused(
        lambda: begin(tmp_path / "new", NETWORK, NETWORK.replace("in_s16", "in_s20")),
        "images of one size",
        "20 px of network-2",
    )
    assert not (tmp_path / "new").exists()


def test_last_layer_has_the_classes_of_the_images(
    trained: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = begin(tmp_path / "both", NETWORK.replace("fc_c7", "fc_c3"), WIDER)
    said = capsys.readouterr().out
    assert "network-1 has 3 classes, the data 7: its last layer is resized." in " ".join(
        said.split()
    )
    assert "network-2" not in said
    assert networks_of(path) == [arch_text.parse(NETWORK), arch_text.parse(WIDER)]


def test_a_keras_file_keeps_its_classes(
    trained: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = keras_file(tmp_path / "own.keras", 7, 16)
    begun = begin(tmp_path / "both", str(path), WIDER)
    assert "own: its weights are not read" in capsys.readouterr().out
    assert [network.num_classes for network in networks_of(begun)] == [7, 7]
    run = untrained_run(tmp_path / "run")
    other = keras_file(tmp_path / "other.keras", 3, 16)
    for beside in (WIDER, str(run.path)):
        refused(
            partial(begin, tmp_path / "new", str(other), beside),
            "a network of 7 classes, as the images have",
            f"3 classes in {other}",
        )
    assert not (tmp_path / "new").exists()


def test_a_keras_file_of_any_size_gets_that_of_the_images(
    trained: list[Any], tmp_path: Path
) -> None:
    path = str(keras_file(tmp_path / "own.keras", 7, None))
    run, reference = trained_run(tmp_path / "run"), "resnet9_x0.125"
    for place, words in enumerate(((path, WIDER), (path, reference), (path, str(run.path)))):
        begun = begin(tmp_path / str(place), *words)
        assert networks_of(begun)[0] == arch_text.parse("in_s16 gap fc_c7")
    refused(
        lambda: begin(tmp_path / "new", path, WIDER, image_size=24), "16 px as network-2", "24 px"
    )
    (shown, _) = shown_networks([path, reference], 24)
    assert shown.architecture.image_size == 24
    refused(lambda: shown_networks([path]), "an image size, since the model takes any", path)


def test_same_layers_under_two_names_are_refused(trained: list[Any], tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text(NETWORK, "utf-8")
    run = untrained_run(tmp_path / "run")
    refused(
        lambda: begin(tmp_path / "new", str(run.path), str(file)),
        "each network once",
        "which are the same layers",
    )
    assert not (tmp_path / "new").exists()
    # Two trainings of the same layers are a comparison.
    runs = [trained_run(tmp_path / name).path for name in ("a", "b")]
    asked = AskedComparison(tuple(map(str, runs)))
    path = run_comparison(asked, tmp_path / "both", Interrupter())
    assert [entry.run for entry in config_of(path).networks] == list(map(str, runs))
    (one,) = trained
    assert one.training is None and one.images is None


def test_folder_that_fails_at_its_first_files_is_gone(
    trained: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise InputError("room on the disk", "none", "free some space")

    monkeypatch.setattr(comparing, "keep_data", full)
    with pytest.raises(InputError, match="room on the disk"):
        begin(tmp_path / "new", NETWORK, WIDER)
    assert not (tmp_path / "new").exists() and not trained


def test_comparison_goes_on_as_it_began(trained: list[Any], tmp_path: Path) -> None:
    path = begin(tmp_path / "both", NETWORK, WIDER, seeds=2)
    made = path / NETWORKS_FOLDER / "network-1" / "model.onnx"
    made.parent.mkdir(parents=True)
    files = [made, path / ComparedNetworks.FILE, path / ComparedCells.FILE]
    for file in files:
        file.write_bytes(b"")
    go_on(path, goal_top1=0.75)
    first, second = trained
    assert second.training == replace(first.training, goal_top1=0.75)
    assert second.training.seeds == 2
    assert (first.config.goal_top1, second.config.goal_top1) == (None, 0.75)
    assert config_of(path) == first.config, "what it was asked for stays written down"
    assert all(file.exists() for file in files)
    go_on(path, restart=True)
    assert not any(file.exists() for file in files)
    refused(lambda: go_on(path, images=dataset(fingerprint="1" * 16)), "run began with", "1" * 16)


def test_comparison_goes_on_with_the_files_that_it_was_asked_for(
    trained: list[Any], tmp_path: Path
) -> None:
    path = begin(tmp_path / "both", NETWORK, WIDER, export="int8", calibration_images=3)
    int8 = AskedExports(("fp32", "int8"), 3)
    go_on(path, smoke=True)  # before its first training
    for place, made in enumerate(("network-1", "network-2"), start=1):
        assert [one.exports for one in trained] == [int8] * (place + 1), "one of two is not all"
        (path / NETWORKS_FOLDER / made).mkdir(parents=True)
        (path / NETWORKS_FOLDER / made / "config.json").write_text("")
        RunFolder(path / NETWORKS_FOLDER / made).write(INT8_FILE, name="int8")
        go_on(path)
    assert trained[-1].exports == AskedExports(), "what is there stays as it is"
    assert trained[-1].training.exports == int8
    go_on(path, export="fp32")
    assert trained[-1].training.exports == AskedExports()


def test_what_a_comparison_that_goes_on_cannot_have_is_refused(
    trained: list[Any], tmp_path: Path
) -> None:
    path = begin(tmp_path / "both", NETWORK, WIDER)
    for name in ("baselines", "largest", "inherit"):
        asked: dict[str, Any] = {name: True}
        refused(partial(go_on, path, **asked), f"--{name}", "a comparison")
    refused(lambda: go_on(path, goal_top1=75.0), "goal_top1", "75")
    run = untrained_run(tmp_path / "run")
    refused(lambda: go_on(run.path), "the folder of a comparison", str(run.path))
    (path / TrainingConfig.FILE).unlink()
    refused(lambda: go_on(path), "a comparison that has begun", "without its recipe")
    whole = begin(tmp_path / "whole", NETWORK, WIDER, smoke=False)
    refused(lambda: go_on(whole, smoke=True), "--smoke as the comparison began", "--smoke")
    assert len(trained) == 2, "nothing of it was trained"
