"""Recipe, SearchConfig and Scale: what they refuse, and that files keep them whole."""

from __future__ import annotations

import importlib
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.trainings import POLICIES
from latency.device import strict_json
from latency.measurement.measure import MeasurePlan
from nas import recipes
from nas.data.augment import Augmentation
from nas.errors import InputError
from nas.methods.config import (
    GateConfig,
    PenaltyControl,
    SearchConfig,
    WarmUp,
    supernet_recipe,
)
from nas.recipes import RECIPES
from nas.recipes.scales import SCALES, Scale
from nas.training.recipe import Pace, Recipe
from nas.training.schedule_files import share_at
from nas.training.schedule_settings import ScheduleSettings


def through_a_file(record: Any) -> Any:
    value = json.loads(strict_json.dumps(record))
    return strict_json.decode(type(record), value, "a test")


@pytest.mark.parametrize(
    "record",
    [
        Recipe(3.0),
        Recipe(1, 8, "sgd", "constant", dropout=0.2, average_share=None),
        Recipe(1, 8, learning_rate=0.1, rate_batch_size=32, weight_decay=0.0, made_for_steps=9),
        Recipe(1, 8, "sgd").resolved(),
        Recipe(0.5, augmentation=Augmentation(crop_padding_pixels=0, flip=False)),
        Recipe(9.0, schedule="piecewise_linear").resolved(),
        Pace(1, 0.0),
        SearchConfig(weights=supernet_recipe(8.0)),
        SearchConfig(
            weights=supernet_recipe(2.0, 8, optimizer="sgd"),
            method="evolution",
            execution="masked",
            holdout_share=0.1,
            gates=GateConfig("threshold", 0.1, 2, 3.0, 1.0),
            warm_up=WarmUp.usual(gates_learn=False),
            penalty=PenaltyControl(0.1, 0.3, 0.01, 0.0),
        ),
        *SCALES.values(),
    ],
)
def test_a_file_keeps_every_field(record: Any) -> None:
    assert through_a_file(record) == record


WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: Recipe(0.0), "epochs to be a number above 0"),
    (lambda: Recipe(math.inf), "epochs"),
    (lambda: Recipe(1.0, 0), "batch_size to be a whole number, 1 or more"),
    (lambda: Recipe(1.0, 2.5), "batch_size"),  # type: ignore[arg-type]
    (lambda: Recipe(1.0, learning_rate=math.nan), "learning_rate"),
    (lambda: Recipe(1.0, learning_rate=0.1, rate_batch_size=0), "rate_batch_size"),
    (lambda: Recipe(1.0, rate_batch_size=8), "learning_rate beside rate_batch_size"),
    (lambda: Recipe(1.0, made_for_steps=0), "made_for_steps"),
    (lambda: GateConfig(rate_batch_size=0), "gates.rate_batch_size"),
    (lambda: Recipe(1.0, weight_decay=-0.1), "weight_decay"),
    (lambda: Recipe(1.0, optimizer="sgd", momentum=1.0), "momentum"),
    (lambda: Recipe(1.0, l2=-0.1), "l2"),
    (lambda: Recipe(1.0, clip_norm=0.0), "clip_norm to be a number above 0"),
    (lambda: Recipe(1.0, warmup_share=1.5), "warmup_share to be a number from 0 and up to 1"),
    (lambda: Recipe(1.0, label_smoothing=1.0), "label_smoothing"),
    (lambda: Recipe(1.0, dropout=1.0), "dropout"),
    (lambda: Recipe(1.0, average_share=0.0), "average_share"),
    (lambda: Augmentation(crop_padding_pixels=-1), "crop_padding_pixels"),
    (lambda: Pace(log_every=0), "log_every"),
    (lambda: Pace(checkpoint_seconds=-1.0), "checkpoint_seconds"),
    (lambda: GateConfig(form="open"), "gate to be one of categorical, threshold"),
    (lambda: GateConfig(every=0), "gates.every"),
    (lambda: WarmUp(share=0.2), "warm_up.largest_share to be a number from 0 and up to 0.2"),
    (lambda: PenaltyControl(multiplier_rate=0.0), "penalty.multiplier_rate"),
    (lambda: SearchConfig(weights=Recipe(1.0)), "average_share to be None"),
    (lambda: SearchConfig(weights=supernet_recipe(1.0), method="best"), "method to be one of"),
    (lambda: SearchConfig(weights=supernet_recipe(1.0), holdout_share=1.0), "holdout_share"),
    (lambda: replace(Scale.named("smoke"), search_batch_size=1), "search_batch_size"),
    (
        lambda: replace(Scale.named("smoke"), search_label_smoothing=1.0),
        "search_label_smoothing",
    ),
    (lambda: Scale.named("small"), "scale to be one of sample, images, smoke"),
]


