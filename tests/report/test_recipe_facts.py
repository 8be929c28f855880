"""What pages say of a recipe."""

from __future__ import annotations

from dataclasses import fields

from nas.data.augment import Augmentation
from nas.data.augmentation.mixing import Mixing
from nas.recipes import RECIPES
from nas.report.recipe_facts import recipe_facts
from nas.training.recipe import Recipe


def test_knobs_that_are_off_are_not_told() -> None:
    found = recipe_facts(RECIPES["images"])
    assert found["crop_padding_pixels"] == 4 and found["flip"] is True
    off = ("l2", "rotation_degrees", "rand_augment_operations", "erasing_share", "cutout_pixels")
    assert not {*off, "mixing_probability", "teacher_weight", "teacher_sha256"} & found.keys()
    # Nothing is told where something is usual.
    plain = Recipe(1.0, label_smoothing=0.0, augmentation=Augmentation(0, flip=False))
    found = recipe_facts(plain)
    assert found["label_smoothing"] == 0.0 and found["flip"] is False
    assert found["crop_padding_pixels"] == 0


def test_one_knob_that_is_on_brings_those_that_decide_with_it() -> None:
    found = recipe_facts(Recipe(1.0, augmentation=Augmentation(mixing=Mixing(None, 1.0))))
    assert found["cutmix_alpha"] == 1.0 and found["mixing_probability"] == 1.0
    assert "mixup_alpha" not in found


def test_every_named_recipe_is_told_by_the_names_of_its_knobs() -> None:
    nested = {field.name for field in fields(Recipe)} & {"augmentation", "distillation"}
    for name in RECIPES.names:
        found = recipe_facts(RECIPES[name])
        assert found["epochs"] == RECIPES[name].epochs and not nested & found.keys()


def test_a_knob_that_says_nothing_without_another_one_is_told_beside_it_alone() -> None:
    assert "held_out_share" not in recipe_facts(Recipe(1.0))
    assert recipe_facts(Recipe(1.0, evaluate_every=0.5))["held_out_share"] == 0.1
    beside = {field.name: field.metadata.get("beside") for field in fields(Recipe)}
    assert beside["held_out_share"] == "evaluate_every" and set(beside.values()) < {None, *beside}
