"""The final table on the terminal: asked, predicted, measured, and what stands beside it."""

from __future__ import annotations

from rich import box
from rich.table import Table

from nas.report import numbers
from nas.report.comparison import ShownNetwork, compare
from nas.report.verdict import seen_text, title_text, why_text
from nas.runs.records import Baselines, Certificate


def terminal_table(certificate: Certificate, baselines: Baselines | None = None) -> Table:
    """The table that ends `nas.py` and `main.py`.

    Args:
        certificate: Of the run.
        baselines: Of the run; None before they are trained.
    """
    rows = compare(certificate, baselines)
    retrained = any(row.top1 is not None for row in rows)
    top1 = "top-1" if retrained else "top-1, supernet,\nnot retrained"
    table = Table(title=title_text(certificate), title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("network", no_wrap=True)
    for name in ("asked\nms", "predicted\nms", "measured\nms", "95 %\ninterval"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("params", "MACs"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(top1, justify="right")
    for row in rows:
        style = "bold" if row.role == "searched" else None
        table.add_row(row.label, *_cells(row, retrained), style=style)
    return table


def _cells(row: ShownNetwork, retrained: bool) -> list[str]:
    return [
        numbers.milliseconds(row.asked_ms),
        numbers.milliseconds(row.predicted_ms),
        numbers.milliseconds(row.measured_ms),
        interval_text(row),
        numbers.count(row.params),
        numbers.count(row.macs),
        # Without any trained network the column's name says whose accuracy it is.
        top1_text(row) if retrained else numbers.share(row.supernet_top1),
    ]


def interval_text(row: ShownNetwork) -> str:
    """'1.487–1.498', or a dash."""
    if row.measured_low_ms is None or row.measured_high_ms is None:
        return numbers.UNKNOWN
    low, high = row.measured_low_ms, row.measured_high_ms
    return f"{numbers.milliseconds(low)}–{numbers.milliseconds(high)}"


def top1_text(row: ShownNetwork) -> str:
    """Accuracy after training; else the supernet's, and said so."""
    if row.top1 is None and row.supernet_top1 is not None:
        return f"{numbers.share(row.supernet_top1)} (supernet, not retrained)"
    return numbers.share(row.top1)


def verdict_lines(certificate: Certificate) -> list[str]:
    """What stands below the table: as seen today, and why where the budget is not met.

    Args:
        certificate: Of the run.
    """
    return [text for text in (seen_text(certificate), why_text(certificate)) if text]
