"""What images do not allow is refused before any of them is decoded, and before there is a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nas.architecture import text as arch_text
from nas.errors import InputError
from nas.interface import comparing, fronts, retraining, searching
from nas.interface.asked import AskedSearch
from nas.interface.asked_retraining import AskedRetraining, exports_of
from nas.interface.compared_parts import AskedComparison
from nas.interface.comparing import go_on_with_comparison, run_comparison
from nas.interface.retraining import run_retraining
from nas.interface.searching import run_search
from nas.interface.training_config import new_training
from nas.pipeline.before_images import check_before_images
from nas.runs.config import read_config
from nas.runs.data import DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.runs.records import TrainedRecord
from nas.selection.goals import Goal
from nas.system.interrupt import Interrupter
from tests.support import report_run
from tests.support.image_folders import write_folders
from tests.support.run_config import run_config
from tests.support.teachers import ToyTeacher
from tests.support.trained_runs import NETWORK, WIDER, dataset, untrained_run

# Of `dataset`, which has two images of each of seven classes.
IMPOSSIBLE: dict[str, tuple[dict[str, Any], str, str]] = {
    "teacher": ({"teacher": "TEACHER"}, "a teacher of the 7 classes of toy", "4 classes"),
    "held_out_share": (
        {"evaluate_every": 0.5, "held_out_share": 0.9},
        "a held-out share that leaves an image of every class",
        "0.9 of 2 images",
    ),
    "calibration_images": (
        {"export": "int8", "calibration_images": 15},
        "--calibration_images from 1 to 14",
        "15",
    ),
    "metrics": ({"metrics": "auc"}, "one of more than two classes", "none, and 7 classes"),
    "signal_class": (
        {"metrics": "top1,tpr_at_fpr=0.1", "signal_class": "nowhere"},
        "--signal_class to be one of the classes",
        "'nowhere'",
    ),
    "select_by": (
        {"evaluate_every": 0.5, "held_out_share": 0.5, "select_by": "auc"},
        "one of more than two classes",
        "none, and 7 classes",
    ),
}

TRAINED = TrainedRecord(
    name="searched",
    role="searched",
    text=NETWORK,
    top1=0.5,
    top5=0.9,
    evaluation_images=14,
    train_top1=0.5,
    running_accuracy=0.5,
    images_seen=14,
    seconds=1.0,
    parity=None,
)


@pytest.fixture(autouse=True)
def nothing_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(*arguments: object) -> None:
        raise AssertionError("images were decoded")

    for module in (retraining, searching, comparing):
        monkeypatch.setattr(module, "load_data", decoded)
        monkeypatch.setattr(module, "check_trains", lambda *arguments: None)
    monkeypatch.setattr(comparing, "images_of", decoded)
    monkeypatch.setattr(fronts, "check_late_packages", lambda: None)
    monkeypatch.setattr("nas.system.backend.start", lambda *arguments: None)


def options_of(name: str, folder: Path) -> dict[str, Any]:
    """Options that seven classes with two images each do not allow."""
    teacher = ToyTeacher(classes=4, size=16).write(folder / "teacher.onnx")
    options = IMPOSSIBLE[name][0].items()
    return {key: str(teacher) if value == "TEACHER" else value for key, value in options}


def refused(name: str, call: Callable[[], object]) -> None:
    """Makes a call that is refused for the option of this name."""
    _, expected, received = IMPOSSIBLE[name]
    with pytest.raises(InputError) as caught:
        call()
    assert expected in caught.value.expected and received in caught.value.received


def go(asked: AskedRetraining, run_dir: Path | None = None) -> None:
    def told(path: Path) -> None:
        assert asked.architecture is None, f"there is a run already, {path}"

    run_retraining(asked, run_dir, Interrupter(), told)


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_given_network_gets_no_folder(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"arch": NETWORK, "smoke": True, **options_of(name, tmp_path)}
    network = arch_text.parse(NETWORK)
    asked = AskedRetraining(options, None, network, dataset=dataset())
    refused(name, lambda: go(asked, tmp_path / "new"))
    assert not (tmp_path / "new").exists() and capsys.readouterr().out == ""


def test_a_classifier_with_an_activation_is_trained_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, expected = f"{NETWORK}_nsi", "a classifier without an activation"
    asked = AskedRetraining({"smoke": True}, None, arch_text.parse(text), dataset=dataset())
    with pytest.raises(InputError, match=expected):
        go(asked, tmp_path / "new")
    compared = AskedComparison((text, WIDER), {"smoke": True}, dataset=dataset())
    with pytest.raises(InputError, match=expected):
        run_comparison(compared, tmp_path / "new", Interrupter())
    assert not (tmp_path / "new").exists()
    run = untrained_run(tmp_path / "run", text)
    with pytest.raises(InputError, match=expected):
        go(AskedRetraining({}, run=run.path, dataset=dataset()))
    # A training of an earlier version goes on, and is exported and measured again.
    run.write(TRAINED, name="searched")
    monkeypatch.setattr(retraining, "load_data", lambda *arguments: dataset())
    stand_in = SimpleNamespace(run=lambda: SimpleNamespace(outcome=None))
    monkeypatch.setattr(retraining, "_run_of", lambda *arguments: stand_in)
    go(AskedRetraining({"baselines": False}, run=run.path, dataset=dataset()))


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_run_stays_as_it_was(name: str, tmp_path: Path) -> None:
    run = untrained_run(tmp_path / "run")
    before = {path for path in run.path.rglob("*") if path.name != ".lock"}
    options = options_of(name, tmp_path)
    refused(name, lambda: go(AskedRetraining(options, run=run.path, dataset=dataset())))
    assert {path for path in run.path.rglob("*") if path.name != ".lock"} == before


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_sweep_stays_as_it_was(name: str, tmp_path: Path) -> None:
    goals = (Goal(penalty=0.1), Goal(penalty=0.3))
    sweep = RunFolder.create(tmp_path / "sweep", run_config(*goals), "test")
    for goal in goals:
        report_run.make_run(sweep.path / goal.label)
        RunFolder(sweep.path / goal.label).write(DataRecord.of(dataset()))
    options = {"inherit": False, **options_of(name, tmp_path)}
    refused(name, lambda: go(AskedRetraining(options, run=sweep.path, dataset=dataset())))
    assert not list(sweep.path.rglob("recipe.json"))


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_comparison_gets_no_folder(name: str, tmp_path: Path) -> None:
    options = {"smoke": True, **options_of(name, tmp_path)}
    asked = AskedComparison((NETWORK, WIDER), options, dataset=dataset())
    new = tmp_path / "new"
    refused(name, lambda: run_comparison(asked, new, Interrupter()))
    assert not new.exists()


def test_a_comparison_goes_on_by_a_recipe_that_its_networks_allow(tmp_path: Path) -> None:
    asked = AskedComparison(
        ("in_s16 cn_k3_s2_c4 gap fc_c7", NETWORK),
        {"smoke": True, "stochastic_depth": 0.2},
        dataset=dataset(),
    )
    with pytest.raises(InputError, match="a network with a residual branch"):
        run_comparison(asked, tmp_path / "new", Interrupter())
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_comparison_that_goes_on_is_refused_as_a_new_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = AskedComparison((NETWORK, WIDER), {"smoke": True}, dataset=dataset())
    with monkeypatch.context() as allowed:
        allowed.setattr(comparing, "images_of", lambda *arguments: dataset())
        allowed.setattr(comparing, "_compared", lambda *arguments: None)
        run_comparison(begun, tmp_path / "both", Interrupter())
    folder = RunFolder.open(tmp_path / "both")
    asked = AskedComparison((), {"restart": True, **options_of(name, tmp_path)}, dataset=dataset())
    recipe = (folder.path / "recipe.json").read_bytes()
    refused(name, lambda: go_on_with_comparison(asked, folder, Interrupter()))
    assert (folder.path / "recipe.json").read_bytes() == recipe


def test_a_search_tells_what_its_images_do_not_allow(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "data" / "train", ("a", "b")).parent
    write_folders(root / "val", ("a", "b"), count=1)
    source = DataSource("files", str(root))
    goal = (Goal(penalty=0.1),)
    for options, expected in (
        ({"method": "random", "space": "tiny"}, "Received: 16 px"),
        ({"method": "random", "max_params": 1}, "--max_params"),
    ):
        asked = AskedSearch(goal, source, {"data_dir": str(root), **options})
        with pytest.raises(InputError, match=expected):
            run_search(asked, tmp_path / "new", Interrupter())
    for number in (1, 2, 3):
        (root / "train" / "b" / f"{number}.png").unlink()
    with pytest.raises(InputError, match="two training images or more of every class"):
        run_search(AskedSearch(goal, source), tmp_path / "new", Interrupter())
    assert not (tmp_path / "new").exists()


def test_images_are_looked_at_only_where_that_tells_something(tmp_path: Path) -> None:
    def look() -> Any:
        raise AssertionError("images were looked at")

    run = untrained_run(tmp_path / "run")
    config = read_config(run.path)
    plain = new_training(config, config.sizes, {}).recipe
    exports = exports_of({"export": "int8"})
    check_before_images(look, plain, exports)
    # Nothing is still to be trained: a teacher that is gone by now is not missed.
    check_before_images(look, None, exports)


def test_a_teacher_is_tried_again_when_a_finished_training_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = untrained_run(tmp_path / "run")
    run.write(TRAINED, name="searched")
    trained: list[bool] = []
    monkeypatch.setattr(retraining, "load_data", lambda *arguments: dataset())
    monkeypatch.setattr(
        retraining, "teaching_of", lambda planned, images, trains: trained.append(trains)
    )
    stand_in = SimpleNamespace(run=lambda: SimpleNamespace(outcome=None))
    monkeypatch.setattr(retraining, "_run_of", lambda *arguments: stand_in)
    for options in ({}, {"restart": True}):
        go(AskedRetraining({"baselines": False, **options}, run=run.path, dataset=dataset()))
    assert trained == [False, True]


def test_a_supernet_is_built_only_where_a_network_is_still_to_be_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = untrained_run(tmp_path / "run")
    taken: list[RunFolder] = []
    monkeypatch.setattr(retraining, "load_data", lambda *arguments: dataset())
    monkeypatch.setattr(retraining, "check_inherits", lambda *arguments: None)
    monkeypatch.setattr(
        retraining, "inherited_weights", lambda folder, *arguments: taken.append(folder)
    )
    stand_in = SimpleNamespace(run=lambda: SimpleNamespace(outcome=None))
    monkeypatch.setattr(retraining, "_run_of", lambda *arguments: stand_in)
    asked = {"baselines": False, "inherit": True}
    go(AskedRetraining(asked, run=run.path, dataset=dataset()))
    assert len(taken) == 1
    run.write(TRAINED, name="searched")
    go(AskedRetraining(asked, run=run.path, dataset=dataset()))
    assert len(taken) == 1
