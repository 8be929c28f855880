"""Params and MACs of every layer as a table (`python main.py --summary`)."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from nas.cost import architecture_cost
from nas.spec import Architecture


def summary_table(architecture: Architecture) -> Table:
    """Layer, type, params, MACs and output size, with totals."""
    cost = architecture_cost(architecture)
    table = Table(title=architecture.name or None, title_justify="left")
    for name in ("#", "layer", "type"):
        table.add_column(name)
    for name in ("params", "MACs", "output size"):
        table.add_column(name, justify="right")
    for row in cost.layers:
        size = "x".join(str(n) for n in row.output_shape)
        table.add_row(f"{row.index}", row.name, row.type, f"{row.params:,}", f"{row.macs:,}", size)
    table.add_section()
    table.add_row("", "total", "", f"{cost.params:,}", f"{cost.macs:,}", "")
    return table


def print_summary(architecture: Architecture, console: Console | None = None) -> None:
    """Prints the table and the totals that have no column."""
    console = console or Console(highlight=False)
    cost = architecture_cost(architecture)
    console.print(summary_table(architecture))
    console.print(
        f"params {cost.params:,} (with BN statistics {cost.params_with_statistics:,}), "
        f"MACs {cost.macs:,}, float32 weights {cost.size_bytes:,} bytes"
    )
