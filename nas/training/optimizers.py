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

# (learning rate, weight decay, arguments that every Keras optimizer takes, and `momentum` where
# the optimizer has one) -> a Keras optimizer that decays weights decoupled from the gradient.
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
        momentum: From 0 to below 1; None for an optimizer that has none of this kind.

    Raises:
        InputError: A value is out of its range.
    """

    build: Builder
    learning_rate: float
    batch_size: int
    rule: BatchRule
    weight_decay: float
    momentum: float | None = None

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, above=0)
        check_count("batch_size", self.batch_size)
        check_number("weight_decay", self.weight_decay, least=0)
        check_number("momentum", self.momentum, least=0, below=1, optional=True)


OPTIMIZERS: Registry[Optimizer] = Registry("optimizer")


def adamw(learning_rate: float, weight_decay: float, more: Mapping[str, Any]) -> Any:
    """Adam with decoupled weight decay; beta 2 is 0.99, since trainings here are short.

    Source: Loshchilov and Hutter 2019, arXiv 1711.05101.

    Args:
        learning_rate: Rate of the first step.
        weight_decay: Decoupled decay.
        more: Arguments that every Keras optimizer takes.

    Returns:
        A Keras optimizer that has no variables yet.
    """
    import keras

    return keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay, beta_2=0.99, **more)


def sgd(learning_rate: float, weight_decay: float, more: Mapping[str, Any]) -> Any:
    """Gradient descent with Nesterov momentum.

    Source: Sutskever et al. 2013, ICML, section 2.

    Args:
        learning_rate: Rate of the first step.
        weight_decay: Decoupled decay.
        more: Arguments that every Keras optimizer takes, and the momentum.

    Returns:
        A Keras optimizer that has no variables yet.
    """
    import keras

    return keras.optimizers.SGD(learning_rate, nesterov=True, weight_decay=weight_decay, **more)


def lamb(learning_rate: float, weight_decay: float, more: Mapping[str, Any]) -> Any:
    """Adam whose step is a share of each weight's own length, for large batches.

    Source: You et al. 2020, arXiv 1904.00962, algorithm 2; the decay is decoupled.

    Args:
        learning_rate: Rate of the first step.
        weight_decay: Decoupled decay.
        more: Arguments that every Keras optimizer takes.

    Returns:
        A Keras optimizer that has no variables yet.
    """
    import keras

    return keras.optimizers.Lamb(learning_rate, weight_decay=weight_decay, **more)


def rmsprop(learning_rate: float, weight_decay: float, more: Mapping[str, Any]) -> Any:
    """Gradients over their root mean square, with momentum, as mobile networks are trained.

    Source: Tan and Le 2019, arXiv 1905.11946, section 5.1; epsilon is that of its program.

    Args:
        learning_rate: Rate of the first step.
        weight_decay: Decoupled decay.
        more: Arguments that every Keras optimizer takes, and the momentum.

    Returns:
        A Keras optimizer that has no variables yet.
    """
    import keras

    return keras.optimizers.RMSprop(
        learning_rate, rho=0.9, epsilon=1e-3, weight_decay=weight_decay, **more
    )


def muon(learning_rate: float, weight_decay: float, more: Mapping[str, Any]) -> Any:
    """Kernels by orthogonal steps, all else by AdamW; see `nas.training.muon`.

    Args:
        learning_rate: Rate of the first step.
        weight_decay: Decoupled decay.
        more: Arguments that every Keras optimizer takes, and the momentum.

    Returns:
        A Keras optimizer that has no variables yet.
    """
    from nas.training.muon import ConvMuon

    return ConvMuon(
        learning_rate,
        adam_beta_2=0.99,
        weight_decay=weight_decay,
        adam_weight_decay=weight_decay,
        **more,
    )


OPTIMIZERS.register("adamw", Optimizer(adamw, 0.006, 64, SQUARE_ROOT, 0.02))
# The published 0.1 is for 128 or 256 images and for many epochs; in trainings as short as ours it
# has to be for 32 (docs/log.md). The published 0.0001 of L2 (He et al. 2016, arXiv 1512.03385) goes
# through the momentum, which makes it ten times as much; decoupled, 0.001 takes the same off.
OPTIMIZERS.register("sgd", Optimizer(sgd, 0.1, 32, LINEAR, 0.001, 0.9))
# The rate of 512 images in the source's table of ResNet-50, which follows the root of the batch.
OPTIMIZERS.register("lamb", Optimizer(lamb, 0.005, 512, SQUARE_ROOT, 0.01))
# 0.016 for 256 images is the source's. Its L2 of 0.00001 is divided by the gradients' size, so that
# no number takes the same off; 0.02 takes as much off a step as AdamW's.
OPTIMIZERS.register("rmsprop", Optimizer(rmsprop, 0.016, 256, LINEAR, 0.02, 0.9))
# A step has the root mean square of AdamW's (Liu et al. 2025), so that rate and decay are AdamW's.
OPTIMIZERS.register("muon", Optimizer(muon, 0.006, 64, SQUARE_ROOT, 0.02, 0.95))


def weights_optimizer(
    name: str,
    variables: Iterable[Any],
    *,
    learning_rate: float,
    weight_decay: float,
    ema_momentum: float | None,
    momentum: float | None = None,
    clip_norm: float | None = None,
    growing_share: float | None = None,
) -> Any:
    """A Keras optimizer, built for `variables`, that decays kernels and no BN and no biases.

    Args:
        name: In `OPTIMIZERS`.
        variables: What it will train.
        learning_rate: Rate of the first step; each step sets its own.
        weight_decay: Decoupled decay.
        ema_momentum: Of the moving average of the weights; None for none.
        momentum: From 0 to below 1; None for the optimizer's own, if it has one.
        clip_norm: Greatest norm of all gradients together, above 0; None for no bound.
        growing_share: Length of an average that grows with the training, a share of the steps so
            far, above 0 and up to 1, in place of `ema_momentum`; None for none.

    Raises:
        InputError: The name is unknown.
    """
    entry = OPTIMIZERS[name]
    more: dict[str, Any] = {}
    if ema_momentum is not None:
        more |= {"use_ema": True, "ema_momentum": ema_momentum}
    if growing_share is not None:
        more["use_ema"] = True
    if clip_norm is not None:
        more["global_clipnorm"] = clip_norm
    if entry.momentum is not None:
        more["momentum"] = entry.momentum if momentum is None else momentum
    optimizer = entry.build(learning_rate, weight_decay, more)
    if growing_share is not None:
        from nas.training.growing_average import with_growing_average

        optimizer = with_growing_average(optimizer, growing_share)
    variables = list(variables)
    optimizer.exclude_from_weight_decay(var_list=[v for v in variables if not decays(v)])
    return built(optimizer, variables)


def decays(variable: Any) -> bool:
    """Whether weight decay is for a variable: kernels, and no biases and no normalisations.

    Args:
        variable: Of a network.
    """
    return len([length for length in variable.shape if length > 1]) >= 2


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
