"""What a run needs later is tried first: the backend in another process, late packages here."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nas.errors import InputError
from nas.system import backend_check
from nas.system.backend import Compute
from nas.system.backend_check import check_late_packages, check_starts

# What packages of the name `jax` have done when they were imported.
BROKEN = {
    "raise RuntimeError('jaxlib is version 0.1, but this needs 0.2')": "jaxlib is version 0.1",
    "raise ImportError('libcudnn.so.9: cannot open shared object file')": "libcudnn.so.9",
    "raise SystemExit('no licence')": "no licence",
    "raise KeyError('x')": "KeyError",
    "import os, signal; os.kill(os.getpid(), signal.SIGILL)": "SIGILL",
    "import sys; sys.exit(0)": "SystemExit",
}


@pytest.fixture(autouse=True)
def no_keras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing runs in this process, and nothing was tried."""
    monkeypatch.setenv("STOPWATCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    backend_check._try.cache_clear()
    yield
    backend_check._try.cache_clear()


@pytest.mark.parametrize("code", BROKEN)
def test_a_broken_installation_is_an_error_for_users_whatever_it_does(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Keras imports its backend; this one stands in for both, and takes no seconds.
    for package in ("keras", "jax"):
        (tmp_path / package).mkdir()
    (tmp_path / "keras" / "__init__.py").write_text("import jax")
    (tmp_path / "jax" / "__init__.py").write_text(code)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    importlib.invalidate_caches()
    with pytest.raises(InputError, match="Keras to start on jax") as caught:
        check_starts(Compute())
    assert BROKEN[code] in caught.value.received
    assert "KERAS_BACKEND=jax python -c 'import keras'" in caught.value.fix


def test_the_trial_asks_for_what_the_run_will_ask_for_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], env: dict[str, str], **options: Any) -> SimpleNamespace:
        asked.append([*command[4:], env["KERAS_BACKEND"]])
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("nas.system.chosen_backend.is_installed", lambda name: True)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    for compute in (Compute(), Compute(), Compute("float16", data_parallel=True)):
        check_starts(compute)
    assert asked == [["none", "single", "jax"], ["float16", "parallel", "jax"]]


def test_an_installation_that_has_started_is_not_tried_again_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = iter((1, 0, 0, 0))
    tried: list[int] = []

    def run(*arguments: Any, **options: Any) -> SimpleNamespace:
        tried.append(next(codes))
        return SimpleNamespace(returncode=tried[-1], stdout="", stderr="no such library")

    def check() -> None:
        backend_check._try.cache_clear()  # as another process would begin
        check_starts(Compute())

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("nas.system.chosen_backend.is_installed", lambda name: True)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    with pytest.raises(InputError):  # what failed is not kept
        check()
    check()
    check()
    assert tried == [1, 0]
    (tmp_path / "jax-2.dist-info").mkdir()
    check()
    check()
    assert tried == [1, 0, 0]
    monkeypatch.setenv("XLA_FLAGS", "--none")
    check()
    assert tried == [1, 0, 0, 0]


def test_without_a_place_to_keep_it_a_backend_is_tried_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STOPWATCH_CACHE", str(tmp_path / "file"))
    tried: list[None] = []

    def run(*arguments: Any, **options: Any) -> SimpleNamespace:
        tried.append(None)
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("nas.system.chosen_backend.is_installed", lambda name: True)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    for _ in range(2):
        backend_check._try.cache_clear()
        check_starts(Compute())
    assert len(tried) == 2


def test_a_backend_that_runs_here_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*arguments: Any, **options: Any) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "run", run)
    backend = SimpleNamespace(backend=lambda: "tensorflow")
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace(backend=backend))
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    check_starts(Compute())


def test_a_package_that_is_needed_at_the_end_is_named_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check_late_packages()

    def broken(name: str) -> None:
        raise OSError("libgomp.so.1: cannot open shared object file")

    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(InputError, match="the package onnx, which the run needs") as caught:
        check_late_packages()
    assert "libgomp" in caught.value.received and "pip install" in caught.value.fix


@pytest.mark.slow
def test_the_real_backend_starts_in_another_process_and_not_in_this_one() -> None:
    name = os.environ["KERAS_BACKEND"]
    if name != "tensorflow":
        pytest.skip("one start is enough")
    check_starts(Compute())
    assert "keras" not in sys.modules
