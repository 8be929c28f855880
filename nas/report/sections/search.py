"""How the search went: what the goal is asked in, loss, accuracy and gates over its steps."""

from __future__ import annotations

from nas.cost.units import Unit
from nas.report import cards, plots
from nas.report.facts import RunFacts
from nas.report.gates import gates_html
from nas.report.plots import BLUE, GREEN, INK, ORANGE, VIOLET, Curve


def search(run: RunFacts) -> str:
    """How the expected cost, loss and gates moved."""
    rows, asked, unit = run.records.history, run.asked, run.unit
    target = asked.value if asked else None
    scale, axis = plots.axis_of(unit, [getattr(row, unit.column) for row in rows])
    expected = plots.history_plot(
        rows,
        [Curve(unit.column, "expected", GREEN, scale)],
        axis,
        target=None if target is None else scale * target,
        smooth=False,
    )
    loss = plots.history_plot(
        rows,
        [
            Curve("cross_entropy", "cross-entropy, weights", BLUE),
            Curve("gate_cross_entropy", "cross-entropy, held-out part", VIOLET),
            Curve("penalty", unit.penalty, ORANGE),
        ],
        "loss",
    )
    accuracy = plots.history_plot(
        rows,
        [
            Curve("accuracy", "training batches", BLUE, 100),
            Curve("gate_accuracy", "held-out part", VIOLET, 100),
        ],
        "top-1 of the supernet, %",
    )
    entropy = plots.history_plot(
        rows, [Curve("gate_entropy", "gate entropy", INK)], "nats", smooth=False
    )
    charts = cards.charts(
        cards.chart(expected, f"Expected {unit.noun}", _note(unit)),
        cards.chart(
            loss, "Loss", "Thin: every record. Thick: moving average, where there are many."
        ),
        cards.chart(accuracy, "Accuracy of the supernet", "Of networks drawn by the gates."),
        cards.chart(entropy, "Undecidedness of the gates", "Mean entropy; 0 is a firm decision."),
    )
    gates = ""
    if run.records.gates and run.records.gates.steps and run.records.gates.choices:
        gates = (
            '<h3 class="gap">What the gates chose</h3><p class="lead">Probability of each value '
            "from the first to the last step; the likeliest is named.</p>"
        ) + gates_html(run.records.gates)
    return cards.card("The search", "", charts, gates) if charts or gates else ""


def _note(unit: Unit) -> str:
    if unit.is_measured:
        return "Mean over the gates, by the latency table."
    return "Mean over the gates, counted exactly."
