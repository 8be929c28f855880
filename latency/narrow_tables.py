"""Tables on terminals that are narrower than they are: in parts, so that no figure is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table

# A column whose text may be folded gets this many characters at least.
FOLDED_WIDTH = 12


def parts_that_fit(table: Table, console: Console) -> list[Table]:
    """The table itself where it fits, else several with the first column in each.

    Rich cuts columns that must not wrap, down to nothing.

    Args:
        table: Complete.
        console: Where it will be printed.
    """
    first, *others = table.columns
    if not others or _with(table, table.columns, console) <= console.width:
        return [table]
    parts: list[list[Column]] = [[first]]
    for column in others:
        too_wide = _with(table, [*parts[-1], column], console) > console.width
        if too_wide and len(parts[-1]) > 1:
            parts.append([first])
        parts[-1].append(column)
    if len(parts) == 1:
        return [table]
    found = [_of_columns(table, columns) for columns in parts]
    for later in found[1:]:
        later.title = None
    return found


def _with(table: Table, columns: list[Column], console: Console) -> int:
    """Characters that a table of these columns needs."""
    return sum(_widths(_of_columns(table, columns), console))


def _widths(table: Table, console: Console) -> Iterator[int]:
    """Characters of each column, and of what lies between them."""
    unbounded = console.options.update(width=10_000)
    for column in table.columns:
        alone = _of_columns(table, [column])
        alone.box, alone.title, alone.pad_edge = None, None, True
        width = Measurement.get(console, unbounded, alone).maximum
        yield width if column.no_wrap else min(width, FOLDED_WIDTH)
    # Lines between columns and at both edges, also where a box draws them as spaces.
    lines = len(table.columns) + (1 if table.show_edge else -1)
    yield 0 if table.box is None else lines


def _of_columns(table: Table, columns: list[Column]) -> Table:
    """A table like another one with some of its columns; rows are those of the other one."""
    some = Table(
        title=table.title,
        title_justify=table.title_justify,
        box=table.box,
        padding=table.padding,
        pad_edge=table.pad_edge,
        show_header=table.show_header,
        show_edge=table.show_edge,
    )
    some.columns = [replace(column, _index=index) for index, column in enumerate(columns)]
    some.rows = table.rows
    return some
