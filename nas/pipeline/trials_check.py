"""What no trial could come to, refused before any image is decoded."""

from __future__ import annotations

import math

from nas.cost.constraints import Bounds, quantities
from nas.data import split_holdout
from nas.data.look import Looks
from nas.errors import InputError
from nas.pipeline.trial_task import JUDGING_SHARE, stop_steps
from nas.runs.trials import BOUNDED, TrialsConfig, can_be_told
from nas.search_space.space import Space
from nas.selection.contradictions import check_bounds
from nas.system.console import out
from nas.tuning.tune import ends_of


def check_trials(config: TrialsConfig, space: Space, looks: Looks) -> None:
    """Refuses what trials of these images could not come to.

    Args:
        config: What is asked for.
        space: That networks come from; without a choice where there is one network.
        looks: What is known of the images.

    Raises:
        InputError: A quantity that nothing tells, a metric that the images cannot give, bounds that
            no network keeps, or rungs that end at one step.
        DataError: Too few images of a class to judge on some of them.
    """
    _check_quantities(config, space)
    learned, judging = split_holdout(
        len(looks.train_labels), looks.train_labels, JUDGING_SHARE, config.seed
    )
    for warning in config.trained_metrics.check(looks.train_labels[judging], looks.class_names):
        out.print(f"Warning: {warning}", markup=False)
    for warning in config.judged.check(looks.evaluation_labels, looks.class_names):
        out.print(f"Warning, of the evaluation images: {warning}", markup=False)
    if space.choices:
        check_bounds(space.name, quantities(space, all_bounds(config)))
    _check_steps(config, len(learned))


def all_bounds(config: TrialsConfig) -> Bounds:
    """Bounds of a network's counts, those of `--budgets` among them.

    Args:
        config: What is asked for.
    """
    names = {name: bound for bound, name in BOUNDED.items()}
    budgets = (b for b in config.parsed_budgets if b.objective.name in names)
    return Bounds(**{names[b.objective.name]: math.floor(b.limit) for b in budgets})


def _check_quantities(config: TrialsConfig, space: Space) -> None:
    can = can_be_told(of_networks=bool(space.choices))
    named = {
        "objectives": config.parsed_objectives,
        "budgets": [budget.objective for budget in config.parsed_budgets],
    }
    for flag, objectives in named.items():
        for objective in objectives:
            if objective.name not in can:
                why = "" if space.choices else ", where all trials have one network"
                is_alike = objective.name in can_be_told()
                cause = "which all trials have alike" if is_alike else "which nothing here measures"
                raise InputError(
                    f"--{flag} out of {', '.join(can)}{why}",
                    f"{objective.text}, {cause}",
                    f"leave {objective.text} out, or name another one of these",
                )


def _check_steps(config: TrialsConfig, images: int) -> None:
    """Refuses rungs that end at one step, whichever batch size a trial has."""
    sizes = [ends_of(knob) for knob in config.knobs if knob.name == "batch_size"]
    for size in (config.recipe.batch_size, *(end for ends in sizes for end in ends)):
        recipe = config.recipe.changed(batch_size=size)
        stop_steps(recipe, images, config.scheduler.ladder)
