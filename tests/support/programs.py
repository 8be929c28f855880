"""Our programs as a user starts them: in this process, or in one of their own.

A process that starts TensorFlow takes longer than most tests. Only what needs a process has one: to
be killed, to get a signal, to import, to show the exit code of the very script.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import runpy
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A machine that is busy takes some of it to start TensorFlow; a comparison takes minutes.
PROCESS_SECONDS = 1200.0


@dataclass(frozen=True)
class Done:
    """How a program ended, and what it wrote."""

    exit_code: int
    out: str
    err: str


def run_program(name: str, *arguments: str, runs: Path | None = None) -> Done:
    """Runs a program in this process, as its script in the repository's root.

    Nothing of it remains but its files.

    Args:
        name: `nas.py`, `main.py`, `latency` for `python -m latency`, `stopwatch`, or a Python file
            below scripts/ or benchmarks/.
        arguments: Words of the command line.
        runs: Folder of new runs; None for the test process's.
    """
    streams = io.StringIO(), io.StringIO()
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for variable, value in own_variables(runs).items():
            patch.setenv(variable, value)
        patch.setattr(sys, "argv", [name, *arguments])
        # As for a user: what libraries warn of is printed and ends nothing.
        warned = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("default")
        stack.enter_context(_signal_handlers_put_back())
        stack.enter_context(blocks_forgotten())
        stack.enter_context(_fresh_keras())
        stack.enter_context(contextlib.redirect_stdout(streams[0]))
        stack.enter_context(contextlib.redirect_stderr(streams[1]))
        code = _exit_code(name, patch)
    texts = [f"{found.category.__name__}: {found.message}\n" for found in warned]
    return Done(code, streams[0].getvalue(), "".join([streams[1].getvalue(), *texts]))


def _exit_code(name: str, patch: pytest.MonkeyPatch) -> int:
    """Runs what stands under `__main__`, and ends as the interpreter would."""
    try:
        if name == "stopwatch":
            from nas.cli.console import main

            return main()
        if name == "latency":
            runpy.run_module(name, run_name="__main__")
        else:
            path = ROOT / name
            # The interpreter puts a script's folder first.
            patch.setattr(sys, "path", [str(path.parent), *sys.path])
            # From the repository's root, as users start them: a run keeps its command.
            patch.chdir(ROOT)
            runpy.run_path(name, run_name="__main__")
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
            return 1
        return stop.code or 0
    return 0


@contextlib.contextmanager
def _signal_handlers_put_back() -> Iterator[None]:
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def blocks_forgotten() -> Iterator[None]:
    """What `--blocks` and `--space` made known is known to that program alone."""
    from nas.architecture.spec import LAYER_TYPES

    before = dict(LAYER_TYPES)
    try:
        yield
    finally:
        LAYER_TYPES.clear()
        LAYER_TYPES.update(before)
        for name in [name for name in sys.modules if name.startswith("stopwatch_user_")]:
            del sys.modules[name]


@contextlib.contextmanager
def _fresh_keras() -> Iterator[None]:
    """Names, seeds and precision as in a new process; the memory of what was built is freed."""
    forget_keras()
    try:
        yield
    finally:
        forget_keras()


def forget_keras() -> None:
    """Clears Keras' session and precision, if it was started."""
    forget_models()
    if "keras" in sys.modules:
        import keras

        keras.config.set_dtype_policy("float32")


def forget_models() -> None:
    """Clears Keras' session, if it was started."""
    if "keras" in sys.modules:
        import keras

        # Garbage is collected when there is enough of it. A process that has run a thousand tests
        # holds a million objects: looking through them at once takes a second each time.
        keras.backend.clear_session(free_memory=False)


def load_script(name: str) -> ModuleType:
    """Imports a file that is no part of a package, with its neighbours in reach.

    Args:
        name: Path below the repository's root, such as `benchmarks/search_quality.py`.
    """
    path = ROOT / name
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"Expected a Python file. Received: {path}. Fix: correct the name.")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        # Scripts put the root on the path; that must not outlast them either.
        patch.setattr(sys, "path", [str(path.parent), *sys.path])
        # Dataclasses look their module up while they are made.
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    return module


def own_variables(runs: Path | None) -> dict[str, str]:
    """Environment variables of a program under test.

    Args:
        runs: Folder of new runs; None leaves it as it is.
    """
    found = {"COLUMNS": "160"}
    if runs is not None:
        found["STOPWATCH_RUNS"] = str(runs)
    return found


def command_of(name: str, *arguments: str) -> list[str]:
    """The command line that a user would write, with this interpreter.

    Args:
        name: As `run_program` takes it.
        arguments: Words after it.
    """
    program = {
        "latency": ["-m", "latency"],
        # As the installed program does it, whether or not it is installed.
        "stopwatch": ["-c", "from nas.cli.console import main; raise SystemExit(main())"],
    }
    return [sys.executable, *program.get(name, [str(ROOT / name)]), *arguments]


def environment_of(runs: Path | None, **more: str) -> dict[str, str]:
    """The environment of a program in a process of its own.

    Args:
        runs: Folder of new runs; None for the test process's.
        more: Variables.
    """
    # Run from elsewhere, a program must find this repository and no installed copy of it.
    return {**os.environ, "PYTHONPATH": str(ROOT), **own_variables(runs), **more}


def call(name: str, *arguments: str, runs: Path | None = None, cwd: Path = ROOT) -> Done:
    """Runs a program in a process of its own, in at most twenty minutes.

    Args:
        name: As `run_program` takes it.
        arguments: Words after it.
        runs: Folder of new runs; None for the test process's.
        cwd: Working folder.
    """
    done = subprocess.run(
        command_of(name, *arguments),
        env=environment_of(runs),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PROCESS_SECONDS,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@contextlib.contextmanager
def begun(name: str, *arguments: str, runs: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """A program in a process of its own that still runs, for signals; killed if the test fails.

    Args:
        name: As `run_program` takes it.
        arguments: Words after it.
        runs: Folder of new runs; None for the test process's.
    """
    options: dict[str, Any] = {"env": environment_of(runs), "cwd": ROOT, "text": True}
    with subprocess.Popen(
        command_of(name, *arguments), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def is_refusal(text: str) -> bool:
    """Whether a message has the three parts that a user is told."""
    return all(part in text for part in ("Expected", "Received", "Fix"))
