"""Python files of a user's own, as modules. They are programs: load what you trust."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from latency.errors import LatencyError
from nas.errors import InputError

SUFFIX = ".py"


class FunctionError(InputError):
    """A function of a user's own that broke off, which is no defect of the program."""


@contextmanager
def function_called(what: str) -> Iterator[None]:
    """Tells where a function of a user's own broke off; errors of ours tell it themselves.

    Args:
        what: Which function, and of what it is called.

    Raises:
        FunctionError: It broke off.
    """
    try:
        yield
    except LatencyError:
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise FunctionError(
            f"{what} to come to its end",
            f"{type(error).__name__}: {error}, in line {last.lineno} of {last.filename}",
            "correct the function",
        ) from error


def module_name(path: Path) -> str:
    """The module of a file, the same one each time.

    Args:
        path: Of the file.
    """
    digest = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:12]
    return f"stopwatch_user_{path.stem}_{digest}"


def load_file(path: Path, flag: str) -> ModuleType:
    """Runs a Python file of a user's own and returns its module.

    Args:
        path: Of the file.
        flag: That it was named by.

    Raises:
        InputError: No such file, one of another suffix, or one that breaks off.
    """
    if not path.is_file():
        raise InputError(
            f"a Python file for {flag}", f"{path}, which does not exist", f"correct {flag}"
        )
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
    except InputError:
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
