"""The metrics there are, by name: what each means, which direction is better, how it is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import partial

import numpy as np

from nas.metrics import ranking
from nas.metrics.bootstrap import Cut, Sample
from nas.metrics.decimals import frequency_text, parse_frequency, parse_share, plain
from nas.metrics.images import ScoredImages
from nas.registry import Registry


@dataclass(frozen=True)
class Parameter:
    """The number behind the name of a metric, as in `tpr_at_fpr=0.01`.

    Args:
        example: As it may be written.
        parse: From a name for messages and a text to the number; refuses others in three parts.
        text: From the number to the text that gives it back.
        is_rate: Whether it is a frequency in Hz, which needs that of the background beside it.
    """

    example: str
    parse: Callable[[str, str], Decimal]
    text: Callable[[Decimal], str]
    is_rate: bool = False


@dataclass(frozen=True)
class MetricKind:
    """A metric by its name.

    Args:
        meaning: What it is, in one sentence for people.
        higher_is_better: Whether a greater value is a better network.
        sample: From images, and the share of background that may pass where there is a parameter,
            to what the metric and its interval are counted from.
        needs_signal: Whether one class has to be the signal.
        is_share: Whether its values are from 0 to 1.
        parameter: None for a metric without one.
    """

    meaning: str
    higher_is_better: bool
    sample: Callable[[ScoredImages, Fraction | None], Sample]
    needs_signal: bool = False
    is_share: bool = True
    parameter: Parameter | None = None


METRICS: Registry[MetricKind] = Registry("metric")


def _mean(*strata: np.ndarray) -> np.ndarray:
    """The mean over all images; each class keeps its number of them."""
    images = sum(values.shape[-1] for values in strata)
    return np.asarray(sum(values.sum(axis=-1) for values in strata) / images)


def _within(images: ScoredImages, _: Fraction | None, guesses: int) -> Sample:
    return Sample(images.by_class((images.places < guesses).astype(np.float64)), _mean)


def _cross_entropy(images: ScoredImages, _: Fraction | None) -> Sample:
    return Sample(images.by_class(images.losses), _mean)


def _both(images: ScoredImages) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds of the signal images, and of the background images."""
    odds = images.log_odds
    if odds is None:
        raise ValueError("these images were scored without a signal class")
    return odds[images.is_signal], odds[~images.is_signal]


def _auc(images: ScoredImages, _: Fraction | None) -> Sample:
    return Sample(_both(images), ranking.auc)


def _true_positive_rate(images: ScoredImages, share: Fraction | None) -> Sample:
    signal, background = _both(images)
    passing = ranking.allowed(share or Fraction(0), len(background))
    limit = float(ranking.threshold(background, passing))
    cut = Cut(limit, passing, int((background > limit).sum()))
    statistic = partial(ranking.true_positive_rate, passing=passing)
    return Sample((signal, background), statistic, cut)


METRICS.register(
    "top1",
    MetricKind(
        "Share of the images whose own class has the highest score; a tie counts against it.",
        higher_is_better=True,
        sample=partial(_within, guesses=1),
    ),
)
METRICS.register(
    "top5",
    MetricKind(
        "Share of the images whose own class is among the five highest scores.",
        higher_is_better=True,
        sample=partial(_within, guesses=5),
    ),
)
METRICS.register(
    "cross_entropy",
    MetricKind(
        "Mean of -ln(softmax probability of the own class), in nats.",
        higher_is_better=False,
        sample=_cross_entropy,
        is_share=False,
    ),
)
METRICS.register(
    "auc",
    MetricKind(
        "Share of all pairs of a signal and a background image whose signal image has the higher "
        "probability of the signal class; a tie is half a pair.",
        higher_is_better=True,
        sample=_auc,
        needs_signal=True,
    ),
)
METRICS.register(
    "tpr_at_fpr",
    MetricKind(
        "Share of the signal images that pass a threshold which no more than this share of the "
        "background images passes.",
        higher_is_better=True,
        sample=_true_positive_rate,
        needs_signal=True,
        parameter=Parameter("0.01", parse_share, plain),
    ),
)
METRICS.register(
    "tpr_at_rate",
    MetricKind(
        "Share of the signal images that pass a threshold at which the background that passes has "
        "no more than this rate.",
        higher_is_better=True,
        sample=_true_positive_rate,
        needs_signal=True,
        parameter=Parameter("10kHz", parse_frequency, frequency_text, is_rate=True),
    ),
)
