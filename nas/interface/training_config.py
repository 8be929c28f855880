"""What the networks of a run are trained with: options, else what began, else the run's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from latency.command_line import with_flags
from nas.errors import InputError
from nas.interface import rules
from nas.interface.asked import compute_of
from nas.recipes.scales import Scale
from nas.runs.config import AnyConfig, TrainingConfig
from nas.runs.data import OF_FILES
from nas.runs.folder import RunFolder
from nas.runs.records import Baselines
from nas.training.recipe import Recipe

RECIPE_OPTIONS = ("epochs", "batch_size", "optimizer", "learning_rate", "label_smoothing")
# Epochs of networks that start from a supernet's weights, a share of those from random weights.
SHORT = 1 / 3
NOT_RECORDED = ("data_dir", *OF_FILES, "image_size", "smoke")
# Option -> what the record of a training says it is.
RECORDED: dict[str, Callable[[TrainingConfig], Any]] = {
    "epochs": lambda t: t.recipe.epochs,
    "batch_size": lambda t: t.recipe.batch_size,
    "optimizer": lambda t: t.recipe.optimizer,
    "learning_rate": lambda t: t.recipe.peak_rate,
    "label_smoothing": lambda t: t.recipe.label_smoothing,
    "flip": lambda t: t.recipe.augmentation.flip,
    "seed": lambda t: t.seed,
    "mixed_precision": lambda t: t.compute.mixed_precision,
    "data_parallel": lambda t: t.compute.data_parallel,
    "inherit": lambda t: t.inherits,
}


def said_again(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Words of a command that goes on with a training: what no record of the run remembers.

    Args:
        options: As `RetrainOptions`, with `data_dir` if it is a path.
    """
    given = {name: options[name] for name in NOT_RECORDED if rules.says(options, name)}
    # Images that a program handed over have no word.
    named = {n: v for n, v in given.items() if isinstance(v, bool | int | str | Path)}
    return tuple(with_flags((), named))


def training_config(
    folder: RunFolder, config: AnyConfig, sizes: Scale, options: Mapping[str, Any]
) -> TrainingConfig:
    """The recipe of every network of a run, and writes it down.

    Args:
        folder: Of the run.
        config: Of the run.
        sizes: The run's own, or toy size where that is asked for now.
        options: As `RetrainOptions`.

    Raises:
        InputError: A training has begun with another recipe.
    """
    if options.get("restart"):
        _forget(folder)
    if has_begun(folder) and folder.has(TrainingConfig):
        return _begun(folder, options)
    training = TrainingConfig(
        recipe=_recipe(config, sizes, options),
        seed=options.get("seed", 0),
        compute=compute_of(options),
        inherits=bool(options.get("inherit", False)),
        seeds=options.get("seeds", 1),
    )
    folder.write(training)
    return training


def _recipe(config: AnyConfig, sizes: Scale, options: Mapping[str, Any]) -> Recipe:
    flip = config.recipe.augmentation.flip
    recipe = config.recipe
    if sizes.name != config.scale:
        recipe = sizes.recipe_for(config.data.kind == "sample").with_flip(flip)
    chosen = {name: options[name] for name in RECIPE_OPTIONS if name in options}
    return recipe.changed(**chosen).resolved().with_flip(options.get("flip", flip))


def _begun(folder: RunFolder, options: Mapping[str, Any]) -> TrainingConfig:
    """The recipe of a training that has begun; others are refused."""
    training = folder.read(TrainingConfig)
    for name, recorded in RECORDED.items():
        if name in options and options[name] != recorded(training):
            raise InputError(
                f"--{name} {recorded(training)}, as this run's training began",
                f"{options[name]}",
                "leave the flag out to go on, or add --restart to train anew",
            )
    return _with_seeds(folder, training, options)


def _with_seeds(
    folder: RunFolder, training: TrainingConfig, options: Mapping[str, Any]
) -> TrainingConfig:
    """More seeds than a training began with are further trainings; fewer would forget some."""
    seeds = options.get("seeds", training.seeds)
    if seeds < training.seeds:
        raise InputError(
            f"--seeds {training.seeds} or more, as this run's training began",
            f"{seeds}",
            "leave the flag out to go on, or add --restart to train anew",
        )
    if seeds > training.seeds:
        training = replace(training, seeds=seeds)
        folder.write(training)
    return training


def has_begun(folder: RunFolder) -> bool:
    """Whether a training of the run was begun.

    Args:
        folder: Of the run.
    """
    return any((folder.path / "retrained").glob("*.json")) or any(
        (folder.path / "checkpoints").glob("retrain_*.npz")
    )


def _forget(folder: RunFolder) -> None:
    """Removes what an earlier retraining of a run left, and what was compared by it.

    Args:
        folder: Of the run.
    """
    for path in [
        *(folder.path / "retrained").glob("*.json"),
        *(folder.path / "checkpoints").glob("retrain_*.npz"),
    ]:
        path.unlink()
    folder.path_of(Baselines).unlink(missing_ok=True)


def front_training(
    runs: Sequence[tuple[RunFolder, AnyConfig]],
    sizes: Scale,
    options: Mapping[str, Any],
    inherits: bool,
) -> TrainingConfig:
    """The one recipe of all networks of a front, written into each of their folders.

    Networks that start from a supernet's weights get `SHORT` of the usual epochs, unless something
    else is asked for.

    Args:
        runs: Folder and configuration of each network's run.
        sizes: The runs' own, or toy size where that is asked for now.
        options: As `RetrainOptions`.
        inherits: Whether networks start from a supernet's weights, where nothing has begun.

    Raises:
        InputError: Trainings have begun with another recipe, or with several ones.
    """
    begun = [] if options.get("restart") else [run for run in runs if has_begun(run[0])]
    if not begun:
        chosen = {**options, "inherit": inherits}
        folder, config = runs[0]
        if inherits and not {"epochs", "recipe"} & set(options):
            own = config.recipe if sizes.name == config.scale else sizes.recipe
            chosen["epochs"] = SHORT * own.epochs
        return [training_config(folder, config, sizes, chosen) for folder, config in runs][-1]
    trainings = [training_config(folder, config, sizes, options) for folder, config in begun]
    training = replace(trainings[0], seeds=max(other.seeds for other in trainings))
    for (folder, _), other in zip(begun, trainings, strict=True):
        if replace(other, seeds=training.seeds) != training:
            raise InputError(
                f"networks of one recipe: that of {begun[0][0].path.name}",
                f"another one, or another start, in {folder.path.name}",
                "add --restart to train all of them anew",
            )
    for folder, _ in runs:
        folder.write(training)
    return training
