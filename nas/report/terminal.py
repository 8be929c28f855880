"""The final table on the terminal: asked, predicted, measured, and what stands beside it."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from nas.cost.units import Unit
from nas.report import numbers
from nas.report.bit_columns import HEADINGS, bit_cells, bits_are_shown
from nas.report.comparison import ShownNetwork, compare, has_several_seeds
from nas.report.metrics import metric_lines
from nas.report.seeds import MoreSeeds, seed_lines
from nas.report.verdict import seen_text, title_text, why_text
from nas.runs.records import Baselines, Certificate
from nas.selection.seed_spread import SeedSpread


def terminal_table(certificate: Certificate, baselines: Baselines | None = None) -> Table:
    """The table that ends `nas.py` and `main.py`.

    Args:
        certificate: Of the run.
        baselines: Of the run; None before they are trained.
    """
    rows = compare(certificate, baselines)
    retrained = any(row.top1 is not None for row in rows)
    several = has_several_seeds(rows)
    top1 = "top-1" if retrained else "top-1,\nsupernet,\nnot retrained"
    # Without padding at its edges it fits into 110 columns.
    table = Table(
        title=title_text(certificate),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("network", no_wrap=True)
    times = _time_columns(rows, certificate.unit)
    for name in times:
        table.add_column(name, justify="right", no_wrap=True)
    # Certificates of earlier versions have no memory.
    has_memory = any(row.memory_bytes is not None for row in rows)
    has_bits = bits_are_shown(rows) or not certificate.unit.is_measured
    bits = [heading.replace(" ", "\n") for heading in HEADINGS] if has_bits else []
    for name in ("params", "MACs", *bits, *(("memory",) if has_memory else ())):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("top-1,\nmean" if several else top1, justify="right")
    if several:
        table.add_column("sd\n(seeds)", justify="right", no_wrap=True)
    for row in rows:
        style = "bold" if row.role == "searched" else None
        spread = [spread_cell(row.known_trainings)] if several else []
        counts = bit_cells(row) if has_bits else []
        counts += [numbers.size(row.memory_bytes)] if has_memory else []
        cells = [
            *(cells[row.label] for cells in times.values()),
            *_cells(row),
            *counts,
            _accuracy(row, retrained),
            *spread,
        ]
        table.add_row(row.label, *cells, style=style)
    return table


def _time_columns(rows: Sequence[ShownNetwork], unit: Unit) -> dict[str, dict[str, str]]:
    """Heading -> row's label -> cell; where a count was asked for, only times that are known."""
    columns = {
        f"asked\n{unit.text}": {r.label: numbers.bare_figure(unit, r.asked(unit)) for r in rows},
        "predicted\nms": {r.label: numbers.milliseconds(r.predicted_ms) for r in rows},
        "measured\nms": {r.label: numbers.milliseconds(r.measured_ms) for r in rows},
        "95 %\ninterval": {r.label: interval_text(r) for r in rows},
    }
    if unit.is_measured:
        return columns
    return {
        name: cells
        for name, cells in columns.items()
        if any(cell != numbers.UNKNOWN for cell in cells.values())
    }


def _cells(row: ShownNetwork) -> list[str]:
    return [numbers.count(row.params), numbers.count(row.macs)]


def _accuracy(row: ShownNetwork, retrained: bool) -> str:
    # Without any trained network the column's name says whose accuracy it is.
    return top1_text(row) if retrained else numbers.share(row.supernet_top1)


def interval_text(row: ShownNetwork) -> str:
    """'1.487–1.498', or a dash."""
    if row.measured_low_ms is None or row.measured_high_ms is None:
        return numbers.UNKNOWN
    low, high = row.measured_low_ms, row.measured_high_ms
    return f"{numbers.milliseconds(low)}–{numbers.milliseconds(high)}"


def top1_text(row: ShownNetwork) -> str:
    """Accuracy after training, the mean of several; else the supernet's, and said so."""
    if row.top1 is None and row.supernet_top1 is not None:
        return f"{numbers.share(row.supernet_top1)} (supernet, not retrained)"
    return numbers.share(row.mean_top1)


def spread_cell(trainings: SeedSpread | None) -> str:
    """'0.84 (3)': standard deviation between so many seeds, in points; a dash where not known.

    Args:
        trainings: Of a network; None where it was not trained.
    """
    if trainings is None:
        return numbers.UNKNOWN
    deviation = trainings.standard_deviation
    shown = numbers.UNKNOWN if deviation is None else numbers.points(deviation)
    return f"{shown} ({trainings.count})"


def verdict_lines(
    certificate: Certificate, baselines: Baselines | None = None, more: MoreSeeds | None = None
) -> list[str]:
    """What stands below the table: as seen today, why a budget is not met, and the seeds' spread.

    Args:
        certificate: Of the run.
        baselines: Of the run; None before they are trained.
        more: What a command with more seeds is made of; None where none shall be proposed.
    """
    texts = [text for text in (seen_text(certificate), why_text(certificate)) if text]
    rows = compare(certificate, baselines)
    return [*texts, *metric_lines(rows), *seed_lines(rows, certificate, more)]
