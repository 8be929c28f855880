"""What a user sees: plain lines on stdout, progress on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from latency.device.text import visible
from latency.terminal import Terminal

# Where there is no terminal to fit, a table must not be cut to the 80 columns rich assumes.
FILE_WIDTH = 160
# Narrower terminals show no times beside a progress bar, whose notes say what is left.
ROOMY_WIDTH = 100


def _width(stream: TextIO | None) -> int | None:
    # Python has no stream where it was closed when the program started.
    return None if stream is not None and stream.isatty() else FILE_WIDTH


out = Terminal(soft_wrap=True, width=_width(sys.stdout))
err = Terminal(stderr=True, soft_wrap=True, width=_width(sys.stderr))


class Bar:
    """One progress bar; where stderr is no terminal, a line now and then instead."""

    def __init__(self, progress: Progress, task: TaskID, label: str) -> None:
        self._progress, self._task, self._label = progress, task, label
        self._next_share = 0.0

    def update(self, done: float, total: float, **fields: Any) -> None:
        """Shows `done` of `total` and a text `note`."""
        note = visible(fields.get("note", ""))
        self._progress.update(self._task, completed=done, total=total, note=note)
        share = done / total if total else 1.0
        if not err.is_terminal and share >= self._next_share:
            err.print(f"{self._label}: {share:4.0%}  {note}", markup=False)
            self._next_share = share + 0.1


@contextmanager
def bar(label: str) -> Iterator[Bar]:
    """A progress bar for the length of the block."""
    columns: list[ProgressColumn] = [
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=min(40, err.width // 8)),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    ]
    if err.width < ROOMY_WIDTH:
        # Beside a long label and note, both times would be cut to nothing.
        del columns[3:5]
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        label = visible(label)  # a column shows its text without the console's own care
        yield Bar(progress, progress.add_task(label, total=1, note=""), label)
