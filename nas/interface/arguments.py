"""Arguments of Python functions -> options as flags write them, and signals as Python has them."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from latency.shell import Interrupted
from nas.system.interrupt import Interrupter


def given_options(
    function: str, options: Mapping[str, Any], names: Mapping[str, Any]
) -> dict[str, Any]:
    """Options that say something; unknown ones are refused as Python refuses arguments.

    Args:
        function: Its name, for the refusal.
        options: Name -> value; None for one that was left out.
        names: Those that there are.

    Raises:
        TypeError: An unknown option.
    """
    for name in options:
        if name not in names:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
    return {name: value for name, value in options.items() if value is not None}


def listed(value: float | str | Iterable[float | str] | None) -> str | None:
    """One value or several, as a flag writes them.

    Args:
        value: None where nothing was given.
    """
    if value is None:
        return None
    several = [value] if isinstance(value, str | int | float) else list(value)
    return ",".join(one if isinstance(one, str) else repr(float(one)) for one in several)


@contextmanager
def stoppable() -> Iterator[Interrupter]:
    """Saves the state when a signal comes, then ends as Python programs do.

    Yields:
        What is asked whether to stop.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        SystemExit: Another signal.
    """
    try:
        with Interrupter().installed() as interrupter:
            yield interrupter
    except Interrupted as stop:
        if stop.exit_code == 128 + signal.SIGINT:
            raise KeyboardInterrupt(str(stop)) from stop
        raise SystemExit(stop.exit_code) from stop
