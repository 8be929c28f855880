"""Optimizers of the recipes: AdamW or SGD on a one-cycle schedule, weight decay on kernels only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from nas.training.schedules import one_cycle


def weights_optimizer(
    name: str,
    variables: Iterable[Any],
    *,
    learning_rate: float,
    weight_decay: float,
    ema_momentum: float | None,
) -> keras.optimizers.Optimizer:
    """An optimizer, built for `variables`, that decays kernels and leaves BN and biases alone.

    Args:
        name: `adamw` or `sgd` (Nesterov momentum 0.9).
        variables: What it will train.
        learning_rate: Rate of the first step; `set_rate` changes it.
        weight_decay: Decoupled decay.
        ema_momentum: Of the moving average of the weights; None for none.
    """
    average: dict[str, Any] = {}
    if ema_momentum is not None:
        average = {"use_ema": True, "ema_momentum": ema_momentum}
    if name == "adamw":
        optimizer = keras.optimizers.AdamW(
            learning_rate, weight_decay=weight_decay, beta_2=0.99, **average
        )
    else:
        optimizer = keras.optimizers.SGD(
            learning_rate, momentum=0.9, nesterov=True, weight_decay=weight_decay, **average
        )
    variables = list(variables)
    flat = [v for v in variables if len([n for n in v.shape if n > 1]) < 2]
    optimizer.exclude_from_weight_decay(var_list=flat)
    optimizer.build(variables)
    return optimizer


def set_rate(
    optimizer: keras.optimizers.Optimizer, peak: float, step: int, total: int, warmup: float
) -> float:
    """Sets the rate of a step on the one-cycle schedule and returns it."""
    rate = peak * one_cycle(step, total, warmup)
    optimizer.learning_rate.assign(np.float32(rate))
    return rate