@pytest.mark.parametrize(("make", "expected"), WRONG)
def test_what_is_out_of_range_is_refused_by_its_name(
    make: Callable[[], Any], expected: str
) -> None:
    with pytest.raises(InputError) as refused:
        make()
    assert expected in str(refused.value)
    assert refused.value.received and refused.value.fix


@pytest.mark.parametrize(("found", "nearest"), [("adamW", "adamw"), ("sdg", "sgd")])
def test_a_mistyped_optimizer_is_refused_with_the_nearest_name(found: str, nearest: str) -> None:
    with pytest.raises(InputError, match=f"adamw, sgd(?s:.*){found}(?s:.*)write '{nearest}'"):
        Recipe(1.0, optimizer=found)


def test_a_mistyped_schedule_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="one_cycle(?s:.*)one-cycle(?s:.*)write 'one_cycle'"):
        Recipe(1.0, schedule="one-cycle")


def test_usual_settings_of_trainings_and_searches() -> None:
    """Every figure in docs/results was made with these."""
    assert Recipe(1.0).resolved() == Recipe(
        epochs=1.0,
        batch_size=64,
        optimizer="adamw",
        schedule="one_cycle",
        learning_rate=0.006,
        rate_batch_size=64,
        weight_decay=0.02,
        warmup_share=0.1,
        label_smoothing=0.1,
        dropout=None,
        average_share=0.02,
        schedule_settings=ScheduleSettings(last_share=0.002),
        augmentation=Augmentation(crop_padding_pixels=4, flip=True),
    )
    weights = replace(Recipe(1.0, 128), learning_rate=0.004, weight_decay=0.02, average_share=None)
    assert SearchConfig(weights=supernet_recipe(1.0)) == SearchConfig(
        weights=weights,
        method="gradient",
        execution="sampled",
        holdout_share=0.2,
        gates=GateConfig("categorical", 0.03, 1, 2.0, 0.5),
        warm_up=WarmUp(0.6, 0.3, 0.9),
        penalty=PenaltyControl(0.2, 0.2, 0.02, 4.0),
    )
    assert WarmUp.usual(gates_learn=False) == WarmUp(1.0, 0.4, 0.9)


