"""Knobs as options: one line each, checked before any work, compared on a begun training."""

from __future__ import annotations

import typing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas.cli import flags as strict_flags
from nas.cli.program import retrain_flags
from nas.errors import InputError
from nas.interface.recipe_options import KNOBS, RecipeOptions, check, chosen, difference
from nas.interface.training_config import new_training, training_config
from nas.recipes import RECIPES
from nas.runs.folder import RunFolder
from nas.training.knobs import NONE
from nas.training.recipe import Recipe
from tests.support.run_config import run_config


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


# Knob -> a value of it, and what has to stand beside it in the recipe.
DEPENDING: dict[str, tuple[Any, dict[str, Any]]] = {
    "mixing_probability": (0.5, {"mixup_alpha": 0.2}),
    "erasing_share": ((0.1, 0.2), {"erasing_probability": 0.5}),
    "rand_augment_operations": (3, {"rand_augment_magnitude": 9.0}),
    "momentum": (0.5, {"optimizer": "sgd"}),
    "warmup_share": (0.2, {"schedule": "linear"}),
    "last_share": (0.1, {"schedule": "linear"}),
    "base_share": (0.1, {"schedule": "triangular"}),
    "step_size_epochs": (0.1, {"schedule": "triangular"}),
    "gamma": (0.5, {"schedule": "exp_range"}),
    "stair_epochs": (0.1, {"schedule": "staircase"}),
    "points": (((0.0, 1.0), (0.1, 0.5)), {"schedule": "piecewise_linear"}),
}


@pytest.mark.parametrize("name", DEPENDING)
def test_a_knob_may_have_what_it_needs_in_the_recipe_of_its_run(name: str) -> None:
    value, beside = DEPENDING[name]
    check({name: value})
    config = run_config()
    own = replace(config, recipe=config.recipe.changed(**beside))
    trained_by = new_training(own, own.sizes, {name: value}).recipe
    assert KNOBS[name].of(trained_by) == value
    # A training that began with it goes on with it.
    assert difference(trained_by, {name: value}) is None
    lacking = "constant" if name == "points" else "piecewise_linear"
    other = replace(config, recipe=config.recipe.changed(schedule=lacking, optimizer="adamw"))
    with pytest.raises(InputError, match=name):
        new_training(other, other.sizes, {name: value})


def test_a_named_recipe_has_to_have_what_a_knob_needs() -> None:
    check({"recipe": "tiny_imagenet_long", "mixing_probability": 0.9})
    with pytest.raises(InputError, match="mixup_alpha or cutmix_alpha with mixing_probability"):
        check({"recipe": "images", "mixing_probability": 0.9})


@pytest.mark.parametrize("name", RECIPES.names)
def test_a_training_goes_on_with_the_knobs_that_it_began_with(name: str) -> None:
    begun = RECIPES[name].resolved()
    same = {knob.name: knob.of(begun) for knob in KNOBS.values()}
    assert difference(begun, {n: NONE if v is None else v for n, v in same.items()}) is None
    assert difference(begun, {"learning_rate": begun.peak_rate}) is None
    assert difference(begun, {"warmup_share": 0.3}) == ("warmup_share", begun.warmup_share)
    twice = {"learning_rate": 2 * begun.peak_rate}
    assert difference(begun, twice) == ("learning_rate", begun.peak_rate)


@pytest.mark.parametrize(
    ("began", "options", "name"),
    [
        ("resnet9_triangular", {"epochs": 0.001}, "epochs"),  # shorter than half a cycle
        ("resnet9", {"cutout_share": 0.5}, "cutout_share"),  # beside cutout_pixels
        ("tiny_imagenet_long", {"mixup_alpha": NONE, "cutmix_alpha": NONE}, "mixup_alpha"),
        ("sample", {"held_out_share": 0.2}, "held_out_share"),  # without evaluate_every
        ("sample", {"teacher_weight": 0.5}, "teacher_weight"),
        ("sample", {"momentum": 0.5}, "momentum"),
        ("sample", {"loss": "squared_hinge"}, "loss"),  # beside label_smoothing
    ],
)
def test_other_values_of_a_training_that_has_begun_are_refused_as_such(
    began: str, options: dict[str, Any], name: str, tmp_path: Path
) -> None:
    config = run_config()
    folder = RunFolder.create(tmp_path / "run", config, "test")
    begun = training_config(folder, config, config.sizes, {"recipe": began}).recipe
    folder.checkpoint("retrain_searched").write_bytes(b"")
    with pytest.raises(InputError, match="as this run's training began") as refused:
        training_config(folder, config, config.sizes, options)
    word = KNOBS[name].word(KNOBS[name].of(begun))
    assert refused.value.expected.startswith(f"--{name} {word}, as")
    assert "add --restart" in refused.value.fix


def test_a_rate_for_another_batch_is_used_by_the_rule_of_the_optimizer() -> None:
    values = chosen({"learning_rate": 0.1, "rate_batch_size": 128, "batch_size": 512})
    recipe = Recipe(1.0, optimizer="sgd").changed(**values)
    assert recipe.peak_rate == pytest.approx(0.4)  # in proportion
