"""What the networks of a run are trained with: options, else what began, else the run's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from latency.command_line import with_flags
from nas.architecture.spec import Architecture
from nas.errors import FieldError, InputError
from nas.interface import recipe_options, rules
from nas.interface.asked import compute_of, met_at
from nas.interface.asked_retraining import exports_gone_on_with, exports_of
from nas.interface.metric_options import (
    check_selection,
    gone_on_with,
    metrics_of,
    selection_of,
)
from nas.interface.teaching import begun_teacher, check_beside, with_kept_teacher, with_teacher
from nas.pipeline.forgetting import forget_training
from nas.recipes import RECIPES
from nas.recipes.scales import Scale
from nas.runs.config import NETWORKS_FOLDER, AnyConfig, TrainingConfig
from nas.runs.data import OF_FILES
from nas.runs.folder import RunFolder
from nas.training.recipe import Recipe
from nas.training.schedule_files import check_shares, fingerprint, is_file
from nas.training.suits import check_suits

NOT_RECORDED = ("data_dir", "sample", *OF_FILES, "image_size", "smoke")
# Option -> what the record of a training says it is, beside the knobs of its recipe.
RECORDED: dict[str, Callable[[TrainingConfig], Any]] = {
    "recipe": lambda t: t.named_recipe,
    "seed": lambda t: t.seed,
    "mixed_precision": lambda t: t.compute.mixed_precision,
    "data_parallel": lambda t: t.compute.data_parallel,
    "processes": lambda t: t.compute.processes,
    "inherit": lambda t: t.inherits,
}


def said_again(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Words of a command that goes on with a training: what no record of the run remembers.

    Args:
        options: As `RetrainOptions`, with `data_dir` if it is a path.
    """
    return tuple(with_flags((), _not_recorded(options)))


def rate_words(folder: RunFolder, options: Mapping[str, Any]) -> dict[str, object]:
    """Flags of the training that rates were tried for, but for those of its rate.

    Args:
        folder: Of the run; a training that has begun there must be forgotten first.
        options: As `RetrainOptions`.
    """
    seed = {"seed": options["seed"]} if "seed" in options else {}
    restart = {"restart": True} if has_begun(folder) else {}
    # A rate that products of one precision can take may be too large for another.
    compute = {name: options[name] for name in rules.COMPUTING if rules.says(options, name)}
    # What is suggested is used as it is, for the batches that it was tried with.
    rate, words = recipe_options.RATE, recipe_options.words(options)
    words = {name: value for name, value in words.items() if name not in rate}
    return {**_not_recorded(options), **words, **compute, **seed, **restart}


def _not_recorded(options: Mapping[str, Any]) -> dict[str, object]:
    given = {name: options[name] for name in NOT_RECORDED if rules.says(options, name)}
    # Images that a program handed over have no word.
    return {n: v for n, v in given.items() if isinstance(v, bool | int | str | Path)}


def check_training(
    folder: RunFolder,
    config: AnyConfig,
    sizes: Scale,
    options: Mapping[str, Any],
    *networks: Architecture,
) -> TrainingConfig:
    """What `training_config` will write down.

    A recipe is refused that cannot be, is not that of a training which has begun, or cannot train
    one of the networks; so is a network to begin with whose classifier has an activation.

    Args:
        folder: Of the run.
        config: Of the run.
        sizes: The run's own, or toy size where that is asked for now.
        options: As `RetrainOptions`.
        *networks: That are trained.

    Raises:
        InputError: One of these.
    """
    planned = _planned(folder, config, sizes, options)
    recipe, begins = planned.recipe, bool(options.get("restart")) or not has_begun(folder)
    # Earlier versions trained what is refused now, and what they began goes on.
    if _goes_on(folder, options) and "dropout" not in options:
        recipe = replace(recipe, dropout=None)
    for architecture in networks:
        if begins:
            architecture.check_scores()
        check_suits(architecture, recipe)
    return planned


