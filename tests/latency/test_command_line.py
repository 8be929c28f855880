"""Proposed commands are the real arguments, and a shell reads them back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from latency.command_line import (
    join,
    latency_command,
    path_word,
    python_words,
    quote,
    with_flags,
)

WORDS = [
    "net.onnx",
    "my net (1).onnx",
    "it's",
    'say "hi"',
    "$HOME `id` \\n",
    "größe 日本.onnx",
    "net[v1].onnx",
    "*",
    "",
    "new\nline",
    "\x1b[2J",
    "right\u202eleft",
    os.fsdecode(b"caf\xe9.onnx"),
    os.fsdecode(b"it's \xff\xfe\\1"),
    ":smile:",
]


@pytest.mark.skipif(shutil.which("bash") is None, reason="what is pasted needs a shell")
def test_a_shell_reads_back_what_was_joined() -> None:
    script = f'printf "%s\\0" {join(WORDS)}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    assert done.stdout.split(b"\0")[:-1] == [os.fsencode(word) for word in WORDS]


def test_words_that_a_terminal_shows_are_left_as_they_are() -> None:
    assert quote("net.onnx") == "net.onnx" and quote("größe.onnx") == "'größe.onnx'"
    assert quote("a\x1bb") == "$'a\\x1bb'" and join(WORDS).isprintable()


def test_an_encoding_without_a_character_gets_its_bytes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with open(tmp_path / "out", "w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert quote("größe") == "$'gr\\xc3\\xb6\\xc3\\x9fe'"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a", "--seed", "3"], ["a", "--seed", "3", "--n", "7"]),
        (["a", "--n", "3", "--seed", "3"], ["a", "--seed", "3", "--n", "7"]),
        (["a", "--n=3", "b"], ["a", "b", "--n", "7"]),
        (["a", "-n", "3"], ["a", "--n", "7"]),
        # Everything behind two dashes is no flag.
        (["--n", "3", "--", "--n", "-x"], ["--n", "7", "--", "--n", "-x"]),
        (["a", "--scheme", "u8s8", "--x=--n"], ["a", "--scheme", "u8s8", "--x=--n", "--n", "7"]),
    ],
)
def test_one_flag_changes_and_all_others_stay(words: list[str], expected: list[str]) -> None:
    assert with_flags(words, {"n": 7}) == expected


def test_switches_have_no_value_that_could_be_taken_along() -> None:
    words = ["--resume", "a", "--noresume", "--restart", "b", "--resume=true", "c"]
    found = with_flags(words, {"resume": True, "restart": None}, ("resume", "restart"))
    assert found == ["a", "b", "c", "--resume"]


def test_paths_are_no_flags_and_no_hosts() -> None:
    assert path_word(Path("-x")) == "./-x" and path_word(Path("a:b/c")) == "./a:b/c"
    assert path_word(Path("a/b:c")) == "a/b:c" and path_word(Path("/a:b")) == "/a:b"


def test_the_program_is_the_one_that_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(sys, "argv", ["/venv/bin/stopwatch", "latency", "measure"])
    assert latency_command("clock") == "stopwatch latency clock"
    monkeypatch.setattr(sys, "argv", ["/repository/latency/__main__.py"])
    assert latency_command("show", "my table.json") == "python -m latency show 'my table.json'"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert python_words("nas.py") == [sys.executable, "nas.py"]
