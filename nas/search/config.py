"""Settings of a search; importing them starts no backend."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

METHODS = ("gradient", "evolution", "random")
GATES = ("categorical", "threshold")
EXECUTIONS = ("sampled", "masked")


@dataclass(frozen=True)
class SearchConfig:
    """Settings of a search; shares are of all weight steps.

    Args:
        epochs: Passes over the weights' part of the training images.
        batch_size: Images a step, for weights and gates alike.
        method: One of `METHODS`; without `gradient` the gates rest and all steps are warm-up.
        gate: One of `GATES`.
        execution: One of `EXECUTIONS`: whether weight steps compute the drawn network only.
        penalty: `--lambda`, weight of ln(E[ms]); None with a target.
        target_ms: Budget; None with a penalty.
        seed: Of weights, draws and data order.
        optimizer: `adamw` or `sgd`.
        learning_rate: Peak of the one-cycle schedule.
        weight_decay: Decoupled, kernels only.
        gate_learning_rate: Adam's rate for the logits.
        gate_every: Weight steps for each gate step.
        holdout_share: Share of the training images that only gates see.
        warmup_share: Part in which gates rest and no draw listens to them.
        largest_share: Part, at the start of the warm-up, that trains the largest network alone;
            from then on more and more of the draws are even over all options.
        evenness: Share of even draws at the end of the warm-up.
        ramp_share: Part over which the penalty of `--lambda` grows from 0.
        approach_share: Part over which the expectation is led to a target.
        temperature_first: Of the Gumbel-softmax after warm-up.
        temperature_last: At the end.
        multiplier_rate: Ascent of the multiplier with a target.
        multiplier_gain: Weight of the present error beside it.
        label_smoothing: Of the weights' loss; gates see the plain cross-entropy.
        crop_padding: Pixels of padding before a random crop.
        flip: Random mirror images.
        log_every: Weight steps between rows of the history.
        checkpoint_seconds: Least time between checkpoints.
    """

    epochs: float
    batch_size: int = 128
    method: str = "gradient"
    gate: str = "categorical"
    execution: str = "sampled"
    penalty: float | None = 0.1
    target_ms: float | None = None
    seed: int = 0
    optimizer: str = "adamw"
    learning_rate: float = 0.004
    weight_decay: float = 0.02
    gate_learning_rate: float = 0.03
    gate_every: int = 1
    holdout_share: float = 0.2
    warmup_share: float = 0.6
    largest_share: float = 0.3
    evenness: float = 0.9
    ramp_share: float = 0.2
    approach_share: float = 0.2
    temperature_first: float = 2.0
    temperature_last: float = 0.5
    multiplier_rate: float = 0.02
    multiplier_gain: float = 4.0
    label_smoothing: float = 0.1
    crop_padding: int = 4
    flip: bool = True
    log_every: int = 10
    checkpoint_seconds: float = 30.0

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)