def new_training(
    config: AnyConfig, sizes: Scale, options: Mapping[str, Any], *networks: Architecture
) -> TrainingConfig:
    """What a training that has no folder yet will write down.

    Args:
        config: Of the run that is to begin.
        sizes: The run's own.
        options: As `RetrainOptions`.
        *networks: That will be trained.

    Raises:
        InputError: A recipe that cannot be, or cannot train one of the networks; a network whose
            classifier has an activation.
    """
    planned = _new(config, sizes, options)
    for architecture in networks:
        architecture.check_scores()
        check_suits(architecture, planned.recipe)
    return planned


def training_config(
    folder: RunFolder,
    config: AnyConfig,
    sizes: Scale,
    options: Mapping[str, Any],
    sweep: RunFolder | None = None,
) -> TrainingConfig:
    """The recipe of every network of a run, and writes it down.

    Args:
        folder: Of the run.
        config: Of the run.
        sizes: The run's own, or toy size where that is asked for now.
        options: As `RetrainOptions`.
        sweep: That the run is trained with; None where it is trained alone.

    Raises:
        InputError: A training has begun with another recipe.
    """
    training = with_kept_teacher(_planned(folder, config, sizes, options), sweep or folder)
    if options.get("restart"):
        forget_training(folder)
    folder.write(training)
    return training


def _planned(
    folder: RunFolder, config: AnyConfig, sizes: Scale, options: Mapping[str, Any]
) -> TrainingConfig:
    if _goes_on(folder, options):
        return _begun(folder, options)
    found = _new(config, sizes, options)
    if options.get("restart") or not folder.has(TrainingConfig):
        return found
    began = folder.read(TrainingConfig).exports
    return replace(found, exports=exports_gone_on_with(options, began))


def _goes_on(folder: RunFolder, options: Mapping[str, Any]) -> bool:
    """Whether a training goes on by the recipe that it left."""
    # A training that was killed before its first checkpoint left its recipe alone.
    goes_on = has_begun(folder) or not _asks(options)
    return not options.get("restart") and goes_on and folder.has(TrainingConfig)


def _new(config: AnyConfig, sizes: Scale, options: Mapping[str, Any]) -> TrainingConfig:
    recipe = _recipe(config, sizes, options)
    check_shares(recipe.schedule, recipe.course(1))
    selection = selection_of(options)
    check_selection(selection, recipe)
    return TrainingConfig(
        recipe=recipe,
        schedule_fingerprint=fingerprint(recipe.schedule),
        named_recipe=options.get("recipe"),
        seed=options.get("seed", 0),
        compute=compute_of(options),
        inherits=bool(options.get("inherit", False)),
        seeds=options.get("seeds", 1),
        goal_top1=options.get("goal_top1"),
        metrics=metrics_of(options),
        selection=selection,
        exports=exports_of(options),
    )


def _asks(options: Mapping[str, Any]) -> bool:
    """Whether anything is said of how to train."""
    named = ("recipe", "smoke", *RECORDED)
    return bool(recipe_options.chosen(options)) or any(rules.says(options, n) for n in named)


def _recipe(config: AnyConfig, sizes: Scale, options: Mapping[str, Any]) -> Recipe:
    flip = config.recipe.augmentation.flip
    recipe = config.recipe
    if sizes.name != config.scale:
        recipe = sizes.recipe_for(config.data.kind == "sample").with_flip(flip)
    if "recipe" in options:
        recipe = _named(options["recipe"], sizes, flip)
    recipe = recipe.changed(**recipe_options.chosen(options)).resolved()
    _check_evaluations(recipe)
    return with_teacher(recipe, options)


def _check_evaluations(recipe: Recipe) -> None:
    """Refuses evaluations that would never come; earlier versions took them as the last one."""
    every = recipe.evaluate_every
    if every is not None and every > recipe.epochs:
        raise FieldError(
            f"evaluate_every up to {recipe.epochs:g}, the epochs of the training",
            f"{every:g}",
            f"set evaluate_every to {recipe.epochs:g} or less, or leave it out",
            "evaluate_every",
        )


