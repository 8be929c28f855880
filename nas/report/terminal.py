"""The final table on the terminal: asked, predicted, measured, and what stands beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table

from nas.report import numbers
from nas.report.comparison import ComparedNetwork, compare, record_of


def terminal_table(
    certificate: Mapping[str, Any], baselines: Mapping[str, Any] | None = None
) -> Table:
    """The table that ends `nas.py` and `main.py`.

    Args:
        certificate: As in certificate.json.
        baselines: As in baselines.json, or None before they are trained.

    Raises:
        ReportError: An entry has the wrong type.
    """
    rows = compare(record_of(certificate, "the certificate"), record_of(baselines, "the baselines"))
    retrained = any(row.top1 is not None for row in rows)
    top1 = "top-1" if retrained else "top-1, supernet,\nnot retrained"
    table = Table(title=_title(certificate), title_justify="left", box=box.SIMPLE_HEAD)
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


def _cells(row: ComparedNetwork, retrained: bool) -> list[str]:
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


def interval_text(row: ComparedNetwork) -> str:
    """'1.487–1.498', or a dash."""
    if row.measured_low_ms is None or row.measured_high_ms is None:
        return numbers.UNKNOWN
    low, high = row.measured_low_ms, row.measured_high_ms
    return f"{numbers.milliseconds(low)}–{numbers.milliseconds(high)}"


def top1_text(row: ComparedNetwork) -> str:
    """Accuracy after training; else the supernet's, and said so."""
    if row.top1 is None and row.supernet_top1 is not None:
        return f"{numbers.share(row.supernet_top1)} (supernet, not retrained)"
    return numbers.share(row.top1)


def _title(certificate: Mapping[str, Any]) -> str:
    met = certificate.get("met")
    if met is None:
        asked = certificate.get("asked_ms")
        return "no time was asked for" if asked is None else "not yet measured on the device"
    return "budget met: within 2 % of the time asked" if met else "budget NOT met"
