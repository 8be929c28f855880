"""The scripts of the repository, whose imports take long enough to be stopped by Ctrl-C."""

from __future__ import annotations

from collections.abc import Sequence

from latency import start


def run_search(argv: Sequence[str]) -> int:
    """Starts `nas.py`.

    Args:
        argv: With the program's name first.

    Returns:
        The exit code.
    """
    start.begin()
    from nas.cli import program

    return program.run_search(argv)


def run_table(argv: Sequence[str]) -> int:
    """Starts `scripts/build_latency_table.py`.

    Args:
        argv: With the program's name first.

    Returns:
        The exit code.
    """
    start.begin()
    from nas.cli import table

    return table.run_table(argv)


def run_retrain(argv: Sequence[str]) -> int:
    """Starts `main.py`.

    Args:
        argv: With the program's name first.

    Returns:
        The exit code.
    """
    start.begin()
    from nas.cli import program

    return program.run_retrain(argv)
