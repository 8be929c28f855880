"""Settings of a search; importing them starts no backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nas.errors import InputError
from nas.methods.registry import METHODS as METHODS
from nas.ranges import check_count, check_number
from nas.registry import check_known
from nas.supernet.settings import SupernetSettings
from nas.supernet.settings import WarmUp as WarmUp
from nas.system.chosen_backend import chosen_backend
from nas.training.optimizers import SQUARE_ROOT
from nas.training.rates import rate_text
from nas.training.recipe import Pace, Recipe

GATES = ("categorical", "threshold")
EXECUTIONS = ("sampled", "masked")


@dataclass(frozen=True)
class GateConfig:
    """How the gates learn.

    Args:
        form: One of `GATES`.
        learning_rate: Adam's rate for the logits, above 0.
        every: Weight steps for each gate step, 1 or more.
        temperature_first: Of the Gumbel-softmax after the warm-up, above 0.
        temperature_last: At the end, above 0.
        rate_batch_size: Images a step that the rate is meant for, 1 or more: another number
            changes it by the root of the ratio. None: the rate is used as it is.

    Raises:
        InputError: A value is out of its range, or the form is unknown.
    """

    form: str = "categorical"
    learning_rate: float = 0.03
    every: int = 1
    temperature_first: float = 2.0
    temperature_last: float = 0.5
    rate_batch_size: int | None = None

    def __post_init__(self) -> None:
        check_known("gate", self.form, GATES)
        check_number("gate_learning_rate", self.learning_rate, above=0)
        if self.rate_batch_size is not None:
            check_count("gates.rate_batch_size", self.rate_batch_size)
        check_count("gates.every", self.every)
        check_number("temperature_first", self.temperature_first, above=0)
        check_number("temperature_last", self.temperature_last, above=0)

    def rate_at(self, batch_size: int) -> float:
        """Adam's rate for batches of a size.

        Args:
            batch_size: Images a gate step, 1 or more.
        """
        if self.rate_batch_size is None:
            return self.learning_rate
        return self.learning_rate * SQUARE_ROOT.factor(batch_size, self.rate_batch_size)


def gates_text(gates: GateConfig, batch_size: int) -> str:
    """The learning rate of gates and where it comes from.

    Args:
        gates: How they learn.
        batch_size: Images a gate step.
    """
    rate, named = gates.rate_at(batch_size), gates.learning_rate
    return rate_text(rate, named, gates.rate_batch_size, batch_size, SQUARE_ROOT)


@dataclass(frozen=True)
class PenaltyControl:
    """How the penalty on the cost comes in; shares are of all weight steps.

    Args:
        ramp_share: Part over which the penalty of `--lambda` grows from 0; from 0 to 1.
        approach_share: Part over which the expectation is led to a target; from 0 to 1.
        multiplier_rate: Ascent of the multiplier with a target, above 0.
        multiplier_gain: Weight of the present error beside it, 0 or more.

    Raises:
        InputError: A value is out of its range.
    """

    ramp_share: float = 0.2
    approach_share: float = 0.2
    multiplier_rate: float = 0.02
    multiplier_gain: float = 4.0

    def __post_init__(self) -> None:
        check_number("penalty.ramp_share", self.ramp_share, least=0, most=1)
        check_number("penalty.approach_share", self.approach_share, least=0, most=1)
        check_number("penalty.multiplier_rate", self.multiplier_rate, above=0)
        check_number("penalty.multiplier_gain", self.multiplier_gain, least=0)


def supernet_recipe(epochs: float, batch_size: int = 128, **changes: Any) -> Recipe:
    """What a supernet's weights train with unless somebody says otherwise.

    Args:
        epochs: Passes over the weights' part of the training images.
        batch_size: Images a step, for weights and gates alike.
        changes: Other fields of `Recipe`.
    """
    usual: dict[str, Any] = {
        "learning_rate": 0.004,
        "weight_decay": 0.02,
        "average_share": None,
    }
    return Recipe(epochs, batch_size, **{**usual, **changes})


def usual_execution() -> str:
    """How weight steps run the supernet: what is fastest on the chosen backend."""
    # JAX compiles a branch for every option of every block, which takes minutes.
    return "masked" if chosen_backend().name == "jax" else "sampled"


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """Settings of a search; what it is to reach is its goal and no part of them.

    Args:
        weights: Recipe of the supernet's weights, without an average: shared weights belong to no
            one network. Gates see batches of the same size and augmentation, and the plain
            cross-entropy.
        method: One of `METHODS`; where no gates learn, all steps are warm-up.
        execution: One of `EXECUTIONS`: whether weight steps compute the drawn network only.
        holdout_share: Share of the training images that only gates see, above 0 and below 1.
        gates: How the gates learn.
        warm_up: The steps before they do.
        penalty: How the penalty on the cost comes in.

    Raises:
        InputError: A value is out of its range, or a name is unknown.
    """

    weights: Recipe
    method: str = "gradient"
    execution: str = "sampled"
    holdout_share: float = 0.2
    gates: GateConfig = GateConfig()
    warm_up: WarmUp = WarmUp()
    penalty: PenaltyControl = PenaltyControl()

    def __post_init__(self) -> None:
        check_known("method", self.method, METHODS)
        check_known("execution", self.execution, EXECUTIONS)
        check_number("holdout_share", self.holdout_share, above=0, below=1)
        if self.weights.average_share is not None:
            raise InputError(
                "weights.average_share to be None in a search, whose weights are shared",
                f"{self.weights.average_share:g}",
                "set weights.average_share to None",
            )

    @property
    def supernet(self) -> SupernetSettings:
        """The part that decides the weights."""
        return SupernetSettings(
            self.weights, self.gates.form, self.execution, self.holdout_share, self.warm_up
        )


USUAL_PACE = Pace(log_every=10)