def _named(name: str, sizes: Scale, flip: bool) -> Recipe:
    """A named recipe, by which no image is mirrored that the run does not mirror."""
    recipe = sizes.sized(RECIPES[name])
    return recipe.with_flip(recipe.augmentation.flip and flip)


def _begun(folder: RunFolder, options: Mapping[str, Any]) -> TrainingConfig:
    """The recipe of a training that has begun; others are refused."""
    training = folder.read(TrainingConfig)
    for name, recorded in RECORDED.items():
        if name in options and options[name] != recorded(training):
            raise _other(name, recorded(training), options[name])
    training, options = _begun_schedule(training, options)
    recipe, options = begun_teacher(training.recipe, options)
    changed = recipe_options.difference(recipe, options)
    if changed is not None:
        name, began = changed
        raise _other(name, recipe_options.KNOBS[name].word(began), options[name])
    check_beside(recipe, options)
    compute = met_at(training.compute, options)
    return _with_seeds(replace(training, recipe=recipe, compute=compute), options)


def _begun_schedule(
    training: TrainingConfig, options: Mapping[str, Any]
) -> tuple[TrainingConfig, Mapping[str, Any]]:
    """The training with its schedule's file where it lies now, and the options that are left."""
    began = training.recipe.schedule
    named = recipe_options.chosen(options).get("schedule", began)
    # Two functions, or a schedule without a file, are compared as they are.
    if not is_file(named) or named.rpartition(":")[2] != began.rpartition(":")[2]:
        return training, options
    if named != began and fingerprint(named) != training.schedule_fingerprint:
        raise _other_file(began, named)
    rest = {name: value for name, value in options.items() if name != "schedule"}
    return replace(training, recipe=replace(training.recipe, schedule=named)), rest


def check_schedule_file(training: TrainingConfig) -> None:
    """Refuses to train on by a schedule whose file has changed: it would be another curve.

    Args:
        training: That goes on, with networks that are still to be trained.

    Raises:
        InputError: The file has another content, or does not lie there any more.
    """
    name = training.recipe.schedule
    if fingerprint(name) != training.schedule_fingerprint:
        raise _other_file(name, name)


def _other_file(began: str, received: str) -> InputError:
    return InputError(
        f"the file of the schedule {began} as this run's training began",
        f"{received}, a file with another content",
        "bring the content back, name the file that has it with --schedule, or add --restart to "
        "train anew",
    )


def _other(name: str, began: Any, received: Any) -> InputError:
    return InputError(
        f"--{name} {began}, as this run's training began",
        f"{received}",
        "leave the flag out to go on, or add --restart to train anew",
    )


def _with_seeds(training: TrainingConfig, options: Mapping[str, Any]) -> TrainingConfig:
    """More seeds than a training began with are further trainings; fewer would forget some.

    A goal, metrics and exported files change nothing that is trained.
    """
    seeds = options.get("seeds", training.seeds)
    if seeds < training.seeds:
        raise InputError(
            f"--seeds {training.seeds} or more, as this run's training began",
            f"{seeds}",
            "leave the flag out to go on, or add --restart to train anew",
        )
    goal_top1 = options.get("goal_top1", training.goal_top1)
    metrics = gone_on_with(training, options)
    exports = exports_gone_on_with(options, training.exports)
    return replace(training, seeds=seeds, goal_top1=goal_top1, metrics=metrics, exports=exports)


def has_begun(folder: RunFolder) -> bool:
    """Whether a training of a run, or of a network of a comparison, has left anything.

    Args:
        folder: Of the run.
    """
    traces = ("retrained/*.json", "checkpoints/retrain_*.npz", f"{NETWORKS_FOLDER}/*/config.json")
    return any(any(folder.path.glob(trace)) for trace in traces)
