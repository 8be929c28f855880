"""The found network's own training."""

from __future__ import annotations

from nas.report import cards, plots
from nas.report.facts import RunFacts
from nas.report.plots import BLUE, GREEN, ORANGE, VIOLET, Curve

BATCHES = (
    "The recipe's crops, flips and dropout make training batches harder than the evaluation images."
)
HELD_OUT = (
    "Held-out training images are judged with the weights of that step and with their average."
)


def retraining(run: RunFacts) -> str:
    """The curve of the final training, and which of its weights were kept."""
    rows = run.records.retrain_history
    curves = [
        Curve("accuracy", "training", GREEN, 100),
        Curve("val_top1", "held out, last weights", ORANGE, 100),
        Curve("val_top1_average", "held out, average", VIOLET, 100),
    ]
    has_batches = any(row.accuracy is not None for row in rows)
    is_held_out = any(row.val_top1 is not None for row in rows)
    shown = cards.charts(
        cards.chart(
            plots.history_plot(rows, curves, "top-1, %"),
            f"Accuracy on {'training batches' if has_batches else 'held-out images'}",
            " ".join([*([BATCHES] if has_batches else []), *([HELD_OUT] if is_held_out else [])]),
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
    return cards.card("Retraining", _lead(run), shown) if shown else ""


def _lead(run: RunFacts) -> str:
    """Both kinds of weights, and how smooth they were; empty where an earlier version trained."""
    certificate = run.records.certificate
    if certificate is None:
        return ""
    weights = [] if certificate.weights is None else [certificate.weights.text]
    texts = [*weights, *(found.text for found in certificate.smoothness)]
    return " ".join(f"{text[0].upper()}{text[1:]}." for text in texts)
