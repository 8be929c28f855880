"""Accuracy of the last and of the averaged weights of a training, which goes on undisturbed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np

from nas.architecture.spec import Architecture
from nas.builders.keras_model import build_model, float32_policy
from nas.data import Split
from nas.deployment.scores import keras_scores
from nas.metrics import AskedMetrics, metric_value
from nas.system.graphs import jit_compile
from nas.training.evaluation import Accuracy, accuracy, reestimate_statistics
from nas.training.last_or_average import (
    HeldOutScore,
    LastAndAverage,
    MetricChoice,
    Weights,
    better,
)
from nas.training.optimizers import unscaled


class Judge:
    """A copy of a network, in which weights are tried.

    The training's own variables are read and never written: statistics, dropout and what else a
    forward pass changes are the copy's.

    Args:
        model: That trains, compiled.
        architecture: That it was built from.
        images: Gives the batches that statistics are made from, the same ones at each call.
    """

    def __init__(
        self,
        model: keras.Model,
        architecture: Architecture,
        images: Callable[[], Iterator[np.ndarray]],
    ) -> None:
        self._model, self._architecture, self._images = model, architecture, images
        self.seconds = 0.0

    @cached_property
    def copy(self) -> keras.Model:
        """The copy, in float32, with the weights that were tried last."""
        with float32_policy():
            # Statistics are those of the whole network, without anything dropped.
            copy = build_model(self._architecture, dropout=0.0)
        copy.compile(jit_compile=jit_compile())
        return copy

    @property
    def kinds(self) -> tuple[Weights, ...]:
        """What there is to try; the average comes last."""
        return ("last", "average") if unscaled(self._model.optimizer).use_ema else ("last",)

    def accuracy(
        self, weights: Weights, split: Split, indices: np.ndarray | None = None
    ) -> Accuracy:
        """What these weights reach.

        Args:
            weights: Which.
            split: Images and labels.
            indices: Part of the split; None for all of it.
        """
        begun = time.monotonic()
        self.take(weights)
        found = accuracy(self.copy.predict_on_batch, split, indices=indices)
        self.seconds += time.monotonic() - begun
        return found

    def scores(self, weights: Weights, split: Split) -> np.ndarray:
        """What these weights say of images.

        Args:
            weights: Which.
            split: Images and labels.

        Returns:
            (images, classes) numbers whose softmax are the probabilities.
        """
        begun = time.monotonic()
        self.take(weights)
        found = keras_scores(self.copy.predict_on_batch, split)
        self.seconds += time.monotonic() - begun
        return found

    def take(self, weights: Weights) -> None:
        """Puts weights into the copy, and makes statistics that belong to them.

        Args:
            weights: Which.
        """
        self.copy.set_weights(self._model.get_weights())
        if weights == "average":
            # Keras writes the averages into variables of the same order.
            own = [_OwnVariable(variable) for variable in self.copy.trainable_variables]
            unscaled(self._model.optimizer).finalize_variable_values(own)
        reestimate_statistics(self.copy, self._images())


class _OwnVariable:
    """A variable of this host, which gets the value of one of all hosts.

    Args:
        variable: Of the copy.
    """

    def __init__(self, variable: Any) -> None:
        self._variable = variable

    def assign(self, value: Any) -> None:
        """Takes a value.

        Args:
            value: A tensor, or a variable.
        """
        self._variable.assign(keras.ops.convert_to_numpy(value))


def chosen_by(
    selection: AskedMetrics,
    judge: Judge,
    split: Split,
    held_out: np.ndarray | None,
    class_names: Sequence[str],
) -> MetricChoice | None:
    """What a metric on held-out images says of the last weights and of their average.

    Args:
        selection: One metric; empty where top-1 chooses.
        judge: Tries both.
        split: Training images.
        held_out: Indices of those that nothing was learned from; None where there are none.
        class_names: Position is the class index.

    Returns:
        Both values; None where top-1 or the recipe chooses, or where no average was made.
    """
    if not selection or held_out is None or "average" not in judge.kinds:
        return None
    (metric,) = selection.parsed
    signal, images = selection.signal_index(class_names), split.part(held_out)
    last, average = (
        metric_value(
            metric,
            judge.scores(kind, images),
            images.labels,
            signal,
            selection.background_rate_hz,
        )
        for kind in judge.kinds
    )
    return MetricChoice(metric.text, last, average)


def settled(
    judge: Judge,
    last_score: HeldOutScore | None,
    held_out: np.ndarray | None,
    choice: MetricChoice | None,
    split: Split,
    indices: np.ndarray | None,
) -> tuple[Accuracy, LastAndAverage]:
    """What both kinds of weights reach, where it is settled already which are exported.

    Args:
        judge: Tries both; its copy has the exported ones afterwards.
        last_score: On held-out images, at the end of the training; None where there are none.
        held_out: Indices of these images; None where there are none.
        choice: What another metric than top-1 says of them; None where top-1 or the recipe chooses.
        split: Images and labels that are evaluated.
        indices: Part of the split; None for all of it.

    Returns:
        What the exported weights reach, and both beside each other.
    """
    exported = choice.better if choice else better(last_score, "average" in judge.kinds)
    kinds = sorted(judge.kinds, key=lambda kind: kind == exported)  # the exported ones last
    found = {kind: judge.accuracy(kind, split, indices) for kind in kinds}
    average = found.get("average")
    return found[exported], LastAndAverage(
        exported,
        "recipe" if last_score is None else "held-out images",
        found["last"].top1,
        None if average is None else average.top1,
        None if held_out is None else len(held_out),
        None if last_score is None else last_score.top1,
        None if last_score is None else last_score.top1_average,
        choice,
    )


def better_of_both(
    judge: Judge, epochs: float, split: Split, indices: np.ndarray | None
) -> tuple[Accuracy, LastAndAverage]:
    """The better one of both by the images that judge, at the end of a growing average.

    Where the schedule has come to its end, the last weights may be better than an average that
    reaches far back.

    Args:
        judge: Tries both; its copy has the better ones afterwards.
        epochs: Of the training.
        split: Images and labels, which no learning has seen.
        indices: Part of the split; None for all of it.

    Returns:
        What the better weights reach, and both beside each other.
    """
    last, average = (judge.accuracy(kind, split, indices) for kind in judge.kinds)
    exported = better(HeldOutScore(epochs, last.top1, average.top1), True)
    if exported == "last":
        judge.take(exported)
    return last if exported == "last" else average, LastAndAverage(
        exported,
        "held-out images",
        last.top1,
        average.top1,
        last.count,
        last.top1,
        average.top1,
    )
