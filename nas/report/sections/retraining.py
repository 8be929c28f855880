"""The found network's own training."""

from __future__ import annotations

from nas.report import cards, plots
from nas.report.facts import RunFacts
from nas.report.plots import BLUE, GREEN, Curve


def retraining(run: RunFacts) -> str:
    """The curve of the final training."""
    rows = run.records.retrain_history
    shown = cards.charts(
        cards.chart(
            plots.history_plot(rows, [Curve("accuracy", "training", GREEN, 100)], "top-1, %"),
            "Accuracy on training batches",
            "The recipe's crops, flips and dropout make these harder than the evaluation images.",
        ),
        cards.chart(
            plots.history_plot(
                rows, [Curve("dominant_accuracy", "training", GREEN, 100)], "share, %"
            ),
            "Greatest part of mixed images that was named",
            "Images are mixed of two, so that this is no accuracy: the evaluation tells that.",
        ),
        cards.chart(
            plots.history_plot(rows, [Curve("loss", "loss", BLUE)], "loss"), "Training loss", ""
        ),
    )
    return cards.card("Retraining", "", shown) if shown else ""
