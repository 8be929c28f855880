"""A page of results: tables with the aims they are held against, for a terminal and as Markdown."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

WIDTH = 98


@dataclass(frozen=True)
class Aim:
    """What counts as reached, stated before it was measured.

    Args:
        text: The aim, with its limit.
        found: What was measured, with its unit.
        is_reached: Whether it was.
    """

    text: str
    found: str
    is_reached: bool

    def line(self) -> str:
        """One line for both forms."""
        return f"{self.text}: {self.found}, {'reached' if self.is_reached else 'NOT reached'}"


@dataclass(frozen=True)
class Section:
    """A table with its aims.

    Args:
        title: Of the section.
        text: What the table shows; whole sentences.
        columns: Titles.
        rows: Cells.
        aims: None where nothing was asked.
    """

    title: str
    text: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    aims: tuple[Aim, ...] = ()

    def markdown(self) -> str:
        """The section as Markdown."""
        lines = [f"## {self.title}", "", textwrap.fill(self.text, WIDTH), ""]
        table = [self.columns, ("---",) * len(self.columns), *self.rows]
        lines += ["| " + " | ".join(cells) + " |" for cells in table]
        if self.aims:
            items = (f"- {aim.line()}." for aim in self.aims)
            lines += ["", *(textwrap.fill(item, WIDTH, subsequent_indent="  ") for item in items)]
        return "\n".join([*lines, ""])

    def print(self, console: Console) -> None:
        """Prints the section."""
        table = Table(title=self.title, title_justify="left")
        for title in self.columns:
            table.add_column(title)
        for cells in self.rows:
            table.add_row(*cells)
        console.print(table)
        for aim in self.aims:
            console.print(f"  {aim.line()}", markup=False)


@dataclass(frozen=True)
class Page:
    """Everything that was found.

    Args:
        title: Of the page.
        commands: How it was measured.
        conditions: Hardware, software, dates; one item a line.
        sections: Tables.
    """

    title: str
    commands: tuple[str, ...]
    conditions: tuple[str, ...]
    sections: tuple[Section, ...]

    def markdown(self) -> str:
        """The page as Markdown."""
        items = (
            textwrap.fill(f"- {text}", WIDTH, subsequent_indent="  ") for text in self.conditions
        )
        head = [f"# {self.title}", "", "```", *self.commands, "```", "", *items, ""]
        return "\n".join([*head, *(section.markdown() for section in self.sections)])

    def print(self, console: Console) -> None:
        """Prints all sections."""
        for section in self.sections:
            section.print(console)
