"""Ctrl-C and SIGTERM: stop at the next safe point, with the state saved."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from latency.shell import Interrupted


class Interrupter:
    """Turns SIGINT and SIGTERM into `Interrupted`, late inside `deferred()`.

    A second signal is not held back: whoever asks twice wants out now.
    """

    def __init__(self) -> None:
        self._deferring = False
        self._pending: int | None = None

    @contextlib.contextmanager
    def installed(self) -> Iterator[Interrupter]:
        """Handles both signals for the length of the block, where Python lets this thread."""
        before = {}
        if threading.current_thread() is threading.main_thread():
            before = {s: signal.signal(s, self._handle) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Holds a first signal back; `pending` tells of it."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False

    @property
    def pending(self) -> bool:
        """Whether a signal waits to be acted on."""
        return self._pending is not None

    @property
    def signum(self) -> int | None:
        """The signal that waits to be acted on; None for none."""
        return self._pending

    def hold(self, signum: int) -> None:
        """Takes a signal that another process got, as if it had come here.

        Args:
            signum: Its number.
        """
        self._pending = signum

    def raise_pending(self) -> None:
        """Raises what was held back, if anything."""
        if self._pending is not None:
            raise Interrupted(self._pending)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        del frame  # the form of a handler asks for it
        again = self._pending is not None
        self._pending = signum
        if not self._deferring or again:
            raise Interrupted(signum)
