"""What a search leaves of its way: rows of history.csv, and the gates' probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from nas.cost.units import MILLISECONDS, QuantityName
from nas.errors import InputError

# Probabilities are sums of rounded numbers.
ROUNDING = 1e-6


@dataclass(frozen=True)
class SearchRow:
    """One row of history.csv; means are over the steps since the row before.

    Args:
        step: Weight steps done.
        stage: `warmup` until the gates begin to learn, then `search`.
        images_seen: Images that the weights have learned from.
        loss: Mean loss of the weights, with label smoothing.
        cross_entropy: Mean cross-entropy of the gates' steps; of the weights' during the warm-up.
        penalty: Part of the gates' loss that the goal's quantity makes; with `--lambda` its zero
            depends on the unit, so only its changes mean something.
        expected_ms: Mean milliseconds of the networks that the gates draw, by the table; None where
            the goal is asked in another quantity.
        expected_bops: Likewise their mean bit operations.
        expected_weight_bits: Likewise the mean bits of their kernels.
        penalty_weight: What the penalty is multiplied with at this step.
        ramp: Part of the penalty's growth, or of the way to a target, that is done, 0 to 1.
        temperature: Of the Gumbel-softmax.
        accuracy: Mean top-1 of the weights' steps, a share from 0 to 1; None where their images are
            mixed.
        dominant_accuracy: Share of mixed images whose best class is the one that has the greatest
            part in them, from 0 to 1; None where no images are mixed.
        gate_cross_entropy: Mean cross-entropy of the gates' steps, on images held out for them.
        gate_accuracy: Mean top-1 of the gates' steps, a share from 0 to 1.
        gate_entropy: Mean entropy of the choices in nats; 0 is a firm decision.
        cross_entropy_gradient: Mean length of the cross-entropy's gradient by what the gates
            learn, over every fourth gate step.
        penalty_gradient: Likewise of the penalty's gradient.
        examples_per_s: Images of weight steps in a second.
        input_wait_share: Share of the time in which training waited for images.
    """

    FILE: ClassVar[str] = "history.csv"

    step: int
    stage: str | None = None
    images_seen: int | None = None
    loss: float | None = None
    cross_entropy: float | None = None
    penalty: float | None = None
    expected_ms: float | None = None
    expected_bops: float | None = None
    expected_weight_bits: float | None = None
    # The column has the flag's name, which is no name in Python.
    penalty_weight: float | None = field(default=None, metadata={"column": "lambda"})
    ramp: float | None = None
    temperature: float | None = None
    accuracy: float | None = None
    dominant_accuracy: float | None = None
    gate_cross_entropy: float | None = None
    gate_accuracy: float | None = None
    gate_entropy: float | None = None
    cross_entropy_gradient: float | None = None
    penalty_gradient: float | None = None
    examples_per_s: float | None = None
    input_wait_share: float | None = None

    @property
    def is_warm_up(self) -> bool:
        """Whether the gates do not learn yet."""
        return self.stage == "warmup"


@dataclass(frozen=True)
class GateChoice:
    """A choice of the space.

    Args:
        tag: Its name.
        options: Text of each option's layer.
    """

    tag: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class GateHistory:
    """Probabilities of the options over the search.

    Args:
        choices: Of the space, in order.
        steps: Recorded steps, ascending.
        probabilities: Step -> choice -> option, each from 0 to 1.
    """

    FILE: ClassVar[str] = "gates.json"
    SCHEMA_VERSION: ClassVar[int] = 1

    choices: tuple[GateChoice, ...]
    steps: tuple[int, ...]
    probabilities: tuple[tuple[tuple[float, ...], ...], ...]

    def __post_init__(self) -> None:
        sizes = [len(choice.options) for choice in self.choices]
        if not all(sizes):
            raise _gates_error("a choice without options")
        if len(self.steps) != len(self.probabilities):
            raise _gates_error(f"{len(self.steps)} steps, {len(self.probabilities)} records")
        for step, record in zip(self.steps, self.probabilities, strict=True):
            if [len(choice) for choice in record] != sizes:
                raise _gates_error(f"another number of probabilities at step {step}")
            if not all(0 <= p <= 1 + ROUNDING for choice in record for p in choice):
                raise _gates_error(f"a probability outside 0 to 1 at step {step}")


@dataclass(frozen=True)
class DecisionProbabilities:
    """What the gates learned of one decision.

    Args:
        options: Values of the decision.
        probabilities: Choice -> option, each from 0 to 1.
    """

    options: tuple[bool | int | float | str, ...]
    probabilities: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class SearchEnd:
    """search.json: says that the supernet is trained, and what its gates learned.

    Args:
        steps: Weight steps done.
        expected: Mean of what the goal is asked in, over the networks that the gates draw:
            milliseconds by the table, or a count; None without gates.
        probabilities: Decision -> what the gates learned of it; None without gates.
        quantity: That the expectation is of.
    """

    FILE: ClassVar[str] = "search.json"
    SCHEMA_VERSION: ClassVar[int] = 3
    OLDER_VERSIONS: ClassVar[tuple[int, ...]] = (2,)
    # Version 2 knew milliseconds alone.
    OLDER_KEYS: ClassVar[Mapping[str, str]] = {"expected_ms": "expected"}

    steps: int
    expected: float | None = None
    probabilities: Mapping[str, DecisionProbabilities] | None = None
    quantity: QuantityName = MILLISECONDS.quantity


def _gates_error(received: str) -> InputError:
    return InputError(
        "choices with options, steps, and one probability an option at every step",
        received,
        "repair the file, or search again",
    )
