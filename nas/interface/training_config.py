"""What the networks of a run are trained with: options, else what began, else the run's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from latency.command_line import with_flags
from nas.errors import InputError
from nas.interface import rules
from nas.interface.asked import compute_of
from nas.recipes.scales import Scale
from nas.runs.config import NETWORKS_FOLDER, AnyConfig, TrainingConfig
from nas.runs.data import OF_FILES
from nas.runs.folder import RunFolder
from nas.runs.records import Baselines
from nas.training.recipe import Recipe

RECIPE_OPTIONS = ("epochs", "batch_size", "optimizer", "learning_rate", "label_smoothing")
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
    if _has_begun(folder) and folder.has(TrainingConfig):
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


def _has_begun(folder: RunFolder) -> bool:
    """Whether a training of a run, or of a network of a comparison, has left anything."""
    traces = ("retrained/*.json", "checkpoints/retrain_*.npz", f"{NETWORKS_FOLDER}/*/config.json")
    return any(any(folder.path.glob(trace)) for trace in traces)


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
