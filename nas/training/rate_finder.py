"""Tries learning rates: one short training whose rate rises at each step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from nas.architecture.spec import Architecture
from nas.data import Dataset
from nas.errors import InputError
from nas.system.interrupt import Interrupter
from nas.training.lost import LostWeightsError
from nas.training.rate_curve import RateCurve, RatePlan, is_lost
from nas.training.recipe import Recipe
from nas.training.teachers.reading import read_teacher
from nas.training.trainer import Trainer


def try_rates(
    architecture: Architecture,
    dataset: Dataset,
    recipe: Recipe,
    plan: RatePlan,
    *,
    seed: int,
    interrupter: Interrupter,
    on_progress: Callable[[int, int], None],
) -> RateCurve:
    """The loss of a network over rising learning rates; its weights are thrown away.

    Args:
        architecture: Its classes must be the data's.
        dataset: Training images.
        recipe: Optimizer, batch, augmentation and loss.
        plan: Which rates are tried.
        seed: Of weights, dropout and data order, 0 or more.
        interrupter: Asked at each step whether to stop; nothing is saved.
        on_progress: Called with (steps done, steps in all).

    Raises:
        Interrupted: A signal came.
        InputError: The loss was lost at once.
    """
    images = np.arange(len(dataset.train.labels))
    ramp = _ramp_recipe(recipe, plan, len(images))
    teacher = read_teacher(recipe.distillation, dataset.image_size)
    trainer = Trainer(architecture, dataset.train, (images, None), ramp, seed, teacher)
    peak = trainer.steps.recipe.peak_rate
    trainer.steps.rate_of = lambda step: plan.rate(step, peak)
    rates: list[float] = []
    losses: list[float] = []
    batches = trainer.batches(0)
    with interrupter.deferred():
        for step in range(plan.steps):
            try:
                trainer.step(step, next(batches))
                loss = trainer.steps.take_logs()["loss"]
            except LostWeightsError:
                break
            rates.append(trainer.steps.rate)
            losses.append(loss)
            on_progress(step + 1, plan.steps)
            if interrupter.pending or is_lost(losses):
                break
    interrupter.raise_pending()
    if len(losses) < 2:
        raise InputError(
            "a loss that is finite at low learning rates",
            f"NaN or infinity at --learning_rate {plan.rate(0, peak):.3g}",
            "look for damaged images, or pass a lower --learning_rate to begin from",
        )
    return RateCurve.of(
        rates,
        losses,
        optimizer=recipe.optimizer,
        batch_size=trainer.steps.recipe.batch_size,
        recipe_rate=peak,
    )


def _ramp_recipe(recipe: Recipe, plan: RatePlan, images: int) -> Recipe:
    """The recipe for so many steps; the ramp takes the place of its schedule."""
    batch_size = min(recipe.batch_size, images)
    short = recipe.changed(schedule="constant", epochs=plan.steps * batch_size / images)
    return replace(short, average_share=None, image_sizes=None)
