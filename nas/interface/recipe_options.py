"""Knobs of a recipe as options of a retraining: one line each, and all else from the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

from nas.errors import InputError
from nas.recipes import RECIPES
from nas.system.paths import kept_path
from nas.training.knobs import Knob, Nothing, knobs_of
from nas.training.recipe import Recipe
from nas.training.schedule_settings import PARAMETERS
from nas.training.schedules import SCHEDULES


class RecipeOptions(TypedDict, total=False):
    """Knobs of a recipe, named as the fields of `Recipe` and of the records inside of it.

    These fields say what each means, its range and its default; `docs/recipes.md` has all of them
    in one table. `none` is no value, where a knob can have none. A new field gets one line here.
    """

    epochs: float
    batch_size: int
    optimizer: str
    schedule: str
    learning_rate: float | Nothing
    rate_batch_size: int | Nothing
    momentum: float | Nothing
    weight_decay: float | Nothing
    l2: float
    clip_norm: float | Nothing
    warmup_share: float | Nothing
    loss: str
    label_smoothing: float
    dropout: float | Nothing
    stochastic_depth: float
    image_sizes: Sequence[int] | str | Nothing
    average_share: float | Nothing
    last_share: float | Nothing
    base_share: float | Nothing
    step_size_epochs: float | Nothing
    gamma: float | Nothing
    stair_epochs: float | Nothing
    points: str | Sequence[tuple[float, float]] | Nothing
    crop_padding_pixels: int
    flip: bool
    rotation_degrees: float
    rand_augment_magnitude: float | Nothing
    rand_augment_operations: int
    trivial_augment: bool
    blur_sigma_pixels: float
    erasing_probability: float
    erasing_share: tuple[float, float] | str
    cutout_pixels: int | Nothing
    cutout_share: float | Nothing
    mixup_alpha: float | Nothing
    cutmix_alpha: float | Nothing
    mixing_probability: float
    teacher: str | Path | Nothing
    teacher_weight: float
    teacher_temperature: float
    teacher_input: str | Nothing
    evaluate_every: float | Nothing
    held_out_share: float


KNOBS: Mapping[str, Knob] = knobs_of(Recipe)
# Two knobs of one quantity: what counts is the rate that comes of them.
RATE = ("learning_rate", "rate_batch_size")
ENDLESS = 1e9  # epochs


def chosen(options: Mapping[str, Any]) -> dict[str, Any]:
    """Knob -> value of the field, of everything that was given.

    Args:
        options: As `RetrainOptions`; those of no recipe are passed over.

    Raises:
        InputError: The recipe is unknown, or a value has another form.
    """
    if "recipe" in options:
        RECIPES.check(options["recipe"])
    found = {name: KNOBS[name].value(options[name]) for name in KNOBS if name in options}
    return {name: _kept(KNOBS[name], value) for name, value in found.items()}


def _kept(knob: Knob, value: Any) -> Any:
    """A path as records keep it, whatever folder it was named from."""
    if not knob.is_path or value is None:
        return value
    path, colon, rest = value.rpartition(":")
    return kept_path(path) + colon + rest if path.endswith(".py") else value


def words(options: Mapping[str, Any]) -> dict[str, object]:
    """Flags and values that ask for the same recipe once more.

    Args:
        options: As `RetrainOptions`.
    """
    found: dict[str, object] = {"recipe": options["recipe"]} if "recipe" in options else {}
    for name, value in chosen(options).items():
        switch = f"no{name}" if value is False else name
        found[switch] = True if isinstance(value, bool) else KNOBS[name].word(value)
    return found


def check(options: Mapping[str, Any]) -> None:
    """Refuses what no recipe can have, before anything is read or written.

    What a knob needs beside it may stand in the recipe of a run: that is known when the run is,
    and the recipe that comes of both is checked as a whole then.

    Args:
        options: As `RetrainOptions`.

    Raises:
        InputError: A value is out of its range, of another form, or an unknown name; or a recipe
            is named that cannot have it.
    """
    values = chosen(options)
    if "recipe" in options:
        _endless(RECIPES[options["recipe"]]).changed(**values)
        return
    for name, value in values.items():
        errors = [error for base in _bases() if (error := _refusal(base, name, value))]
        if len(errors) == len(_bases()):
            raise errors[0]


def _endless(base: Recipe) -> Recipe:
    """A recipe as runs have it, with its numbers written out; nobody knows its epochs yet."""
    return base.changed(epochs=ENDLESS, **base.rates)


@cache
def _bases() -> tuple[Recipe, ...]:
    """Recipes of which one has whatever a knob needs beside it."""
    plain = _endless(Recipe(epochs=1.0))
    beside: dict[str, Any] = {
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "label_smoothing": 0.0,
        "rand_augment_magnitude": 9.0,
        "erasing_probability": 0.5,
        "mixup_alpha": 0.2,
    }
    return plain, *(plain.changed(schedule=name, **beside) for name in SCHEDULES)


def _refusal(base: Recipe, name: str, value: Any) -> InputError | None:
    try:
        base.changed(**{name: value})
    except InputError as error:
        return error
    return None


def difference(begun: Recipe, options: Mapping[str, Any]) -> tuple[str, Any] | None:
    """The first knob that is given and has another value than a training began with.

    Args:
        begun: That it began with, with every number written out.
        options: As `RetrainOptions`.

    Returns:
        Its name, and the value that it began with; None where all agree.
    """
    values = chosen(options)
    # None stands for a number of these that the record has written out.
    numbers = {*PARAMETERS, *begun.rates}
    for name, value in values.items():
        stands_for_number = value is None and name in numbers
        if name not in RATE and not stands_for_number and value != KNOBS[name].of(begun):
            return name, KNOBS[name].of(begun)
    now = begun.changed(**values).resolved()
    for name in values:
        if name in RATE:
            if now.peak_rate != begun.peak_rate:
                return name, begun.peak_rate
        elif KNOBS[name].of(now) != KNOBS[name].of(begun):
            return name, KNOBS[name].of(begun)
    return None
