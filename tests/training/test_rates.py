"""Learning rates follow the optimizer and the batch, and a training says which and why."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from latency.device import strict_json
from nas.methods.config import GateConfig, gates_text
from nas.recipes import SAMPLE
from nas.recipes.scales import SCALES, Scale
from nas.training.optimizers import LINEAR, OPTIMIZERS, SQUARE_ROOT
from nas.training.rates import FEW_STEPS_SHARE, few_steps_text, recipe_text
from nas.training.recipe import Recipe

SAMPLE_IMAGES = 10_000


def test_sgd_does_not_take_the_rate_of_adamw() -> None:
    sgd = SAMPLE.changed(optimizer="sgd")
    own = OPTIMIZERS["sgd"]
    assert sgd.peak_rate == pytest.approx(own.learning_rate * 32 / own.batch_size)
    assert sgd.decay == own.weight_decay != SAMPLE.decay
    # And back again.
    assert sgd.changed(optimizer="adamw").decay == OPTIMIZERS["adamw"].weight_decay


def test_adams_rate_grows_with_the_root_of_the_batch_and_sgds_in_proportion() -> None:
    assert SAMPLE.changed(batch_size=512).peak_rate == pytest.approx(0.006 * 4)
    sgd = Recipe(1.0, 32, "sgd")
    assert sgd.changed(batch_size=512).peak_rate == pytest.approx(16 * sgd.peak_rate)
    assert (LINEAR.factor(512, 32), SQUARE_ROOT.factor(512, 32)) == (16, 4)


@pytest.mark.parametrize("changes", [{}, {"batch_size": 512}, {"optimizer": "sgd"}])
def test_a_rate_that_is_given_is_used_as_it_is(changes: dict[str, object]) -> None:
    for recipe in (SAMPLE, Recipe(1.0), SAMPLE.resolved()):
        assert recipe.changed(learning_rate=0.05, **changes).peak_rate == 0.05


def test_a_recipe_of_an_earlier_run_keeps_its_rate_until_something_is_changed() -> None:
    """Their files have a rate and no `rate_batch_size`."""
    old = strict_json.decode(
        Recipe,
        {"epochs": 5.0, "batch_size": 32, "learning_rate": 0.006, "weight_decay": 0.02},
        "an earlier run",
    )
    assert (old.peak_rate, old.decay) == (0.006, 0.02)
    found = old.resolved()
    assert (found.learning_rate, found.rate_batch_size, found.weight_decay) == (0.006, None, 0.02)
    assert old.changed(epochs=1.0).peak_rate == 0.006
    assert old.changed(batch_size=128).peak_rate == pytest.approx(0.012)
    assert old.changed(optimizer="sgd") == replace(
        old, optimizer="sgd", learning_rate=None, weight_decay=None
    )


def test_files_hold_the_numbers_and_not_that_there_were_none() -> None:
    """Another version may have other defaults; a run goes on with those that it began with."""
    for recipe in (Recipe(1.0, 256, "sgd"), SAMPLE, Scale.named("images").recipe_for(False)):
        written = json.loads(strict_json.dumps(recipe.resolved()))
        assert None not in (written["learning_rate"], written["weight_decay"])
        back = strict_json.decode(Recipe, written, "a test")
        assert (back.peak_rate, back.decay) == (recipe.peak_rate, recipe.decay)


def test_the_gates_rate_follows_the_batch_of_the_search() -> None:
    gates = Scale.named("sample").gates
    assert gates.rate_at(32) == 0.03
    assert gates.rate_at(512) == pytest.approx(0.12)
    assert GateConfig(learning_rate=0.2).rate_at(512) == 0.2
    assert "0.12: 0.03, made for 32 images a step, times the root of the ratio 512/32" in (
        gates_text(gates, 512)
    )


@pytest.mark.parametrize(
    ("recipe", "parts"),
    [
        (SAMPLE, ("adamw", "learning rate 0.006, made for 32", "1,563 steps of 32 images")),
        (
            SAMPLE.changed(batch_size=512),
            ("learning rate 0.024", "0.006, made for 32", "root of the ratio 512/32", "Malladi"),
        ),
        (
            Recipe(1.0, 256, "sgd"),
            ("sgd", "learning rate 0.8", "0.1, made for 32", "the ratio 256/32", "Goyal"),
        ),
        (SAMPLE.changed(learning_rate=0.5), ("learning rate 0.5, used as it was given",)),
    ],
)
def test_the_log_says_which_rate_which_steps_and_why(
    recipe: Recipe, parts: tuple[str, ...]
) -> None:
    text = recipe_text(recipe, SAMPLE_IMAGES)
    assert all(part in text for part in parts), text


def test_no_batch_is_larger_than_the_images() -> None:
    text = recipe_text(Recipe(1.0, 64), 16)
    assert "steps of 16 images" in text and "learning rate 0.003:" in text


def test_few_steps_are_warned_of_with_what_to_do() -> None:
    large = SAMPLE.changed(batch_size=512)
    text = few_steps_text(large, large.steps(SAMPLE_IMAGES))
    assert text is not None
    assert (
        "98 steps are few" in text and "made for 1,563" in text and "--batch_size below 512" in text
    )
    assert few_steps_text(SAMPLE, SAMPLE.steps(SAMPLE_IMAGES)) is None
    limit = round(FEW_STEPS_SHARE * 1563 + 1)
    assert few_steps_text(SAMPLE, limit) is None
    assert few_steps_text(SAMPLE, limit - 2) is not None
    assert few_steps_text(Recipe(1.0), 1) is None, "nobody said what this one was made for"


def test_the_proposed_epochs_give_the_steps() -> None:
    few = SAMPLE.changed(epochs=1.0)
    text = few_steps_text(few, few.steps(SAMPLE_IMAGES)) or ""
    epochs = float(text.rpartition("--epochs ")[2].rstrip("."))
    # Three digits are written.
    assert few.changed(epochs=epochs).steps(SAMPLE_IMAGES) == pytest.approx(1563, rel=0.01)


def test_each_scale_is_long_enough_for_what_it_says() -> None:
    """At its own lengths, the sample warns of nothing."""
    scale = SCALES["sample"]
    weights = scale.search_recipe
    assert few_steps_text(weights, weights.steps(8_000)) is None
    assert few_steps_text(scale.recipe, scale.recipe.steps(SAMPLE_IMAGES)) is None


def test_many_epochs_are_proposed_as_a_flag_takes_them() -> None:
    text = few_steps_text(replace(Recipe(30.0), made_for_steps=1_250), 30) or ""
    assert text.endswith("--epochs 1250.")


def test_the_shortest_training_is_told_with_the_steps_that_it_has() -> None:
    assert "; 2 steps of 16 images" in recipe_text(Recipe(0.5, 16), 21)
