"""Python files of a user's own, as modules. They are programs: load what you trust."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb
from types import ModuleType, TracebackType

from latency.errors import LatencyError
from nas.errors import InputError
from nas.system.paths import no_file

SUFFIX = ".py"
# Of the modules that these files become.
PREFIX = "stopwatch_user_"


class FunctionError(InputError):
    """A function of a user's own that broke off, which is no defect of the program."""


@contextmanager
def function_called(what: str = "a function of your own file") -> Iterator[None]:
    """Says of an error out of a user's own file where it lies, and that it is the file's.

    What the system refuses, such as a full disk, is told as everywhere else, and what came out of
    no such file is a defect of the program.

    Args:
        what: Which function, and of what it is called.

    Raises:
        FunctionError: A function of such a file raised anything that is not told to users yet.
    """
    try:
        yield
    except (LatencyError, OSError):
        raise
    except Exception as error:
        place = _place(error.__traceback__)
        if place is None:
            raise
        raise FunctionError(
            f"{what} to come to its end",
            f"{type(error).__name__}: {error} in {place}",
            "correct the function",
        ) from error


def module_name(path: Path) -> str:
    """The module of a file, the same one each time.

    Args:
        path: Of the file.
    """
    digest = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:12]
    return f"{PREFIX}{path.stem}_{digest}"


def _place(trace: TracebackType | None) -> str | None:
    """The innermost line of a user's file; None where there is none."""
    lines = [
        f"{frame.f_code.co_filename}, line {line}"
        for frame, line in walk_tb(trace)
        if str(frame.f_globals.get("__name__", "")).startswith(PREFIX)
    ]
    return lines[-1] if lines else None


def check_there(path: Path, flag: str) -> None:
    """Refuses a path of a user's Python file that no file is at.

    Args:
        path: Of the file.
        flag: That it was named by.

    Raises:
        InputError: No such file.
    """
    if not path.is_file():
        raise InputError(f"a Python file for {flag}", no_file(path), f"correct {flag}")


def load_file(path: Path, flag: str) -> ModuleType:
    """Runs a Python file of a user's own and returns its module.

    Args:
        path: Of the file.
        flag: That it was named by.

    Raises:
        InputError: No such file, one of another suffix, or one that breaks off.
    """
    check_there(path, flag)
    spec = importlib.util.spec_from_file_location(module_name(path), path)
    if spec is None or spec.loader is None:
        raise InputError(
            f"a Python file, with the suffix {SUFFIX}, for {flag}", f"{path}", "rename the file"
        )
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up while they are made.
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except LatencyError:
        sys.modules.pop(spec.name, None)
        raise  # one of ours says itself what to correct
    except (Exception, SystemExit) as error:
        sys.modules.pop(spec.name, None)
        raise InputError(
            f"a Python file for {flag} that runs to its end",
            f"{type(error).__name__}: {error} in {path}",
            "correct the file; `python FILE` shows the line",
        ) from error
    return module
