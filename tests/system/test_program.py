"""Commands that a program proposes: called as it was called itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nas.system import program
from nas.system.program import ROOT, SCRIPTS, command_line, command_words, go_on_command


@pytest.fixture(autouse=True)
def python_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")


def called(monkeypatch: pytest.MonkeyPatch, name: str, folder: Path = ROOT) -> None:
    monkeypatch.setattr(sys, "argv", [name])
    monkeypatch.chdir(folder)


def test_installed_program_proposes_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    called(monkeypatch, "/venv/bin/stopwatch")
    for verb in SCRIPTS:
        assert command_words(verb) == ["stopwatch", verb]


def test_other_programs_propose_scripts_that_are_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    called(monkeypatch, "notebook")
    assert command_words("search") == ["python", "nas.py"]
    monkeypatch.chdir(tmp_path)
    assert command_words("search") == ["python", str(ROOT / "nas.py")]
    # An installed package has no scripts beside it.
    monkeypatch.setattr(program, "ROOT", tmp_path)
    assert command_words("search") == ["stopwatch", "search"]


def test_folder_that_is_gone_is_not_the_repository(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    called(monkeypatch, "notebook", gone)
    gone.rmdir()
    assert command_words("search") == ["python", str(ROOT / "nas.py")]


def test_run_goes_on_by_what_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    called(monkeypatch, "/venv/bin/stopwatch")
    assert command_line("search") == "stopwatch search"
    found = go_on_command("search", Path("of mine"))
    assert found == "stopwatch search --run_dir 'of mine' --resume"
    # No program takes the folder for a flag.
    assert go_on_command("retrain", Path("-run")) == "stopwatch retrain --run ./-run"
