"""The one recipe of all networks of a front: options, else what began, else a short one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nas.errors import InputError
from nas.interface import rules
from nas.interface.training_config import has_begun, training_config
from nas.recipes.scales import Scale
from nas.runs.config import AnyConfig, TrainingConfig
from nas.runs.folder import RunFolder
from nas.training.knobs import NONE

# What networks train by that start from a supernet's weights, unless something else is asked for.
RECIPE = "short"


def front_options(
    runs: Sequence[RunFolder], options: Mapping[str, Any], inherits: bool
) -> Mapping[str, Any]:
    """What is asked for, with what a new front does by itself.

    Args:
        runs: Folders of its networks.
        options: As `RetrainOptions`.
        inherits: Whether networks start from a supernet's weights, where nothing has begun.
    """
    if not options.get("restart") and any(map(has_begun, runs)):
        return options
    usual = {"recipe": RECIPE} if inherits else {}
    return {**usual, **options, "inherit": inherits}


def front_training(
    sweep: RunFolder,
    runs: Sequence[tuple[RunFolder, AnyConfig]],
    sizes: Scale,
    options: Mapping[str, Any],
    inherits: bool,
) -> TrainingConfig:
    """The one recipe of all networks of a front, written into each of their folders.

    Args:
        sweep: Its folder.
        runs: Folder and configuration of each network's run.
        sizes: The runs' own, or toy size where that is asked for now.
        options: As `RetrainOptions`.
        inherits: Whether networks start from a supernet's weights, where nothing has begun.

    Raises:
        InputError: Trainings have begun with another recipe, or with several ones.
    """
    begun = [] if options.get("restart") else [run for run in runs if has_begun(run[0])]
    options = front_options([folder for folder, _ in runs], options, inherits)
    trainings = []
    for folder, config in begun or runs:
        trainings.append(training_config(folder, config, sizes, options, sweep))
        if rules.says(options, "teacher"):  # by now its file may be one that was forgotten
            options = {**options, "teacher": trainings[0].recipe.distillation.teacher or NONE}
    if not begun:
        return trainings[-1]
    training = replace(trainings[0], seeds=max(other.seeds for other in trainings))
    for (folder, _), other in zip(begun, trainings, strict=True):
        # More seeds, a goal, metrics and exported files change nothing that was trained.
        same = replace(other, seeds=training.seeds, goal_top1=training.goal_top1)
        if replace(same, metrics=training.metrics, exports=training.exports) != training:
            raise InputError(
                f"networks of one recipe: that of {begun[0][0].path.name}",
                f"another one, or another start, in {folder.path.name}",
                "add --restart to train all of them anew",
            )
    for folder, _ in runs:
        folder.write(training)
    return training
