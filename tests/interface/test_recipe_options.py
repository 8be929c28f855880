"""Knobs as options: one line each, checked before any work, compared on a begun training."""

from __future__ import annotations

import typing
from typing import Any

import pytest

from nas.cli import flags as strict_flags
from nas.cli.program import retrain_flags
from nas.errors import InputError
from nas.interface.recipe_options import KNOBS, RecipeOptions, check, chosen, difference
from nas.recipes import RECIPES
from nas.training.knobs import NONE
from nas.training.recipe import Recipe


def test_every_knob_is_an_option_of_its_type() -> None:
    """A new field of the recipe needs one line in `RecipeOptions`."""
    hints = typing.get_type_hints(RecipeOptions)
    assert list(hints) == list(KNOBS)
    for name, knob in KNOBS.items():
        kinds = {kind for kind in typing.get_args(hints[name]) or (hints[name],)}
        assert knob.optional == (typing.Literal["none"] in kinds), name
        if knob.kind in (bool, int, float, str):
            assert knob.kind in kinds, name


def test_every_flag_reads_none_where_the_knob_may_have_no_value() -> None:
    for name, knob in KNOBS.items():
        values = retrain_flags()
        if knob.optional:
            strict_flags.parse(values, ["main.py", f"--{name}", NONE])
            assert chosen(strict_flags.given(values)) == {name: None}
        elif knob.kind is not str:
            with pytest.raises(InputError):
                strict_flags.parse(values, ["main.py", f"--{name}={NONE}"])


def test_flags_are_read_into_the_values_of_fields() -> None:
    values = retrain_flags()
    words = ["--epochs", "2", "--noflip", "--rate_batch_size", "1e2", "--optimizer", "sgd"]
    strict_flags.parse(values, ["main.py", *words])
    wanted = {"epochs": 2.0, "flip": False, "rate_batch_size": 100, "optimizer": "sgd"}
    assert chosen(strict_flags.given(values)) == wanted


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"recipe": "imges"}, "write 'images'"),
        ({"epochs": 0.0}, "epochs to be a number above 0"),
        ({"batch_size": 1}, "batch_size to be a whole number, 2 or more"),
        ({"schedule": "one-cycle"}, "write 'one_cycle'"),
        ({"optimizer": "adam"}, "write 'adamw'"),
        ({"label_smoothing": "much"}, "label_smoothing to be a number"),
        ({"crop_padding_pixels": -1}, "crop_padding_pixels"),
        ({"flip": "sideways"}, "flip to be true or false"),
    ],
)
def test_what_no_recipe_can_have_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as refused:
        check(options)
    assert said in str(refused.value)


@pytest.mark.parametrize("name", RECIPES.names)
def test_a_training_goes_on_with_the_knobs_that_it_began_with(name: str) -> None:
    begun = RECIPES[name].resolved()
    same = {knob.name: knob.of(begun) for knob in KNOBS.values()}
    assert difference(begun, {n: NONE if v is None else v for n, v in same.items()}) is None
    assert difference(begun, {"learning_rate": begun.peak_rate}) is None
    assert difference(begun, {"warmup_share": 0.3}) == ("warmup_share", begun.warmup_share)
    twice = {"learning_rate": 2 * begun.peak_rate}
    assert difference(begun, twice) == ("learning_rate", begun.peak_rate)


def test_a_rate_for_another_batch_is_used_by_the_rule_of_the_optimizer() -> None:
    values = chosen({"learning_rate": 0.1, "rate_batch_size": 128, "batch_size": 512})
    recipe = Recipe(1.0, optimizer="sgd").changed(**values)
    assert recipe.peak_rate == pytest.approx(0.4)  # in proportion
