"""What no trial could come to, refused before any image is decoded."""

from __future__ import annotations

import math

from nas.architecture.spec import Architecture
from nas.cost.constraints import Bounds, quantities
from nas.data import split_holdout
from nas.data.look import Looks
from nas.errors import InputError
from nas.hardware.measurable import check_measurable
from nas.hardware.predictor import SpaceLatency
from nas.pipeline.trial_bench import JUDGING_SHARE, stop_steps
from nas.pipeline.trial_candidates import (
    candidates_of,
    check_some_are_kept,
    grid_size,
    has_choice,
)
from nas.runs.trials import BOUNDED, TrialsConfig, can_be_told
from nas.search_space.knob_space import KnobSpace
from nas.search_space.space import Space
from nas.selection.contradictions import check_bounds
from nas.system.console import out
from nas.training.rates import cut_text
from nas.training.recipe import Recipe
from nas.training.suits import check_suits
from nas.tuning.budgets import parse_budget
from nas.tuning.parameters import Value
from nas.tuning.tune import ends_of, parse_tune


def check_trials(config: TrialsConfig, space: Space | KnobSpace, looks: Looks) -> None:
    """Refuses what trials of these images could not come to.

    Args:
        config: What is asked for.
        space: That networks come from; without a choice where there is one network.
        looks: What is known of the images.

    Raises:
        InputError: A quantity that nothing tells, a metric that the images cannot give, bounds that
            no network keeps, a grid of endlessly many, rungs that end at one step, or a value of a
            knob that says nothing for the networks, such as dropout without such a layer.
        DataError: Too few images of a class to judge on some of them.
    """
    _check_quantities(config, space)
    _check_recipes(config, space)
    learned, judging = split_holdout(
        len(looks.train_labels), looks.train_labels, JUDGING_SHARE, config.seed
    )
    for warning in config.trained_metrics.check(looks.train_labels[judging], looks.class_names):
        out.print(f"Warning: {warning}", markup=False)
    for warning in config.judged.check(looks.evaluation_labels, looks.class_names):
        out.print(f"Warning, of the evaluation images: {warning}", markup=False)
    if isinstance(space, KnobSpace):
        check_some_are_kept(space, candidates_of(config, space), config)
    elif space.choices:
        _check_bounds(config, space)
    if config.sampler == "grid":
        grid_size(config, space)
    _check_batches(config, len(learned))
    _check_steps(config, len(learned))
    if cut := cut_text(config.recipe.batch_size, len(learned)):
        out.print(f"Trials have steps of {len(learned)} images{cut}.", markup=False)


def check_ms(config: TrialsConfig, space_name: str, latency: SpaceLatency) -> None:
    """Refuses milliseconds that no network of the space keeps.

    Args:
        config: What is asked for.
        space_name: Of the space.
        latency: Of the space.

    Raises:
        InputError: A budget is below the least prediction of the space.
    """
    least_ms = latency.range_ms()[0]
    for budget in config.parsed_budgets:
        if budget.objective.name == "ms" and budget.limit < least_ms:
            raise InputError(
                f"a budget of ms that a network of space `{space_name}` can keep: "
                f"{least_ms:.4g} or more",
                f"--budgets {budget.text}",
                "loosen it, or choose another --space",
            )


def _check_bounds(config: TrialsConfig, space: Space) -> None:
    """Refuses counts that no network of the space keeps, each named as it was written."""
    try:
        check_bounds(space.name, quantities(space, all_bounds(config)))
    except InputError as error:
        parts = [error.expected, error.received, error.fix]
        names = {name: bound for bound, name in BOUNDED.items()}
        for budget in map(parse_budget, config.budgets):
            if budget.objective.name in names:
                flag = f"--{names[budget.objective.name]} {math.floor(budget.limit)}"
                parts = [part.replace(flag, f"--budgets {budget.text}") for part in parts]
        raise InputError(*parts) from None


def all_bounds(config: TrialsConfig) -> Bounds:
    """Bounds of a network's counts, those of `--budgets` among them.

    Args:
        config: What is asked for.
    """
    names = {name: bound for bound, name in BOUNDED.items()}
    budgets = (b for b in config.parsed_budgets if b.objective.name in names)
    return Bounds(**{names[b.objective.name]: math.floor(b.limit) for b in budgets})


def _check_quantities(config: TrialsConfig, space: Space | KnobSpace) -> None:
    can = can_be_told(of_networks=has_choice(space))
    if isinstance(space, KnobSpace):
        # A table has rows for places and their options, which such a space has none of.
        can = tuple(name for name in can if name != "ms")
    named = {
        "objectives": config.parsed_objectives,
        "budgets": [budget.objective for budget in config.parsed_budgets],
    }
    for flag, objectives in named.items():
        for objective in objectives:
            if objective.name not in can:
                why = "" if has_choice(space) else ", where all trials have one network"
                if isinstance(space, KnobSpace) and objective.name == "ms":
                    raise InputError(
                        f"--{flag} out of {', '.join(can)}",
                        f"{objective.text}, which is predicted from a table of a space's places; "
                        f"the knobs of space {space.name} hold for the whole network",
                        "name bops, macs or memory_bytes, and measure what was found by main.py",
                    )
                is_alike = objective.name in can_be_told()
                cause = "which all trials have alike" if is_alike else "which nothing here measures"
                raise InputError(
                    f"--{flag} out of {', '.join(can)}{why}",
                    f"{objective.text}, {cause}",
                    f"leave {objective.text} out, or name another one of these",
                )
            if objective.name == "ms" and isinstance(space, Space):
                check_measurable(space)


def _check_recipes(config: TrialsConfig, space: Space | KnobSpace) -> None:
    """Refuses a recipe, or an end of a knob's values, that says nothing for the networks."""
    network = _one_network(config, space)
    check_suits(network, config.recipe)
    for knob in config.knobs:
        for value in ends_of(knob):
            recipe = _changed(config.recipe, knob.name, value)
            if recipe is not None:
                check_suits(network, recipe)


def _one_network(config: TrialsConfig, space: Space | KnobSpace) -> Architecture:
    """A network that has what recipes speak of, wherever another one of the space has it."""
    if isinstance(space, Space):
        return space.largest()
    candidates = candidates_of(config, space)
    return candidates.network(candidates.original(config.recipe))


def _changed(recipe: Recipe, knob: str, value: Value) -> Recipe | None:
    """The recipe with one other value; None where it goes with no other of the recipe's own."""
    try:
        return recipe.changed(**{knob: value})
    except InputError:
        return None


def _check_batches(config: TrialsConfig, images: int) -> None:
    """Refuses batches of more images than there are: trials of them would all be the same."""
    for knob in parse_tune(config.tune) if config.tune else ():
        sizes = [size for size in ends_of(knob) if isinstance(size, int)]
        if knob.name == "batch_size" and max(sizes) > images:
            raise InputError(
                f"values of batch_size in --tune of {images} or less, the images that trials learn "
                "from",
                f"{max(sizes)}",
                f"leave out what is above {images}",
            )


def _check_steps(config: TrialsConfig, images: int) -> None:
    """Refuses rungs that end at one step, whichever batch size a trial has."""
    sizes = [ends_of(knob) for knob in config.knobs if knob.name == "batch_size"]
    for size in (config.recipe.batch_size, *(end for ends in sizes for end in ends)):
        recipe = config.recipe.changed(batch_size=size)
        stop_steps(recipe, images, config.scheduler.ladder)
