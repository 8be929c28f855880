"""What a network trains with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class TrainConfig:
    """A recipe.

    Args:
        epochs: Passes over the training images; fractions are allowed.
        batch_size: Images a step.
        optimizer: `adamw` or `sgd`.
        learning_rate: Peak of the one-cycle schedule.
        weight_decay: Decoupled, kernels only (never BN or biases).
        label_smoothing: 0 to below 1.
        dropout: Before the classifier; None keeps the architecture's.
        ema_share: Length of the weights' moving average, which is evaluated and exported, as a
            share of all steps; None: off. A fixed momentum would average a short training
            over weights that had hardly learned.
        warmup_share: Part of the steps in which the rate grows.
        crop_padding: Pixels of padding before a random crop.
        flip: Random mirror images.
        seed: Of weights, dropout and data order.
        log_every: Steps between rows of the history.
        checkpoint_seconds: Least time between checkpoints.
    """

    epochs: float
    batch_size: int = 64
    optimizer: str = "adamw"
    learning_rate: float = 0.006
    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    dropout: float | None = None
    ema_share: float | None = 0.02
    warmup_share: float = 0.1
    crop_padding: int = 4
    flip: bool = True
    seed: int = 0
    log_every: int = 20
    checkpoint_seconds: float = 30.0

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)
