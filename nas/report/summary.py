"""Params and MACs of every layer as a table (`python main.py --summary`)."""

from __future__ import annotations

from typing import TextIO

from rich.table import Table

from latency.terminal import Terminal
from nas.architecture.spec import Architecture
from nas.cost.counts import ArchitectureCost, architecture_cost

# Wider than any table; where there is no terminal to fit, nothing is cut.
UNBOUNDED_WIDTH = 10_000


def summary_table(cost: ArchitectureCost, title: str = "") -> Table:
    """Layer, type, params, MACs and output size, with totals."""
    table = Table(title=title or None, title_justify="left")
    for name in ("#", "layer", "type"):
        table.add_column(name, overflow="fold")
    for name in ("params", "MACs", "output size"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in cost.layers:
        size = "x".join(str(n) for n in row.output_shape)
        table.add_row(f"{row.index}", row.name, row.type, f"{row.params:,}", f"{row.macs:,}", size)
    table.add_section()
    table.add_row("", "total", "", f"{cost.params:,}", f"{cost.macs:,}", "")
    return table


def print_summary(architecture: Architecture, file: TextIO | None = None) -> None:
    """Prints the table and the totals that have no column.

    Args:
        architecture: The network.
        file: Where to; standard output by default.
    """
    console = Terminal(file=file, soft_wrap=True)
    cost = architecture_cost(architecture)
    table = summary_table(cost, architecture.name)
    if not console.is_terminal:
        unbounded = console.options.update(width=UNBOUNDED_WIDTH)
        console.width = console.measure(table, options=unbounded).maximum
    console.print(table)
    console.print(
        f"params {cost.params:,} (with BN statistics {cost.params_with_statistics:,}), "
        f"MACs {cost.macs:,}, float32 weights {cost.size_bytes:,} bytes"
    )
