"""The table's audit on held-out networks beside the noise floor."""

from __future__ import annotations

import re

from latency.tables.predictor import AUDIT_LINES, Audit
from nas.report import cards, numbers, plots
from nas.report.facts import RunFacts
from nas.report.verdict import speed_text


def prediction(run: RunFacts) -> str:
    """Whether the table's milliseconds can be trusted."""
    audit = run.records.table.audit if run.records.table else None
    if audit is None:
        return ""
    points = [(predicted_ms, measured_ms) for _, predicted_ms, measured_ms in audit.points]
    lead = (
        f"{numbers.whole(audit.n)} held-out networks that took no part in the calibration; the "
        f"slowest takes {audit.spread:.2f} times the fastest. The noise floor is the same "
        "measurement against itself."
    )
    if run.records.table:
        lead += f" While it was measured, {speed_text(run.records.table.speed.share_full_speed)}."
    chart = cards.chart(
        plots.prediction_plot(points, run.networks),
        "Predicted against measured",
        "On the line is exact.",
    )
    return cards.card(
        "Can the milliseconds be trusted?", lead, cards.charts(chart, _figures(audit))
    )


def _figures(audit: Audit) -> str:
    rows = "".join(
        f"<tr><td>{label}</td><td>{_shown(form, getattr(audit, name))}</td>"
        f"<td>{_shown(form, audit.noise[name])}</td></tr>"
        for label, name, form in AUDIT_LINES
    )
    head = "<tr><th></th><th>prediction</th><th>noise floor</th></tr>"
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _shown(form: str, value: float) -> str:
    """A figure as the page writes them: a true minus, a space before the percent sign."""
    return re.sub(r"\s*%", " %", form.format(value)).replace("-", "\u2212")