def test_scales_hold_the_lengths_of_each_job() -> None:
    def lengths(scale: Scale) -> tuple[float, ...]:
        return (
            scale.search_epochs,
            scale.epochs,
            scale.search_batch_size,
            scale.recipe.batch_size,
            scale.random_networks,
            scale.proposals,
            scale.trains_baselines,
        )

    assert lengths(Scale.named("sample")) == (12.0, 5.0, 32, 32, 2, 32, True)
    assert lengths(Scale.named("images")) == (8.0, 30.0, 64, 64, 3, 32, False)
    assert lengths(Scale.named("smoke")) == (1.0, 0.5, 16, 16, 1, 3, True)
    # Figures in docs/results were made with these rates at these batch sizes.
    rates = {
        name: (scale.recipe.peak_rate, scale.search_recipe.peak_rate, scale.gates.rate_at(b))
        for name, scale in SCALES.items()
        if (b := scale.search_batch_size) and name != "smoke"
    }
    assert rates == {"sample": (0.006, 0.004, 0.03), "images": (0.006, 0.004, 0.03)}
    # Every figure of real images in docs/results was made with smoothed labels.
    smoothing = {name: scale.search_label_smoothing for name, scale in SCALES.items()}
    assert smoothing == {"sample": 0.0, "images": 0.1, "smoke": 0.1}
    for name in ("sample", "images"):
        scale = Scale.named(name)
        assert (scale.search_pace.log_every, scale.pace.log_every) == (10, 20)
        assert scale.equal_margin == 0.02
        assert scale.measuring.table == MeasurePlan(max_rounds=90, max_wait_seconds=90.0)
        assert (scale.measuring.calibration_networks, scale.measuring.held_out_networks) == (10, 20)
        assert scale.measuring.uses_table_cache and scale.measuring.watches_known_networks
    smoke = Scale.named("smoke")
    assert smoke.pace == smoke.search_pace == Pace(1, 0.0)
    assert not smoke.measuring.uses_table_cache and not smoke.measuring.watches_known_networks


def test_the_scale_of_a_job() -> None:
    assert Scale.fitting(is_sample=True, smoke=False).name == "sample"
    assert Scale.fitting(is_sample=False, smoke=False).name == "images"
    assert Scale.fitting(is_sample=False, smoke=True).name == "smoke"
    for scale in SCALES.values():
        assert not scale.recipe_for(is_sample=True).augmentation.flip  # left and right are classes
    assert Scale.named("smoke").recipe_for(is_sample=False).augmentation.flip


FILES = sorted(Path(recipes.__file__).parent.glob("*.py"))
NO_RECIPES = {"__init__", "registry", "scales"}


def head_of(name: str) -> str:
    return importlib.import_module(f"nas.recipes.{name}").__doc__ or ""


def test_every_recipe_is_a_file_with_a_head_that_says_what_it_stands_for() -> None:
    assert {file.stem for file in FILES} - NO_RECIPES == set(RECIPES.names)
    for name in RECIPES.names:
        text = head_of(name)
        assert text.startswith(f"Recipe `{name}`: ")
        heads = re.findall(r"^(\w+): \S", text, re.MULTILINE)
        assert heads == ["Command", "Hardware", "Time", "Result", "n"], name


@pytest.mark.parametrize("name", RECIPES.names)
def test_every_recipe_can_be_written_shortened_and_run_by_its_command(name: str) -> None:
    recipe = RECIPES[name]
    assert through_a_file(recipe.resolved()) == recipe.resolved()
    assert recipe.shortened(0.5, 16).epochs == 0.5
    words = head_of(name).split("--recipe ")
    assert len(words) == 1 or words[1].split()[0].rstrip(",.") == name


def test_policies_of_resnet9_differ_in_nothing_but_the_course_of_the_rate() -> None:
    plain = RECIPES["resnet9"]
    assert "resnet9" in POLICIES
    for name in set(POLICIES) - {"resnet9"}:
        found = RECIPES[name]
        assert found.schedule != plain.schedule
        same = replace(
            found,
            schedule=plain.schedule,
            schedule_settings=plain.schedule_settings,
            warmup_share=plain.warmup_share,
            learning_rate=plain.learning_rate,
        )
        assert same == plain, name


def test_the_custom_course_is_the_formula() -> None:
    """0.5 * (1 + sin(x * pi / 2.5)) for the x-th triangle of eight epochs, from 0.001 to 0.4."""
    recipe = RECIPES["resnet9_custom"]
    course = recipe.course(20 * 98)
    for number, middle in ((1, 4), (2, 12), (3, 20)):
        step = min(middle * 98, 20 * 98 - 1)
        rate = recipe.peak_rate * share_at(recipe.schedule, step, course)
        height = 0.5 * (1 + math.sin(number * math.pi / 2.5))
        # The top lies up to half a step away, of 392 on a side.
        assert rate == pytest.approx(0.001 + 0.399 * height, rel=5e-3)
