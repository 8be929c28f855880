"""`python3 -m device FOLDER`: runs a job's folder and writes result.json into it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import warnings
from collections.abc import Sequence

from .errors import LatencyError
from .flags import add_loading_flags, asked_loading
from .job import run_job
from .text import visible


class _Printer:
    """Prints progress for whoever started the job, at most once a second.

    A reader that has gone away, such as a broken ssh link, must not stop the measurement.
    """

    def __init__(self) -> None:
        self._next = 0.0
        self._gone = False

    def __call__(self, done: int, total: int, seconds_left: float) -> None:
        """Prints a line unless the last one is less than a second old."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 1.0
            self.line(f"progress {done} {total} {seconds_left:.1f}")

    def line(self, text: str) -> None:
        """Prints one line unless nobody reads."""
        if self._gone:
            return
        try:
            print(text, flush=True)
        except OSError:
            self._gone = True
            # Otherwise the interpreter complains about the closed pipe when it exits.
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def main(arguments: Sequence[str]) -> int:
    """Runs the job folder named on the command line."""
    parser = argparse.ArgumentParser(
        prog="python3 -m device", description="Runs a job's folder.", allow_abbrev=False
    )
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument("--progress", action="store_true", help="say how far it is, line by line")
    add_loading_flags(parser)
    options = parser.parse_args(arguments)
    # Said by numpy wherever denormals count as zero, as they do here on purpose.
    warnings.filterwarnings("ignore", message="The value of the smallest subnormal")
    printer = _Printer()
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        asked = asked_loading(options)
        path = run_job(options.folder, printer if options.progress else None, asked)
    except (OSError, LatencyError) as error:
        print(f"error: {visible(str(error))}", file=sys.stderr)
        return 2
    printer.line(f"result {path}" if options.progress else path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
