"""Params, MACs and bits of every layer as a table (`python main.py --summary`)."""

from __future__ import annotations

import csv
import io
from typing import TextIO

from rich import box
from rich.table import Table

from latency.terminal import Terminal
from nas.architecture.spec import Architecture
from nas.cost.counts import ArchitectureCost, architecture_cost

# Wider than any table; where there is no terminal to fit, nothing is cut.
UNBOUNDED_WIDTH = 10_000
CSV_COLUMNS = (
    *("network", "number", "layer", "type", "params", "not_trained", "macs", "output_size"),
    *("weight_bits", "bops"),
)


def summary_table(cost: ArchitectureCost, title: str = "") -> Table:
    """Layer, type, params, MACs and output size, with totals; bits where numbers have formats.

    Args:
        cost: Of a network.
        title: Above the table; empty for none.
    """
    # Without edges, most networks fit into 80 columns.
    table = Table(
        title=title or None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    for name in ("#", "layer", "type"):
        table.add_column(name, overflow="fold")
    bits = ("weight\nbits", "BOPs") if cost.has_formats else ()
    for name in ("params", "not\ntrained", "MACs", *bits, "output\nsize"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in cost.layers:
        table.add_row(
            f"{row.index}",
            row.name,
            row.type,
            f"{row.params:,}",
            f"{row.params_with_statistics - row.params:,}",
            f"{row.macs:,}",
            *([f"{row.weight_bits:,}", f"{row.bops:,}"] if bits else []),
            _size(row.output_shape),
        )
    table.add_section()
    not_trained = cost.params_with_statistics - cost.params
    totals = [cost.params, not_trained, cost.macs]
    totals += [cost.weight_bits, cost.bops] if bits else []
    table.add_row("", "total", "", *(f"{count:,}" for count in totals), "")
    return table


def print_summary(
    architecture: Architecture, file: TextIO | None = None, title: str | None = None
) -> None:
    """Prints the table and the totals in words.

    Args:
        architecture: The network.
        file: Where to; standard output by default.
        title: Above the table; None for the network's own name.
    """
    console = Terminal(file=file, soft_wrap=True)
    cost = architecture_cost(architecture)
    table = summary_table(cost, architecture.name if title is None else title)
    if not console.is_terminal:
        unbounded = console.options.update(width=UNBOUNDED_WIDTH)
        console.width = console.measure(table, options=unbounded).maximum
    console.print(table)
    console.print(totals_text(cost))


def totals_text(cost: ArchitectureCost) -> str:
    """The totals of a network in one line, as course works ask for them.

    Args:
        cost: Of the network.
    """
    not_trained = cost.params_with_statistics - cost.params
    weights = f"float32 weights {cost.size_bytes:,} bytes, with normalisations folded into"
    weights += " convolutions"
    if cost.has_formats:
        weights = (
            f"bit operations {cost.bops:,}, kernels {cost.weight_bits:,} bits, biases, scales and "
            f"normalisations {cost.other_bits:,} bits, together {cost.size_bytes:,} bytes"
        )
    return (
        f"params {cost.params_with_statistics:,} (trainable {cost.params:,}, not trainable "
        f"{not_trained:,}: the statistics of batch normalisation), MACs {cost.macs:,}, {weights}, "
        f"activations at most {cost.memory_bytes:,} bytes at once"
    )


def summary_csv(networks: list[tuple[str, ArchitectureCost]]) -> str:
    """The tables of networks for other programs: a row a layer, and one of totals for each.

    Args:
        networks: Name and counts of each.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for name, cost in networks:
        for row in cost.layers:
            not_trained = row.params_with_statistics - row.params
            size = _size(row.output_shape)
            counts = (row.params, not_trained, row.macs, size)
            bits = (row.weight_bits, row.bops)
            writer.writerow((name, row.index, row.name, row.type, *counts, *bits))
        totals = (cost.params, cost.params_with_statistics - cost.params, cost.macs, "")
        writer.writerow((name, "", "total", "", *totals, cost.weight_bits, cost.bops))
    return buffer.getvalue()


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(str(length) for length in shape)
