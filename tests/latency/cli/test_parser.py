"""A strict command line: every word is used or refused by name, in three parts."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from latency.cli.parser import OutputFile, OutputFolder, Parser, UsageError, nearest
from latency.errors import LatencyError


def parser() -> Parser:
    """One flag of each kind."""
    made = Parser(prog="tool")
    made.add_argument("--path", type=Path)
    made.add_argument("--text")
    made.add_argument("--count", type=int)
    made.add_argument("--seconds", type=float)
    made.add_argument("--kind", choices=["a", "b"])
    made.add_argument("--pair", action="append")
    made.add_argument("--switch", action="store_true")
    made.add_argument("--audit", action=argparse.BooleanOptionalAction, default=True)
    made.add_argument("--noaudit", dest="audit", action="store_false")
    made.add_argument("--output", action=OutputFile, type=Path)
    made.add_argument("--folder", action=OutputFolder, type=Path)
    made.add_argument("files", nargs="+", type=Path, metavar="MODEL.onnx")
    return made


def refusal(*words: str) -> LatencyError:
    with pytest.raises(LatencyError) as caught:
        parser().parse_args([*words, "net.onnx"])
    return caught.value


def test_values_are_read_and_what_was_written_is_told() -> None:
    words = ["--path", "x y", "--count=3", "--seconds", "1e3", "--pair", "a=1"]
    more = ["--pair", "a=1", "--switch", "--no-audit", "a.onnx", "b.onnx"]
    found = parser().parse_args([*words, *more])
    assert (found.path, found.count, found.seconds) == (Path("x y"), 3, 1000.0)
    assert (found.pair, found.switch, found.audit) == (["a=1", "a=1"], True, False)
    assert found.files == [Path("a.onnx"), Path("b.onnx")] and found.text is None
    assert set(found.given) == {"path", "count", "seconds", "pair", "switch", "audit"}


@pytest.mark.parametrize("flag", ["--path", "--text", "--count", "--seconds", "--pair", "--output"])
@pytest.mark.parametrize("value", ["", " ", "\t"])
def test_an_empty_value_is_refused_by_name(flag: str, value: str) -> None:
    for words in ([flag, value], [f"{flag}={value}"]):
        error = refusal(*words)
        assert flag in error.expected and "which is empty" in error.received


def test_a_file_to_write_is_no_folder_by_its_slash(tmp_path: Path) -> None:
    error = refusal("--output", f"{tmp_path}/found.json/")
    assert "a file as --output" in error.expected and "found.json/" in error.received
    assert not list(tmp_path.iterdir())


def test_an_empty_positional_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="a path for MODEL.onnx"):
        parser().parse_args(["net.onnx", ""])


@pytest.mark.parametrize(
    ("words", "received"),
    [
        (["--count", "1", "--count", "2"], "--count 1 and --count 2"),
        (["--path=a", "--path", "b"], "--path a and --path b"),
        (["--kind", "a", "--kind", "b"], "--kind a and --kind b"),
        (["--audit", "--no-audit"], "--audit and --no-audit"),
        (["--audit", "--noaudit"], "--audit and --noaudit"),
    ],
)
def test_a_flag_that_says_two_things_is_refused(words: list[str], received: str) -> None:
    error = refusal(*words)
    assert error.received == received and error.expected.endswith(" once")


def test_the_same_value_twice_is_no_contradiction() -> None:
    words = ["--count", "1", "--count", "1", "--switch", "--switch", "--audit", "--audit"]
    assert parser().parse_args([*words, "net.onnx"]).count == 1


@pytest.mark.parametrize("flag", ["--path", "--text", "--count", "--output"])
@pytest.mark.parametrize("value", ["--switch", "--unknown"])
def test_a_flag_is_no_value(flag: str, value: str) -> None:
    assert flag in str(refusal(flag, value))


def test_a_path_that_looks_like_a_flag_is_refused_behind_an_equals_sign_too() -> None:
    error = refusal("--path=--switch")
    assert "like a flag" in error.received and "./--switch" in error.fix
    # Arguments of other programs begin like that.
    assert parser().parse_args(["--text=-p22", "net.onnx"]).text == "-p22"


@pytest.mark.parametrize(
    ("word", "fix"),
    [
        ("--cuont", "did you mean --count"),
        ("--outptu=x", "did you mean --output"),
        ("--pat", "did you mean --path"),
        ("--no-audti", "did you mean --no-audit"),
        ("--nothing_like_it", "see tool --help"),
    ],
)
def test_an_unknown_flag_proposes_the_nearest(word: str, fix: str) -> None:
    error = refusal(word)
    assert error.received == word.partition("=")[0] and error.fix.startswith(fix)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e400", "infinity", "0x10", "1,5", "x"])
@pytest.mark.parametrize("flag", ["--count", "--seconds"])
def test_what_is_no_finite_number_is_refused(flag: str, number: str) -> None:
    error = refusal(f"{flag}={number}")
    assert flag in error.expected and number in error.received and flag in error.fix


def test_digits_may_stand_in_groups() -> None:
    found = parser().parse_args(["--count", "1_000", "--seconds", "1_000.5", "net.onnx"])
    assert (found.count, found.seconds) == (1000, 1000.5)


@pytest.mark.parametrize("words", [["--kind", "c"], ["--count"], ["--switch=1"]])
def test_what_argparse_finds_has_three_parts_too(words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parser().parse_args(["net.onnx", *words])
    assert words[0].partition("=")[0] in caught.value.received
    assert caught.value.expected == "arguments as `tool --help` lists them"


def test_one_argument_too_many_is_named() -> None:
    made = Parser(prog="tool")
    made.add_argument("run", type=Path)
    with pytest.raises(UsageError, match="'too' as well"):
        made.parse_args(["one", "too"])


def test_a_home_is_found_behind_an_equals_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert parser().parse_args(["--path=~/x", "net.onnx"]).path == Path("/home/me/x")


def test_a_word_that_is_near_nothing_proposes_nothing() -> None:
    assert nearest("mesure", ["measure", "check"]) == "did you mean measure?"
    assert nearest("qqq", ["measure", "check"]) == ""
