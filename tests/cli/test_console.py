"""`stopwatch`: the programs behind one name."""

from __future__ import annotations

import json
import shutil
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from nas.cli import console
from tests.support.programs import ROOT, is_refusal


def test_the_console_script_is_a_function_of_ours() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    module, _, name = project["scripts"]["stopwatch"].partition(":")
    assert getattr(import_module(module), name) is console.main


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert console.main(["--help"]) == 0
    words = capsys.readouterr().out.split()
    assert set(console.VERBS) <= set(words)
    assert console.main([]) == 2


@pytest.mark.parametrize("verb", ["search", "retrain"])
def test_the_verbs_have_the_flags_of_the_scripts(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["/venv/bin/stopwatch", verb, "--help"])
    assert console.main([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"stopwatch {verb}") and "--smoke" in text.replace("[no]", "")


def test_latency_has_its_own_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        console.main(["latency", "--help"])
    assert stop.value.code == 0
    assert "run-job" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serach"], "did you mean search?"),
        (["report", ""], "a path for RUN"),
        (["report", "a", "b"], "'b' as well"),
        (["table", "--held_out", "3", "--noaudit"], "an audit with --held_out"),
        (["search", "--lambda", "much"], "--lambda to be a number"),
        (["retrain", "--run", "/nowhere"], "a run folder"),
        (["report", "/nowhere"], "a run folder"),
    ],
)
def test_bad_words_are_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert console.main(words) == 2
    text = capsys.readouterr().err
    assert said in text and is_refusal(text)


def test_the_report_of_a_run_is_written_again(
    toy_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(toy_run, tmp_path / "toy_run"))
    page = (run / "report.html").read_text("utf-8")
    (run / "report.html").unlink()
    assert console.main(["report", str(run)]) == 0
    assert str(run / "report.html") in capsys.readouterr().out
    again = (run / "report.html").read_text("utf-8")
    assert again.replace(str(run), str(toy_run)) == page


def test_the_next_command_is_the_one_that_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    from nas.system.program import command_line

    for called, verb, said in (
        ("/venv/bin/stopwatch", "search", "stopwatch search"),
        ("nas.py", "search", "python nas.py"),
        ("/repository/main.py", "retrain", "python /repository/main.py"),
        ("../my repository/main.py", "search", "python '../my repository/nas.py'"),
        ("main.py", "search", "python nas.py"),
        ("-c", "search", "python nas.py"),
    ):
        monkeypatch.setattr("sys.argv", [called])
        assert command_line(verb) == said


def test_what_a_run_records_as_its_command(toy_run: Path) -> None:
    command = json.loads((toy_run / "config.json").read_text())["command"]
    assert command.startswith("python ") and "nas.py --lambda 0.1 --smoke" in command


def test_a_bar_shows_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    from nas.system.console import bar

    with bar("Space [b]\x1b[2J:smile:") as progress:
        progress.update(1, 1, note="a\u202eb[/b]")
    said = capsys.readouterr().err
    assert "Space [b]\\x1b[2J:smile:: 100%  a\\u202eb[/b]" in said
