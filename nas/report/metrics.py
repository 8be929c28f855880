"""Metrics beyond top-1 in words and cells, for terminal and page."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from nas.metrics import (
    METRICS,
    MetricKind,
    MetricResults,
    MetricSpread,
    MetricSuccess,
    MetricValue,
)
from nas.metrics.decimals import frequency_text
from nas.report import numbers
from nas.report.comparison import ShownNetwork
from nas.runs.records import TrainedRecord


def kind_of(metric: str) -> MetricKind | None:
    """What the name of a metric stands for; None for one that another program registered.

    Args:
        metric: Its text, as records have it.
    """
    name = metric.partition("=")[0]
    return next((METRICS[known] for known in METRICS if known == name), None)


def figure(metric: str, value: float) -> str:
    """A value in the metric's own form: four digits behind the point, a share of images as percent.

    Args:
        metric: Its text, as records have it.
        value: Of it.
    """
    kind = kind_of(metric)
    # AUC is a share of pairs, and people write it as a number.
    is_percent = kind is not None and kind.is_share and metric != "auc"
    return f"{100 * value:.2f} %" if is_percent else f"{value:.4f}"


def value_text(value: MetricValue) -> str:
    """'auc 0.9312 (95 % interval 0.9204 to 0.9411)', with the background that passes.

    Args:
        value: Of one network.
    """
    low, high = (figure(value.metric, end) for end in (value.low, value.high))
    passing = ""
    if value.passing_background is not None:
        passing = f"; {value.passing_background:,} background images pass"
        if value.passing_background != value.allowed_background:
            passing += f" of {value.allowed_background:,} that may, as equal scores stay together"
    own = figure(value.metric, value.value)
    return f"{value.metric} {own} (95 % interval {low} to {high}{passing})"


def images_text(results: MetricResults) -> str:
    """What metrics were counted on, and how their intervals were made.

    Args:
        results: Of one network.
    """
    text = f"{results.images:,} evaluation images"
    if results.signal_class is not None:
        text += (
            f": {results.signal_images:,} of the signal class {results.signal_class!r} and "
            f"{results.background_images:,} of background"
        )
    if results.background_rate_hz is not None:
        rate = frequency_text(Decimal(repr(results.background_rate_hz)))
        text += f", which comes at {rate}"
    return (
        f"{text}. Intervals: stratified percentile bootstrap, {results.resamples:,} resamples, "
        f"seed {results.resample_seed}; they say nothing of the spread between seeds."
    )


def spread_text(spread: MetricSpread) -> str:
    """'0.9305, sd 0.0021 (3)': mean and standard deviation over so many trainings.

    Args:
        spread: Of one network, trained twice or more.
    """
    deviation = figure(spread.metric, spread.standard_deviation or 0.0).replace("%", "points")
    return f"{figure(spread.metric, spread.mean)}, sd {deviation} ({len(spread.seeds)})"


def success_text(metric: str, success: MetricSuccess) -> str:
    """'0.95 reached by 3 of 5 trainings (95 % interval 23 to 88 %)'.

    Args:
        metric: Its text.
        success: Of its trainings.
    """
    trainings = "training" if success.trainings == 1 else "trainings"
    return (
        f"{figure(metric, success.goal)} reached by {success.reached} of {success.trainings} "
        f"{trainings} (95 % interval {100 * success.low:.0f} to "
        f"{numbers.share(success.high, 0)}, Wilson)"
    )


def judged_lines(record: TrainedRecord) -> list[str]:
    """What stands below the accuracy of a finished training: its metrics, and how smooth it was.

    Args:
        record: Of the training.
    """
    values = record.metrics.values if record.metrics else ()
    return [*(f"{value_text(v)}." for v in values), *(f"{s.text}." for s in record.smoothness)]


def metric_lines(rows: Sequence[ShownNetwork]) -> list[str]:
    """What stands below the final table of networks; nothing where nobody asked for metrics.

    Args:
        rows: Of the table.
    """
    judged = [(row, row.metrics) for row in rows if row.metrics is not None]
    lines = []
    for row, results in judged:
        over = {spread.metric: _over_seeds(spread) for spread in row.metric_spreads}
        lines += [
            f"{row.label}: {value_text(value)}{over.get(value.metric, '')}."
            for value in results.values
        ]
    return [*lines, images_text(judged[0][1])] if judged else []


def _over_seeds(spread: MetricSpread) -> str:
    text = f"; mean over seeds {spread_text(spread)}" if len(spread.seeds) > 1 else ""
    if spread.success is not None:
        text += f"; {success_text(spread.metric, spread.success)}"
    return text


def spread_cells(rows: Sequence[Sequence[MetricSpread]]) -> list[tuple[str, list[str]]]:
    """Metric -> a cell for each network, the mean over its trainings; nothing without metrics.

    Args:
        rows: Metrics of each network; none where it was not judged.
    """
    found = [{spread.metric: spread for spread in row} for row in rows]
    texts = dict.fromkeys(text for row in found for text in row)
    return [(text, [_mean_cell(row.get(text)) for row in found]) for text in texts]


def _mean_cell(spread: MetricSpread | None) -> str:
    return numbers.UNKNOWN if spread is None else figure(spread.metric, spread.mean)
