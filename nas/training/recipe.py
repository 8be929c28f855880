"""What a network trains with; importing it starts no framework."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self

from nas.data.augment import Augmentation
from nas.data.loader import steps_of
from nas.errors import FieldError
from nas.ranges import check_count, check_number
from nas.registry import check_known
from nas.training.image_sizes import check_ascending
from nas.training.knobs import with_values
from nas.training.optimizers import OPTIMIZERS
from nas.training.schedule_files import check_name, schedule_of
from nas.training.schedule_settings import PARAMETERS, ScheduleSettings
from nas.training.schedules import SCHEDULES, Course
from nas.training.teachers.settings import Distillation

# What a step minimises, by name; `nas.training.losses` has them.
LOSSES = ("cross_entropy", "squared_hinge")
# A schedule has a beginning and an end, so that the shortest training has two steps.
LEAST_STEPS = 2


@dataclass(frozen=True)
class Recipe:
    """How weights are trained, whatever the network and the data.

    Args:
        epochs: Passes over the training images, above 0; fractions are allowed.
        batch_size: Images a step, 2 or more; records that programs make may have 1.
        optimizer: By name; it brings a rate, a decay and a momentum of its own.
        schedule: Of the learning rate, by name; or FILE.py:FUNCTION, a function of your own.
        learning_rate: Peak of the schedule, above 0; None for the optimizer's own.
        rate_batch_size: Images a step that this rate is meant for, 1 or more: another `batch_size`
            changes the rate by the optimizer's rule. None: the rate is used as it is.
        momentum: From 0 to below 1; None for the optimizer's own. Refused where it has none.
        weight_decay: Decoupled, 0 or more, of kernels only (never BN or biases); None for the
            optimizer's own.
        l2: Half of this times the squares of the same kernels is added to the loss, 0 or more. By
            `sgd` it decays as in older papers, through the momentum, which makes it ten times as
            much; beside `weight_decay` both hold.
        clip_norm: Greatest norm of all gradients of a step together, above 0; longer ones are
            shortened. None for no bound.
        warmup_share: Part of the steps in which the rate grows first, from 0 to 1; None for the
            schedule's own.
        loss: What a step minimises: `cross_entropy` of the softmax, or `squared_hinge`, the mean
            over classes of max(0, 1 - t s)^2 with t = 1 for the class and -1 for the others, which
            networks of one or two bits were published with. It takes no teacher and no smoothing.
        label_smoothing: From 0 to below 1.
        dropout: Rate of every dropout layer of a network, from 0 to below 1; None keeps the
            architecture's.
        stochastic_depth: How often the last residual branch of a network that trains alone is left
            out, from 0 to below 1; earlier ones less often.
        image_sizes: Sides in pixels that the images have one after the other, each for an equal
            part of the steps; they grow, and are up to that of the network's images. None: all
            images have their own. Only networks that take the mean of their last map can do this;
            a supernet never does.
        average_share: Length of the weights' moving average, which is evaluated and exported, as
            a share of all steps, above 0 and up to 1; None for no average. A fixed momentum would
            average a short training over weights that had hardly learned.
        growing_average: Whether this is a share of the steps so far instead, so that the average
            fits wherever a training is left; see `nas.training.growing_average`. Trials have it.
        schedule_settings: Other parameters of the schedule.
        augmentation: What is done to training images.
        distillation: The teacher whose scores are learned beside the labels, and how.
        evaluate_every: Epochs between evaluations of the last and the averaged weights on training
            images that are held out for it, above 0 and up to `epochs`; None holds nothing out.
        held_out_share: Share of the training images that `evaluate_every` holds out, above 0 and
            below 1; the same images for every network and seed.
        made_for_steps: Steps that the recipe was tried with, 1 or more; a training of far fewer is
            warned of. None where nobody can say.

    Raises:
        InputError: A value is out of its range, or a name is unknown.
    """

    epochs: float
    batch_size: int = field(default=64, metadata={"least": 2})
    optimizer: str = field(default="adamw", metadata={"names": OPTIMIZERS})
    schedule: str = field(default="one_cycle", metadata={"names": SCHEDULES, "is_path": True})
    learning_rate: float | None = None
    rate_batch_size: int | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    l2: float = 0.0
    clip_norm: float | None = None
    warmup_share: float | None = None
    loss: str = field(default="cross_entropy", metadata={"names": LOSSES})
    label_smoothing: float = 0.1
    dropout: float | None = None
    stochastic_depth: float = 0.0
    image_sizes: tuple[int, ...] | None = None
    average_share: float | None = 0.02
    growing_average: bool = field(default=False, metadata={"is_fact": True})
    schedule_settings: ScheduleSettings = ScheduleSettings()
    augmentation: Augmentation = Augmentation()
    distillation: Distillation = Distillation()
    evaluate_every: float | None = None
    held_out_share: float = field(default=0.1, metadata={"beside": "evaluate_every"})
    made_for_steps: int | None = field(default=None, metadata={"is_fact": True})

    def __post_init__(self) -> None:
        check_number("epochs", self.epochs, above=0)
        check_count("batch_size", self.batch_size)
        OPTIMIZERS.check(self.optimizer)
        check_name(self.schedule)
        check_number("learning_rate", self.learning_rate, above=0, optional=True)
        if self.rate_batch_size is not None:
            check_count("rate_batch_size", self.rate_batch_size)
            check_number("learning_rate beside rate_batch_size", self.learning_rate, above=0)
        check_number("weight_decay", self.weight_decay, least=0, optional=True)
        check_number("l2", self.l2, least=0)
        check_number("clip_norm", self.clip_norm, above=0, optional=True)
        self._check_momentum()
        check_number("warmup_share", self.warmup_share, least=0, most=1, optional=True)
        self.schedule_settings.check(
            self.schedule, self.epochs, {"warmup_share": self.warmup_share}
        )
        check_known("loss", self.loss, LOSSES)
        check_number("label_smoothing", self.label_smoothing, least=0, below=1)
        self._check_hinge()
        check_number("dropout", self.dropout, least=0, below=1, optional=True)
        check_number("stochastic_depth", self.stochastic_depth, least=0, below=1)
        check_ascending(self.image_sizes or ())
        check_number("average_share", self.average_share, above=0, most=1, optional=True)
        if self.growing_average and self.average_share is None:
            raise FieldError(
                "average_share beside growing_average, whose length it is",
                "none",
                "set average_share to a share of the steps so far, or growing_average to false",
                "average_share",
            )
        check_number("evaluate_every", self.evaluate_every, above=0, optional=True)
        check_number("held_out_share", self.held_out_share, above=0, below=1)
        if self.made_for_steps is not None:
            check_count("made_for_steps", self.made_for_steps)

    def _check_momentum(self) -> None:
        check_number("momentum", self.momentum, least=0, below=1, optional=True)
        if self.momentum is not None and OPTIMIZERS[self.optimizer].momentum is None:
            having = [name for name in OPTIMIZERS if OPTIMIZERS[name].momentum is not None]
            raise FieldError(
                f"momentum with an optimizer that has one: {', '.join(having)}",
                f"the optimizer {self.optimizer}",
                f"leave momentum out, or write optimizer {having[0]}",
                "momentum",
                "optimizer",
            )

    def _check_hinge(self) -> None:
        """A hinge has margins of 1 from labels alone."""
        if self.loss != "squared_hinge":
            return
        if self.label_smoothing:
            raise FieldError(
                "label_smoothing 0 with the loss squared_hinge",
                f"{self.label_smoothing:g}",
                "write label_smoothing 0, or loss cross_entropy",
                "label_smoothing",
                "loss",
            )
        if self.distillation.teacher is not None:
            raise FieldError(
                "no teacher with the loss squared_hinge, whose scores are no probabilities",
                f"the teacher {self.distillation.teacher}",
                "leave teacher out, or write loss cross_entropy",
                "teacher",
                "loss",
            )

    @property
    def peak_rate(self) -> float:
        """Peak of the schedule for `batch_size` images a step."""
        own = OPTIMIZERS[self.optimizer]
        if self.learning_rate is None:
            return own.learning_rate * own.rule.factor(self.batch_size, own.batch_size)
        if self.rate_batch_size is None:
            return self.learning_rate
        return self.learning_rate * own.rule.factor(self.batch_size, self.rate_batch_size)

    @property
    def decay(self) -> float:
        """Decoupled weight decay, the optimizer's own where none is named."""
        own = OPTIMIZERS[self.optimizer].weight_decay
        return own if self.weight_decay is None else self.weight_decay

    def steps(self, images: int) -> int:
        """Steps of a training on so many images.

        Args:
            images: To learn from, 1 or more; a batch is never larger.
        """
        steps = steps_of(self.epochs, images, min(self.batch_size, images))
        return max(LEAST_STEPS, steps)

    def course(self, total_steps: int) -> Course:
        """What the schedule knows of a training by this recipe.

        Args:
            total_steps: Of the training, 1 or more.
        """
        return Course(total_steps, self.epochs, **self._parameters)

    @property
    def _parameters(self) -> dict[str, Any]:
        """Parameters that the schedule looks at, with their numbers."""
        schedule = schedule_of(self.schedule)
        named = {"warmup_share": self.warmup_share, **vars(self.schedule_settings)}
        return {
            name: schedule.own(name, self.epochs) if named[name] is None else named[name]
            for name in PARAMETERS
            if name in schedule.parameters
        }

    def resolved(self) -> Self:
        """The same recipe with every number written out, as files keep it.

        A later version may have other settings of an optimizer; a run goes on with its own.
        """
        return with_values(self, {**self._parameters, **self.rates})

    @property
    def rates(self) -> dict[str, Any]:
        """What the optimizer brings where nobody names it, with every number written out."""
        own = OPTIMIZERS[self.optimizer]
        momentum = own.momentum if self.momentum is None else self.momentum
        found = {"weight_decay": self.decay, "momentum": momentum}
        if self.learning_rate is None:
            rate = {"learning_rate": own.learning_rate, "rate_batch_size": own.batch_size}
            return {**found, **rate}
        return found

    def changed(self, **changes: Any) -> Self:
        """The same recipe with other values, and a rate that fits them.

        A rate among the changes is used as it is. Without one, another optimizer brings its own
        rate and decay, another batch changes the rate by the optimizer's rule, and another
        schedule brings its own parameters.

        Args:
            changes: Field of the recipe, or of a record inside of it -> its new value.

        Raises:
            InputError: A value is out of its range, or there is no such field.
        """
        rate: dict[str, Any] = {}
        if changes.get("optimizer", self.optimizer) != self.optimizer:
            rate = dict.fromkeys(("learning_rate", "rate_batch_size", "weight_decay", "momentum"))
        elif self.learning_rate is not None and self.rate_batch_size is None:
            rate = {"rate_batch_size": self.batch_size}
        if "learning_rate" in changes:
            rate["rate_batch_size"] = None
        if changes.get("schedule", self.schedule) != self.schedule:
            rate |= dict.fromkeys(PARAMETERS)
        return with_values(self, {**rate, **changes})

    def shortened(self, epochs: float, batch_size: int) -> Self:
        """The same recipe at another size; what is written in epochs keeps its part of them.

        Args:
            epochs: Passes over the training images, above 0.
            batch_size: Images a step, 1 or more.
        """
        settings = self.schedule_settings.stretched(self.schedule, epochs / self.epochs)
        return self.changed(epochs=epochs, batch_size=batch_size, schedule_settings=settings)

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
