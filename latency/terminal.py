"""The terminal: text of files, devices and libraries is shown as it is and steers nothing.

Whatever a program prints goes through here, or is JSON, which escapes such characters itself.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table
from rich.text import Text

from latency.device.text import visible
from latency.narrow_tables import parts_that_fit


class Terminal(Console):
    r"""A console without markup: `[red]` in a key is printed, and `\x1b` written out.

    Args:
        **options: Of `rich.console.Console`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Makes what is printed, and what stands in a table, of a text."""
        return super().render_str(visible(text), **options)

    def print(self, *objects: Any, **options: Any) -> None:
        """Prints; a table that is wider than the terminal comes in parts below each other."""
        shown: list[Any] = []
        for one in objects:
            shown += parts_that_fit(one, self) if isinstance(one, Table) else [one]
        super().print(*shown, **options)

    def on_broken_pipe(self) -> NoReturn:
        """Leaves it to `latency.shell.run` to say how a program ends whose output nobody reads."""
        raise BrokenPipeError


def say(text: str) -> None:
    """Prints a line for people on stdout.

    Args:
        text: May hold what a file says.
    """
    print(visible(text))


def warn(text: str) -> None:
    """Prints a line for people on stderr; where nobody reads that, nothing is lost.

    Args:
        text: May hold what a file says.
    """
    with contextlib.suppress(OSError):
        print(visible(text), file=sys.stderr)
