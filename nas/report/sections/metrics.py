"""What the networks reach by the metrics that were asked for, beside top-1 and top-5."""

from __future__ import annotations

from html import escape

from nas.metrics import MetricResults, MetricValue
from nas.report import cards, numbers
from nas.report.comparison import ShownNetwork
from nas.report.facts import RunFacts
from nas.report.metrics import figure, images_text, kind_of, spread_text, success_text

COLUMNS = ("network", "metric", "value", "95 % interval", "mean, sd (seeds)")
OF_THRESHOLDS = ("threshold, log-odds", "background passes")


def metrics(run: RunFacts) -> str:
    """A row for each network and metric."""
    judged = [(n, n.metrics) for n in run.networks if n.metrics is not None]
    if not judged:
        return ""
    has_cut = any(v.threshold_log_odds is not None for _, found in judged for v in found.values)
    names = (*COLUMNS, *(OF_THRESHOLDS if has_cut else ()))
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    rows = "".join(
        _row(network, found, value, has_cut) for network, found in judged for value in found.values
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    asked = dict.fromkeys(v.metric for _, found in judged for v in found.values)
    kinds = {text.partition("=")[0]: kind_of(text) for text in asked}
    meanings = [f"{name}: {kind.meaning}" for name, kind in kinds.items() if kind is not None]
    goals = [
        f"{network.label}, {spread.metric}: {success_text(spread.metric, spread.success)}."
        for network, _ in judged
        for spread in network.metric_spreads
        if spread.success is not None
    ]
    texts = [images_text(judged[0][1]), *goals, *meanings]
    below = "".join(f"<p>{escape(text)}</p>" for text in texts)
    lead = "On the evaluation images, after all choices were made; nothing was chosen by it."
    return cards.card("Other metrics", lead, f'<div class="scroll">{table}</div>', below)


def _row(network: ShownNetwork, found: MetricResults, value: MetricValue, has_cut: bool) -> str:
    metric = value.metric
    spread = next((s for s in network.metric_spreads if s.metric == metric), None)
    several = spread is not None and len(spread.seeds) > 1
    cells = [
        network.label,
        metric,
        figure(metric, value.value),
        f"{figure(metric, value.low)} to {figure(metric, value.high)}",
        spread_text(spread) if spread is not None and several else numbers.UNKNOWN,
    ]
    if has_cut:
        cells += _cut_cells(found, value)
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _cut_cells(found: MetricResults, value: MetricValue) -> list[str]:
    if value.threshold_log_odds is None or value.passing_background is None:
        return [numbers.UNKNOWN, numbers.UNKNOWN]
    passing = f"{value.passing_background:,} of {numbers.whole(found.background_images)}"
    return [f"{value.threshold_log_odds:.4g}", passing]
