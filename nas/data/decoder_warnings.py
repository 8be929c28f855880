"""What decoders warn of, for notes in place of lines in between."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from PIL import Image


class _Telling(logging.Handler):
    """Hands the text of what is logged to a function."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(record.getMessage())


@contextmanager
def quiet_decoders(tell: Callable[[str], None]) -> Iterator[None]:
    """Hands what decoders warn of or log to a function, of whichever thread, and prints none.

    Images above Pillow's first limit are read like others; their warning is dropped.

    Args:
        tell: Given the text of each warning, in the thread that it came from.
    """

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if Path(filename).parent.name != "PIL":
            usual(message, category, filename, lineno, file, line)
        elif not issubclass(category, Image.DecompressionBombWarning):
            tell(str(message))

    usual = warnings.showwarning
    log, telling = logging.getLogger("PIL"), _Telling(tell)
    is_passed_on, log.propagate = log.propagate, False
    log.addHandler(telling)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("always", module=r"PIL\b")
            warnings.showwarning = show
            yield
    finally:
        log.removeHandler(telling)
        log.propagate = is_passed_on
