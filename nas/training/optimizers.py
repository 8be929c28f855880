"""Optimizers by name, built to decay kernels only; their names are known without a framework.

Each has a learning rate and a decay of its own, for a stated number of images a step, and a rule
for other numbers. A recipe that names neither takes these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nas.ranges import check_count, check_number
from nas.registry import Registry

# (learning rate, weight decay, arguments of the moving average) -> a Keras optimizer that decays
# weights decoupled from the gradient.
Builder = Callable[[float, float, Mapping[str, Any]], Any]


@dataclass(frozen=True)
class BatchRule:
    """How a learning rate follows the number of images a step: rate ~ images ** exponent.

    Args:
        words: What the rate is multiplied with, as the log says it.
        exponent: 0 leaves the rate alone, 1 is in proportion.
        source: Who found it.
    """

    words: str
    exponent: float
    source: str

    def factor(self, batch_size: int, made_for: int) -> float:
        """What a rate is multiplied with.

        Args:
            batch_size: Images a step, 1 or more.
            made_for: Images a step that the rate is meant for, 1 or more.
        """
        return float((batch_size / made_for) ** self.exponent)


LINEAR = BatchRule("the ratio", 1.0, "Goyal et al. 2017, arXiv 1706.02677")
SQUARE_ROOT = BatchRule("the root of the ratio", 0.5, "Malladi et al. 2022, arXiv 2205.10287")


@dataclass(frozen=True)
class Optimizer:
    """What a name stands for: how it is built, and its settings where nobody names others.

    Args:
        build: Makes the Keras optimizer; see `Builder`.
        learning_rate: Peak of the schedule, above 0.
        batch_size: Images a step that this rate is meant for, 1 or more.
        rule: The rate for other numbers of images.
        weight_decay: Decoupled, a share of the rate, 0 or more; it does not follow the batch.

    Raises:
        InputError: A value is out of its range.
    """

    build: Builder
    learning_rate: float
    batch_size: int
    rule: BatchRule
    weight_decay: float

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, above=0)
        check_count("batch_size", self.batch_size)
        check_number("weight_decay", self.weight_decay, least=0)


OPTIMIZERS: Registry[Optimizer] = Registry("optimizer")


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


OPTIMIZERS.register("adamw", Optimizer(adamw, 0.006, 64, SQUARE_ROOT, 0.02))
# The published 0.1 is for 128 or 256 images and for many epochs; in trainings as short as ours it
# has to be for 32 (docs/log.md). The published 0.0001 of L2 (He et al. 2016, arXiv 1512.03385) goes
# through the momentum, which makes it ten times as much; decoupled, 0.001 takes the same off.
OPTIMIZERS.register("sgd", Optimizer(sgd, 0.1, 32, LINEAR, 0.001))


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
    optimizer = OPTIMIZERS[name].build(learning_rate, weight_decay, average)
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
