"""Which backend is meant, and what is said of one that cannot be had; nothing is imported."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from nas.errors import InputError
from nas.methods.config import usual_execution
from nas.system.backend import Compute
from nas.system.chosen_backend import ChosenBackend, chosen_backend, keras_file, running_backend


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder in which Keras has kept nothing yet; Keras is not imported."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("KERAS_HOME", "KERAS_BACKEND"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    (tmp_path / ".keras").mkdir()
    return tmp_path


def keep(home: Path, text: str) -> Path:
    path = home / ".keras" / "keras.json"
    path.write_text(text)
    return path


def test_tensorflow_is_meant_where_nobody_says_anything(home: Path) -> None:
    assert chosen_backend() == ChosenBackend("tensorflow")
    keep(home, "{}")
    assert chosen_backend().name == "tensorflow"


def test_the_file_of_keras_is_heard_and_the_variable_wins(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = keep(home, json.dumps({"backend": "jax"}))
    assert chosen_backend() == ChosenBackend("jax", path)
    assert usual_execution() == "masked"
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert chosen_backend() == ChosenBackend("torch")
    monkeypatch.setenv("KERAS_BACKEND", "")  # which Keras takes for none
    assert chosen_backend().name == "jax"


def test_keras_may_keep_its_file_elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(home / "own"))
    assert keras_file() == home / "own" / "keras.json"
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setattr(os, "access", lambda *arguments: False)
    assert keras_file() == Path("/tmp/.keras/keras.json")


@pytest.mark.parametrize("text", ["{", "[1]", "\0"])
def test_a_broken_file_of_keras_is_named(text: str, home: Path) -> None:
    path = keep(home, text)
    with pytest.raises(InputError, match="Keras' own settings") as caught:
        Compute().check()
    assert str(path) in caught.value.expected and "KERAS_BACKEND" in caught.value.fix


@pytest.mark.parametrize("name", ["numpy", "openvino", "theano", "Tensorflow", "jax ", "/x"])
def test_what_trains_nothing_is_refused_with_who_named_it(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = keep(home, json.dumps({"backend": name}))
    with pytest.raises(InputError, match="tensorflow, jax or torch") as caught:
        Compute().check()
    assert repr(name) in caught.value.received and str(path) in caught.value.received
    assert "KERAS_BACKEND" in caught.value.fix
    monkeypatch.setenv("KERAS_BACKEND", name)
    with pytest.raises(InputError, match="tensorflow, jax or torch") as caught:
        Compute().check()
    assert caught.value.received == repr(name)


@pytest.mark.parametrize(
    ("name", "meant"), [("tensorfow", "tensorflow"), ("pytorch", "torch"), ("JAX", None)]
)
def test_a_name_that_is_nearly_one_is_answered_with_it(
    name: str, meant: str | None, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", name)
    with pytest.raises(InputError) as caught:
        Compute().check()
    assert (f"did you mean {meant}" in caught.value.fix) == (meant is not None)


def test_a_backend_that_is_not_installed_is_named_with_those_that_are(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"tensorflow": object()}
    monkeypatch.setattr(importlib.util, "find_spec", found.get)
    chosen_backend().check_here()
    for name in ("jax", "torch"):
        monkeypatch.setenv("KERAS_BACKEND", name)
        with pytest.raises(InputError, match=f"the package {name}, the backend that") as caught:
            chosen_backend().check_here()
        assert caught.value.fix.startswith(f"`pip install {name}`")
        assert "KERAS_BACKEND to tensorflow, which is installed" in caught.value.fix
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        chosen_backend().check_here()
    assert caught.value.fix == "`pip install torch`"


def test_what_runs_in_this_process_cannot_be_changed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = SimpleNamespace(backend=lambda: "torch")
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace(backend=backend))
    assert chosen_backend().name == running_backend() == "torch"
    chosen_backend().check_here()  # whatever is installed: it runs
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(InputError, match="Keras on jax") as caught:
        chosen_backend().check_here()
    assert "Keras on torch" in caught.value.received and "before" in caught.value.fix


def test_a_keras_that_is_being_imported_runs_nothing_yet(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace())
    assert running_backend() is None
