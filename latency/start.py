"""The first moments of a program: streams that are closed, and Ctrl-C while it still imports.

Imports nothing that takes time, so that `begin` can be called before anything else is imported.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def begin() -> None:
    """Makes a program ready to import what it needs; `latency.shell.run` takes over from here."""
    ready_streams()
    for signum in _stopping_signals():
        signal.signal(signum, _stop)


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """The same for the length of the block, for a function that others may call, too."""
    ready_streams()
    before = {signum: signal.signal(signum, _stop) for signum in _stopping_signals()}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _stopping_signals() -> list[signal.Signals]:
    # Python lets the main thread alone handle signals.
    if threading.current_thread() is not threading.main_thread():
        return []
    # A program in the background of a script is told to ignore Ctrl-C: it keeps that.
    both = (signal.SIGINT, signal.SIGTERM)
    return [signum for signum in both if signal.getsignal(signum) is not signal.SIG_IGN]


def ready_streams() -> None:
    r"""Opens the null device in the place of closed streams; shows text in every encoding.

    What the encoding of a stream does not have is written out, such as `\u03bb`.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        _open_where_closed(number)
        if getattr(sys, name) is None:
            # Python has none where the stream was closed when it started.
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _open_where_closed(number: int) -> None:
    """Otherwise the next file that is opened gets the number, and what is printed lands in it."""
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one
        os.set_inheritable(number, True)


def _stop(signum: int, frame: FrameType | None) -> None:
    """Ends at once: while modules are imported there is nothing to be put in order."""
    del frame  # the form of a handler asks for it
    os.write(2, f"\nStopped by {signal.Signals(signum).name}.\n".encode())
    os._exit(128 + signum)
