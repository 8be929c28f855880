"""Metrics beyond top-1 as options of a retraining."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nas.errors import InputError
from nas.metrics import AskedMetrics, Metric
from nas.metrics.asked import Judging
from nas.metrics.goals import parse_asked
from nas.runs.config import TrainingConfig
from nas.training.recipe import Recipe

# What stands beside metrics and says how these are counted.
BESIDE = ("signal_class", "background_rate_hz")


def metrics_of(options: Mapping[str, Any]) -> AskedMetrics:
    """The metrics that trained networks are judged by; none where nobody asked.

    Args:
        options: As `RetrainOptions`.

    Raises:
        InputError: A metric is unknown or broken, or what stands beside the metrics would not be
            looked at.
    """
    return _asked(options, "metrics", "select_by")


def selection_of(options: Mapping[str, Any]) -> AskedMetrics:
    """The one metric that chooses between last and averaged weights; none where nobody asked.

    Args:
        options: As `RetrainOptions`.

    Raises:
        InputError: There are several, or as `metrics_of`.
    """
    found = _asked(options, "select_by", "metrics")
    if len(found.metrics) > 1:
        raise InputError(
            "one metric for --select_by", ", ".join(found.metrics), "name the one that chooses"
        )
    if found.goals:
        raise InputError(
            "a metric without a goal for --select_by", found.goals[0].text, "write its name alone"
        )
    return found


def judging_of(options: Mapping[str, Any]) -> Judging:
    """Both.

    Args:
        options: As `RetrainOptions`.

    Raises:
        InputError: As of both.
    """
    return Judging(metrics_of(options), selection_of(options))


def _asked(options: Mapping[str, Any], name: str, other: str) -> AskedMetrics:
    """Metrics of one option, with what of the words beside them is theirs and not the other's."""
    words, own = options.get(name), _parsed(options.get(name))
    others = _parsed(options.get(other))
    given = {one: options[one] for one in BESIDE if one in options}
    looks = {
        "signal_class": lambda metric: metric.kind.needs_signal,
        "background_rate_hz": lambda metric: metric.needs_rate,
    }
    for one in tuple(given):
        if not any(map(looks[one], own)) and any(map(looks[one], others)):
            del given[one]
    return AskedMetrics.of(words, **given)


def _parsed(words: str | Sequence[str] | None) -> list[Metric]:
    return [parse_asked(text)[0] for text in AskedMetrics.words(words)]


def check_selection(selection: AskedMetrics, recipe: Recipe) -> None:
    """Refuses a choice where there is nothing to choose from, or nothing that chooses.

    Args:
        selection: One metric; empty where nobody asked.
        recipe: Of the training.

    Raises:
        InputError: No images are held out, or no average is made.
    """
    if selection and recipe.evaluate_every is None:
        raise InputError(
            "--evaluate_every with --select_by, which needs held-out images",
            f"--select_by {selection.metrics[0]} alone",
            "say how many epochs lie between evaluations, such as --evaluate_every 1",
        )
    if selection and recipe.average_share is None:
        raise InputError(
            "an average of the weights with --select_by, which chooses between it and the last",
            f"--select_by {selection.metrics[0]} and --average_share none",
            "leave one of them out",
        )


def gone_on_with(training: TrainingConfig, options: Mapping[str, Any]) -> AskedMetrics:
    """The metrics of a training that has begun: those that are asked for now, else its own.

    Args:
        training: As it began.
        options: As `RetrainOptions`.

    Raises:
        InputError: Another metric would have chosen the weights.
    """
    selection = selection_of(options)
    if selection and selection != training.selection:
        began = training.selection.metrics[0] if training.selection else "none"
        beside = "" if selection.metrics != training.selection.metrics else ", with another signal"
        raise InputError(
            f"--select_by {began}, as this run's training began",
            f"{selection.metrics[0]}{beside}",
            "leave the flag out to go on, or add --restart to train anew",
        )
    return metrics_of(options) or training.metrics
