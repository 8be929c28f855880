"""What absl would take silently is refused; what is proposed is what was written."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from latency import shell
from nas.cli import flags as strict_flags
from nas.cli import program
from nas.cli.program import go_on_words, retrain_flags, search_flags
from nas.errors import InputError

TEXTS = ["data_dir", "lambda", "target_ms", "space", "run_dir", "table", "device", "supernet"]


def refusal(*words: str) -> InputError:
    with pytest.raises(InputError) as caught:
        strict_flags.parse(search_flags(), ["nas.py", *words])
    return caught.value


@pytest.mark.parametrize("name", [*TEXTS, "blocks", "seed", "epochs", "method"])
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_value_is_refused_by_name(name: str, value: str) -> None:
    values = retrain_flags() if name == "epochs" else search_flags()
    for words in ([f"--{name}", value], [f"--{name}={value}"]):
        with pytest.raises(InputError, match=f"a value for --{name}"):
            strict_flags.parse(values, ["nas.py", *words])


@pytest.mark.parametrize("name", [*TEXTS, "blocks", "seed"])
@pytest.mark.parametrize("flag", ["--resume", "-smoke", "--noresume", "--like_a_flag"])
def test_a_flag_is_no_value(name: str, flag: str) -> None:
    for words in ([f"--{name}", flag], [f"--{name}={flag}"]):
        error = refusal(*words)
        assert f"--{name}" in error.expected and flag in error.received


@pytest.mark.parametrize(
    "words",
    [["--image_size", "0"], ["--image_size=-8"], ["--seed", str(2**32)], ["--seed", "1e400"]],
)
def test_whole_numbers_have_their_range(words: list[str]) -> None:
    assert words[0].partition("=")[0] in str(refusal(*words))


def test_numbers_below_zero_are_values() -> None:
    assert "--seed=-1" in str(refusal("--seed", "-1"))
    values = search_flags()
    strict_flags.parse(values, ["nas.py", "--lambda", "-0.1"])
    assert values["lambda"].value == "-0.1"  # judged with the other goals


@pytest.mark.parametrize(
    ("words", "received"),
    [
        (["--seed", "1", "--seed", "2"], "1 and 2"),
        (["--run_dir=a", "--run_dir", "b"], "a and b"),
        (["--smoke", "--nosmoke"], "true and false"),
        (["--target_ms", "1", "-target_ms", "2"], "1 and 2"),
    ],
)
def test_a_flag_that_says_two_things_is_refused(words: list[str], received: str) -> None:
    error = refusal(*words)
    assert error.received == received and error.expected.endswith(" once")


def test_the_same_value_twice_and_several_blocks_are_fine() -> None:
    values = search_flags()
    words = [
        "--seed",
        "1",
        "--seed=1",
        "--smoke",
        "--smoke",
        "--blocks",
        "a.py",
        "--blocks",
        "b.py",
    ]
    strict_flags.parse(values, ["nas.py", *words])
    assert values["blocks"].value == ["a.py", "b.py"] and values["seed"].value == 1


@pytest.mark.parametrize("word", ["--data_dri", "--data-dir", "--datadir=x", "-data_di"])
def test_an_unknown_flag_proposes_the_nearest(word: str) -> None:
    assert "did you mean --data_dir" in refusal(word, "x").fix


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e400", "0x10", "one"])
@pytest.mark.parametrize("name", ["search_epochs", "learning_rate", "race_epochs"])
def test_what_is_no_finite_number_is_refused(name: str, number: str) -> None:
    assert f"--{name}" in str(refusal(f"--{name}={number}"))


# What is proposed.

FOLDER = Path("runs/my run")


def proposed(verb: str, *words: str) -> list[str]:
    """The proposal, after the program's own parser has read what was written and the proposal."""
    values = search_flags() if verb == "search" else retrain_flags()
    strict_flags.parse(values, [verb, *words])
    found = go_on_words(verb, words, FOLDER, values)
    again = search_flags() if verb == "search" else retrain_flags()
    strict_flags.parse(again, [verb, *found])
    return found


@pytest.mark.parametrize(
    "given",
    [
        ["--target_ms", "25%", "--data_dir", "my photos", "--seed", "3"],
        ["--lambda=0.1", "--noflip", "--blocks", "b's.py", "--blocks=größe.py", "--smoke"],
        ["--target_ms", "1", "--data_dir", os.fsdecode(b"caf\xe9")],
    ],
)
def test_a_search_goes_on_with_what_was_given(given: list[str]) -> None:
    end = ["--run_dir", str(FOLDER), "--resume"]
    assert proposed("search", *given) == [*given, *end]
    assert proposed("search", *given, "--run_dir=elsewhere") == [*given, *end]
    assert proposed("search", "--resume", "--run_dir", "x", *given) == [*given, *end]


def test_a_retraining_goes_on_with_what_was_given() -> None:
    given = ["--run", "my sweep", "--smoke", "--epochs", "3"]
    assert proposed("retrain", *given) == given, "the whole sweep, and no toy size is forgotten"
    assert proposed("retrain", *given, "--restart") == given
    assert proposed("retrain", "--seed", "2") == ["--seed", "2", "--run", str(FOLDER)]
    words = ["--arch", "in_s32 gap fc_c2", "--run_dir", "x", "--data_dir", "my photos"]
    run = ["--data_dir", "my photos", "--run", str(FOLDER)]
    assert proposed("retrain", *words, "--blocks", "b.py") == run
    words[:2] = ["--network", "mobilenetv2_x0.5"]
    assert proposed("retrain", *words) == run


@pytest.mark.parametrize(
    ("begin", "message"),
    [(True, "The state is saved. Go on with: "), (False, shell.NOTHING_WRITTEN)],
)
def test_a_stopped_program_says_how_to_go_on(
    begin: bool,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stopped(values: object, command: str, interrupter: object, on_folder: object) -> int:
        if begin:
            on_folder(FOLDER)  # type: ignore[operator]
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.argv", ["nas.py"])
    monkeypatch.setattr("nas.cli.search.search", stopped)
    assert program.run_search(["nas.py", "--target_ms", "1", "--data_dir", "it's"]) == 130
    said = capsys.readouterr().err
    assert message in said
    if begin:
        words = shlex.split(said.partition("Go on with: ")[2])
        assert words[1:] == [
            *("nas.py", "--target_ms", "1", "--data_dir", "it's"),
            *("--run_dir", str(FOLDER), "--resume"),
        ]


def test_an_output_that_nobody_reads_ends_a_search_like_a_signal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unread(values: object, command: str, interrupter: object, on_folder: object) -> int:
        on_folder(FOLDER)  # type: ignore[operator]
        raise BrokenPipeError

    monkeypatch.setattr("nas.cli.search.search", unread)
    assert program.run_search(["nas.py", "--target_ms", "1"]) == shell.EXIT_NO_READER == 141
    said = capsys.readouterr().err
    assert said.startswith("Stopped: nobody reads the output any more. The state is saved.")
    assert "--resume" in said
