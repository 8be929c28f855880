"""What a training says before it begins: its learning rate and why, its steps and whether few."""

from __future__ import annotations

from nas.training.optimizers import OPTIMIZERS, BatchRule
from nas.training.recipe import Recipe

# With half of the steps one network ended anywhere from 31 to 97 % over five seeds, with all of
# them from 98.5 to 99.7 % (docs/log.md); three quarters lie between.
FEW_STEPS_SHARE = 0.75


def rate_text(rate: float, named: float, made_for: int | None, batch: int, rule: BatchRule) -> str:
    """A learning rate and where it comes from.

    Args:
        rate: That is used.
        named: That was given, or is the optimizer's own.
        made_for: Images a step that the named one is meant for; None: it is used as it is.
        batch: Images a step that there are.
        rule: Of the optimizer.
    """
    if made_for is None:
        return f"learning rate {rate:.4g}, used as it was given"
    if made_for == batch:
        return f"learning rate {rate:.4g}, made for {batch} images a step"
    return (
        f"learning rate {rate:.4g}: {named:.4g}, made for {made_for} images a step, times "
        f"{rule.words} {batch}/{made_for} ({rule.source})"
    )


def recipe_text(recipe: Recipe, images: int) -> str:
    """One line: optimizer, learning rate and why, schedule, decay and steps.

    Args:
        recipe: Of the training.
        images: To learn from, 1 or more.
    """
    own, found = OPTIMIZERS[recipe.optimizer], recipe.resolved()
    batch = min(recipe.batch_size, images)
    named = own.learning_rate if found.learning_rate is None else found.learning_rate
    rate = own.rule.factor(batch, found.rate_batch_size or batch) * named
    text = rate_text(rate, named, found.rate_batch_size, batch, own.rule)
    return (
        f"{recipe.optimizer}: {text}; schedule {recipe.schedule}; weight decay {found.decay:g}; "
        f"{recipe.steps(images):,} steps of {batch} images{cut_text(recipe.batch_size, images)}"
    )


def cut_text(batch_size: int, images: int) -> str:
    """That batches are smaller than was asked for; nothing where they are not.

    Args:
        batch_size: Images a step that were asked for.
        images: To learn from.
    """
    return f", all there are, and not {batch_size:,}" if batch_size > images else ""


def few_steps_text(recipe: Recipe, steps: int, flag: str = "--epochs") -> str | None:
    """A warning where the steps are far fewer than the recipe was tried with; else None.

    Args:
        recipe: Of the training.
        steps: Of the training, 1 or more.
        flag: That the epochs are named by.
    """
    made_for = recipe.made_for_steps
    if made_for is None or steps >= FEW_STEPS_SHARE * made_for:
        return None
    epochs = float(f"{recipe.epochs * made_for / steps:.3g}")
    return (
        f"{steps:,} steps are few: the recipe was made for {made_for:,}, and networks may end "
        f"anywhere with fewer. Use a --batch_size below {recipe.batch_size}, or about {flag} "
        f"{epochs:.12g}."
    )
