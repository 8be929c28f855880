"""A teacher that the run itself would replace: its trainings learn from a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.errors import InputError
from nas.interface.asked import given_network_config
from nas.interface.front_training import front_training
from nas.interface.training_config import training_config
from nas.recipes.scales import SMOKE
from nas.runs.config import AnyConfig, TrainingConfig
from nas.runs.data import DataSource
from nas.runs.folder import RunFolder
from nas.training.teachers.reading import read_teacher
from nas.training.teachers.settings import Distillation
from tests.support.teachers import ToyTeacher

SIZE = 8
CONFIG: AnyConfig = given_network_config({}, DataSource(), "main.py", SIZE)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return trained_run(tmp_path / "run")


def trained_run(path: Path) -> RunFolder:
    folder = RunFolder.create(path, CONFIG, "test")
    (folder.path / "largest").mkdir()
    for name in ("model.onnx", "largest/model.onnx"):
        ToyTeacher(classes=4, size=SIZE).write(folder.path / name)
    return folder


def begun(run: RunFolder, teacher: str | Path) -> Distillation:
    options = {"teacher": str(teacher), "restart": True}
    found = training_config(run, CONFIG, SMOKE, options)
    assert run.read(TrainingConfig) == found
    return found.recipe.distillation


@pytest.mark.parametrize("name", ["", "largest", "model.onnx"])
def test_a_teacher_of_the_run_itself_is_kept_when_trainings_replace_it(
    name: str, run: RunFolder
) -> None:
    settings = begun(run, run.path / name)
    for replaced in ("model.onnx", "largest/model.onnx"):
        ToyTeacher(classes=4, size=SIZE, seed=1).write(run.path / replaced)
    file = "largest/model.onnx" if name == "largest" else "model.onnx"
    assert settings.teacher == str(run.path / "teacher" / file)
    assert read_teacher(settings, SIZE) is not None
    # Whoever goes on reads the same one, also by the same words, and may begin anew with it.
    run.checkpoint("retrain_searched").write_bytes(b"")
    for options in ({}, {"teacher": str(run.path / name)}):
        again = training_config(run, CONFIG, SMOKE, options).recipe.distillation
        assert (again, again.teacher) == (settings, settings.teacher)
    other = run.path / ("model.onnx" if name == "largest" else "largest")
    with pytest.raises(InputError, match="the teacher that the training began with"):
        training_config(run, CONFIG, SMOKE, {"teacher": str(other)})
    anew = begun(run, run.path / "teacher" / file)
    assert (anew, anew.teacher) == (settings, settings.teacher)


def test_a_teacher_that_lies_elsewhere_is_read_where_it_is(run: RunFolder, tmp_path: Path) -> None:
    path = ToyTeacher(classes=4, size=SIZE).write(tmp_path / "big.onnx")
    assert begun(run, path).teacher == str(path)
    assert not (run.path / "teacher").exists()


def test_a_sweep_keeps_the_teacher_that_one_of_its_goals_is(tmp_path: Path) -> None:
    sweep = RunFolder.create(tmp_path / "sweep", CONFIG, "test")
    runs = [(trained_run(sweep.path / name), CONFIG) for name in ("first", "second")]
    # A new training forgets what was exported beside the network.
    teacher = ToyTeacher(classes=4, size=SIZE).write(runs[0][0].path / "model_int8.onnx")
    options = {"teacher": str(teacher), "restart": True}
    training = front_training(sweep, runs, SMOKE, options, inherits=False)
    kept = sweep.path / "teacher" / "first" / "model_int8.onnx"
    assert training.recipe.distillation.teacher == str(kept)
    assert read_teacher(training.recipe.distillation, SIZE) is not None
    for folder, _ in runs:
        assert folder.read(TrainingConfig).recipe == training.recipe
