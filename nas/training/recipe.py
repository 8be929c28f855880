"""What a network trains with; importing it starts no framework."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nas.data.augment import Augmentation
from nas.ranges import check_count, check_number
from nas.training.optimizers import OPTIMIZERS
from nas.training.schedules import SCHEDULES


@dataclass(frozen=True)
class Recipe:
    """How weights are trained, whatever the network and the data.

    Args:
        epochs: Passes over the training images, above 0; fractions are allowed.
        batch_size: Images a step, 1 or more.
        optimizer: A name in `nas.training.optimizers.OPTIMIZERS`.
        schedule: Of the learning rate, a name in `nas.training.schedules.SCHEDULES`.
        learning_rate: Peak of the schedule, above 0.
        weight_decay: Decoupled, 0 or more, of kernels only (never BN or biases).
        warmup_share: Part of the steps in which the rate grows, from 0 to 1.
        label_smoothing: From 0 to below 1.
        dropout: Before the classifier, from 0 to below 1; None keeps the architecture's.
        average_share: Length of the weights' moving average, which is evaluated and exported, as
            a share of all steps, above 0 and up to 1; None for no average. A fixed momentum would
            average a short training over weights that had hardly learned.
        augmentation: What is done to training images.

    Raises:
        InputError: A value is out of its range, or a name is unknown.
    """

    epochs: float
    batch_size: int = 64
    optimizer: str = "adamw"
    schedule: str = "one_cycle"
    learning_rate: float = 0.006
    weight_decay: float = 0.02
    warmup_share: float = 0.1
    label_smoothing: float = 0.1
    dropout: float | None = None
    average_share: float | None = 0.02
    augmentation: Augmentation = Augmentation()

    def __post_init__(self) -> None:
        check_number("epochs", self.epochs, above=0)
        check_count("batch_size", self.batch_size)
        OPTIMIZERS.check(self.optimizer)
        SCHEDULES.check(self.schedule)
        check_number("learning_rate", self.learning_rate, above=0)
        check_number("weight_decay", self.weight_decay, least=0)
        check_number("warmup_share", self.warmup_share, least=0, most=1)
        check_number("label_smoothing", self.label_smoothing, least=0, below=1)
        check_number("dropout", self.dropout, least=0, below=1, optional=True)
        check_number("average_share", self.average_share, above=0, most=1, optional=True)

    def with_flip(self, flip: bool) -> Recipe:
        """The same recipe with or without random mirror images."""
        return replace(self, augmentation=replace(self.augmentation, flip=flip))


@dataclass(frozen=True)
class Pace:
    """How often a loop speaks and saves; nothing of it changes what is learned.

    Args:
        log_every: Steps between rows of the history, 1 or more; checkpoints fall on these.
        checkpoint_seconds: Least time between checkpoints, 0 or more.

    Raises:
        InputError: A value is out of its range.
    """

    log_every: int = 20
    checkpoint_seconds: float = 30.0

    def __post_init__(self) -> None:
        check_count("log_every", self.log_every)
        check_number("checkpoint_seconds", self.checkpoint_seconds, least=0)


USUAL_PACE = Pace()
