"""Tables on narrow terminals: every cell stays whole."""

from __future__ import annotations

import io

import pytest
from rich import box
from rich.table import Table

from latency.terminal import Terminal

NAMES = ["network", "asked\nms", "predicted\nms", "measured\nms", "params", "memory", "top-1"]
CELLS = ["This network", "0.500", "0.498", "0.503", "103 k", "98.3 kB", "61.2 %"]


def printed(width: int, pad_edge: bool = True, title: str | None = None) -> list[str]:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=pad_edge, title=title)
    for name in NAMES:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(*CELLS)
    stream = io.StringIO()
    Terminal(file=stream, width=width, soft_wrap=True).print(table)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("pad_edge", [True, False])
@pytest.mark.parametrize("width", [30, 50, 80, 120])
def test_a_narrow_terminal_loses_no_cell(width: int, pad_edge: bool) -> None:
    lines = printed(width, pad_edge)
    text = "\n".join(lines)
    assert all(cell in text for cell in CELLS) and "…" not in text
    assert all(part in text for name in NAMES for part in name.split("\n"))
    assert all(len(line.rstrip()) <= width for line in lines)


def test_every_part_names_its_rows_and_the_first_alone_has_the_title() -> None:
    lines = printed(50, title="TARGET MET")
    rows = [line for line in lines if CELLS[1] in line or CELLS[-1] in line]
    assert len(rows) == 2 and all(CELLS[0] in row for row in rows)
    assert sum("TARGET MET" in line for line in lines) == 1


def test_a_table_that_fits_is_printed_as_it_is() -> None:
    assert sum(CELLS[0] in line for line in printed(120)) == 1
