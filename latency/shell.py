"""The one way in which a program ends: exit codes, messages for users, traces for defects."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from latency.errors import LatencyError
from latency.start import ready_streams
from latency.terminal import warn

EXIT_BAD_INPUT = 2
EXIT_NO_READER = 128 + 13  # what a shell reports of a program that SIGPIPE ended
NOTHING_WRITTEN = "Nothing was written."
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
NO_ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS)
GONE = (errno.ENOENT, errno.EEXIST, errno.ESTALE)
NO_PLACE = (errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR)
REPORT = (
    "This is a defect of the program and not of your input. Please report it: the command, and "
    "the lines above."
)


class Interrupted(BaseException):
    """A signal asked the program to stop.

    Args:
        signum: Number of the signal; the exit code is 128 more.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"Stopped by {signal.Signals(signum).name}")
        self.exit_code = 128 + signum


def run(
    main: Callable[[], int], *, how_to_resume: str | Callable[[], str] = NOTHING_WRITTEN
) -> int:
    """Runs a program and turns what ends it early into a message on stderr and an exit code.

    A `LatencyError`, a full disk and a file that may not be used are 2, SIGINT is 130, SIGTERM 143
    and an output that nobody reads any more 141. Anything else is a defect: it keeps its trace,
    with a line that asks for a report.

    Args:
        main: The program; returns its exit code. It may handle both signals itself, as long as
            it raises `Interrupted`.
        how_to_resume: Whole sentences for a user who stopped the program: what is kept, and how
            to go on; a function where that is known only at the end.

    Returns:
        The exit code.
    """
    ready_streams()
    try:
        with _signals_raise():
            return _printed(main)
    except LatencyError as error:
        return _refuse(error)
    except BrokenPipeError:
        return _without_reader(how_to_resume)
    except OSError as error:
        return _refuse(_of_the_system(error))
    except Interrupted as stop:
        return _stopped(stop, how_to_resume)
    except KeyboardInterrupt:
        return _stopped(Interrupted(signal.SIGINT), how_to_resume)
    except Exception as error:
        error.add_note(REPORT)
        raise
    finally:
        _let_go_of_what_cannot_be_printed()


def _printed(main: Callable[[], int]) -> int:
    """Runs a program until all that it printed has arrived."""
    try:
        code = main()
    except SystemExit:  # of a parser that has printed its help
        sys.stdout.flush()
        raise
    sys.stdout.flush()
    return code


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """Makes SIGINT and SIGTERM raise, so that temporary files are removed on the way out."""
    before = {}
    # Python lets the main thread alone handle signals.
    if threading.current_thread() is threading.main_thread():
        for signum in (signal.SIGINT, signal.SIGTERM):
            # A program in the background of a script is told to ignore Ctrl-C: it keeps that.
            if signal.getsignal(signum) is not signal.SIG_IGN:
                before[signum] = signal.signal(signum, _interrupt)
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    del frame  # the form of a handler asks for it
    raise Interrupted(signum)


def _refuse(error: LatencyError) -> int:
    warn(f"error: {error}")
    return EXIT_BAD_INPUT


def _of_the_system(error: OSError) -> LatencyError:
    """What a user can do about an error of the file system.

    Raises:
        OSError: The error itself, where a user can do nothing about it.
    """
    if error.errno in DISK_FULL:
        return LatencyError(
            "room on the disk", str(error), "free some space, then run the same command again"
        )
    if error.errno in NO_ACCESS:
        return LatencyError(
            "files that this user may read and write",
            str(error),
            "change the permissions, or name another path",
        )
    if error.errno in NO_PLACE:
        return LatencyError("a path where a file can lie", str(error), "name another path")
    if not _is_somewhere():
        return LatencyError(
            "a current folder that exists", "one that was removed", "change to another with `cd`"
        )
    if error.errno in GONE:
        return LatencyError(
            "files and folders that are there while the program runs",
            str(error),
            "check the path, or bring it back",
        )
    error.add_note(REPORT)
    raise error


def _is_somewhere() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _stopped(stop: Interrupted, how_to_resume: str | Callable[[], str]) -> int:
    warn(f"\n{stop}. {_told(how_to_resume)}")
    return stop.exit_code


def _told(how_to_resume: str | Callable[[], str]) -> str:
    return how_to_resume if isinstance(how_to_resume, str) else how_to_resume()


def _without_reader(how_to_resume: str | Callable[[], str]) -> int:
    """Ends quietly, as when `head` has seen enough, unless there is something to go on with."""
    how = _told(how_to_resume)
    if how != NOTHING_WRITTEN:
        warn(f"Stopped: nobody reads the output any more. {how}")
    return EXIT_NO_READER


def _let_go_of_what_cannot_be_printed() -> None:
    """Otherwise the interpreter complains of a closed pipe or a full disk when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
