"""Optimizers by name, built to decay kernels only; their names are known without a framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nas.registry import Registry

# (learning rate, weight decay, arguments of the moving average) -> a Keras optimizer that decays
# weights decoupled from the gradient.
Builder = Callable[[float, float, Mapping[str, Any]], Any]
OPTIMIZERS: Registry[Builder] = Registry("optimizer")


def adamw(learning_rate: float, weight_decay: float, average: Mapping[str, Any]) -> Any:
    """Adam with decoupled weight decay; beta 2 is 0.99, since trainings here are short.

    Source: Loshchilov and Hutter 2019, arXiv 1711.05101.

    Args:
        learning_rate: Rate of the first step.
        weight_decay: Decoupled decay.
        average: Arguments of the moving average of the weights; empty for none.

    Returns:
        A Keras optimizer that has no variables yet.
    """
    import keras

    return keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay, beta_2=0.99, **average)


def sgd(learning_rate: float, weight_decay: float, average: Mapping[str, Any]) -> Any:
    """Gradient descent with Nesterov momentum 0.9.

    Source: Sutskever et al. 2013, ICML, section 2.

    Args:
        learning_rate: Rate of the first step.
        weight_decay: Decoupled decay.
        average: Arguments of the moving average of the weights; empty for none.

    Returns:
        A Keras optimizer that has no variables yet.
    """
    import keras

    return keras.optimizers.SGD(
        learning_rate, momentum=0.9, nesterov=True, weight_decay=weight_decay, **average
    )


OPTIMIZERS.register("adamw", adamw)
OPTIMIZERS.register("sgd", sgd)


def weights_optimizer(
    name: str,
    variables: Iterable[Any],
    *,
    learning_rate: float,
    weight_decay: float,
    ema_momentum: float | None,
) -> Any:
    """A Keras optimizer, built for `variables`, that decays kernels and no BN and no biases.

    Args:
        name: In `OPTIMIZERS`.
        variables: What it will train.
        learning_rate: Rate of the first step; each step sets its own.
        weight_decay: Decoupled decay.
        ema_momentum: Of the moving average of the weights; None for none.

    Raises:
        InputError: The name is unknown.
    """
    average: dict[str, Any] = {}
    if ema_momentum is not None:
        average = {"use_ema": True, "ema_momentum": ema_momentum}
    optimizer = OPTIMIZERS[name](learning_rate, weight_decay, average)
    variables = list(variables)
    flat = [v for v in variables if len([n for n in v.shape if n > 1]) < 2]
    optimizer.exclude_from_weight_decay(var_list=flat)
    return built(optimizer, variables)


def built(optimizer: Any, variables: Iterable[Any]) -> Any:
    """An optimizer that has all of its variables, as Keras will use it.

    With products of float16, Keras wraps an optimizer in one that scales the loss, and makes the
    scale at the first step. A checkpoint must hold the same before that step and after it.

    Args:
        optimizer: Without variables.
        variables: What it will train.
    """
    import keras

    if keras.config.dtype_policy().name == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(list(variables))
    return optimizer


def unscaled(optimizer: Any) -> Any:
    """The optimizer itself, without what scales the loss around it.

    Args:
        optimizer: As `built` gives it.
    """
    return getattr(optimizer, "inner_optimizer", optimizer)
