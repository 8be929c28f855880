"""The teacher that a training is asked for: used, refused, or the one that it began with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from nas.errors import InputError
from nas.runs.config import TrainingConfig
from nas.runs.folder import RunFolder, disk_error
from nas.training.knobs import NONE
from nas.training.recipe import Recipe
from nas.training.teachers.reading import (
    check_same_file,
    is_copy,
    kept_in,
    teacher_file,
    with_file,
)
from nas.training.teachers.settings import Distillation

# Options that say something of a teacher alone, or of images held out for evaluations alone.
OF_TEACHER = tuple(
    field.name
    for field in fields(Distillation)
    if field.name != "teacher" and not field.metadata.get("is_fact")
)


def with_teacher(recipe: Recipe, options: Mapping[str, Any]) -> Recipe:
    """A recipe whose teacher's file was found and hashed.

    Args:
        recipe: With what was asked for.
        options: As `RetrainOptions`.

    Raises:
        LatencyError: There is no such file, or options that would say nothing without others.
    """
    check_beside(recipe, options)
    return replace(recipe, distillation=with_file(recipe.distillation))


def with_kept_teacher(training: TrainingConfig, run: RunFolder) -> TrainingConfig:
    """The same training, its teacher copied where the run's own trainings would replace it.

    Args:
        training: That is about to begin, or goes on.
        run: Folder of all that it trains: of the sweep, for a network of a front.

    Raises:
        LatencyError: The file cannot be read, or the copy not be written.
    """
    recipe = training.recipe
    try:
        kept = kept_in(run.path, recipe.distillation)
    except OSError as error:
        raise disk_error(run.path, error) from error
    return replace(training, recipe=replace(recipe, distillation=kept))


def check_beside(recipe: Recipe, options: Mapping[str, Any]) -> None:
    """Refuses options that say nothing of a recipe, as what they are about is not in it.

    Args:
        recipe: With what was asked for.
        options: As `RetrainOptions`.

    Raises:
        InputError: One is given.
    """
    if recipe.distillation.teacher is None:
        _refuse(OF_TEACHER, options, "--teacher")
    if recipe.evaluate_every is None:
        _refuse(("held_out_share",), options, "--evaluate_every")


def _refuse(names: tuple[str, ...], options: Mapping[str, Any], needed: str) -> None:
    for name in names:
        if options.get(name, NONE) != NONE:
            raise InputError(f"{needed} with --{name}", f"no {needed}", f"leave --{name} out")


def begun_teacher(begun: Recipe, options: Mapping[str, Any]) -> tuple[Recipe, Mapping[str, Any]]:
    """The recipe that a training began with, its teacher at the place where it lies now.

    Args:
        begun: That it began with.
        options: As `RetrainOptions`.

    Returns:
        The recipe, and the options that are still to be compared with it.

    Raises:
        LatencyError: Another teacher is named.
    """
    named = options.get("teacher")
    settings = begun.distillation
    # Where none is named, and where one of both is none, paths can be compared as they are.
    if named in (None, NONE) or settings.teacher is None:
        return begun, options
    path = teacher_file(named)
    if is_copy(Path(settings.teacher), path):
        path = Path(settings.teacher)
    check_same_file(path, settings.teacher_sha256)
    rest = {name: value for name, value in options.items() if name != "teacher"}
    return replace(begun, distillation=replace(settings, teacher=str(path))), rest
