"""Every flag of every command: when it applies, and that it is refused where it does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from latency.cli import program
from latency.cli.parser import UsageError
from latency.errors import LatencyError

SETTINGS = {
    *("threads", "graph_level", "provider", "provider_library", "provider_option", "affinity"),
    "config",
}
PLAN = {"min_rounds", "max_rounds", "max_seconds", "max_wait_seconds", "seed"}
MODELS = {"input_shape", "precision"}
# Command -> flags that always say something there.
ALWAYS: dict[str, set[str]] = {
    "measure": {*SETTINGS, *PLAN, *MODELS, "output", "input", "processes", "strict"},
    "certify": {*SETTINGS, *PLAN, *MODELS, "output", "input", "processes", "target_ms", "margin"},
    "compare": {*SETTINGS, *PLAN, *MODELS, "output", "input", "processes"},
    "clock": {"seconds", "forget"},
    "table": {*SETTINGS, *PLAN, *MODELS, "input", "output", "export_job"},
    "run-job": {"ssh", "provider_library", "provider_option"},
    "import-result": {"result", "output"},
    "audit": set(),
    # Its settings are changes of those that the table was measured with.
    "check": {*SETTINGS, *PLAN, "spinning"},
    "show": {"csv"},
    "predict": {"short", "divisor", "input_shape"},
}
NEEDED = {
    "measure": ["net.onnx"],
    "certify": ["net.onnx", "--target_ms", "1"],
    "compare": ["net.onnx", "net.onnx"],
    "table": ["net.onnx", "--output", "t.json"],
    "run-job": ["job"],
}
# Command, flag that says nothing, what it stands beside, what has to be said of it.
REFUSED = [
    *((c, "scheme", ["--scheme", "u8s8"], "--precision fp32") for c in list(NEEDED)[:4]),
    ("measure", "scheme", ["--scheme", "u8u8", "--precision", "fp16"], "--precision fp16"),
    *((c, "spinning", ["--no-spinning"], "one thread") for c in list(NEEDED)[:4]),
    ("measure", "spinning", ["--spinning", "--threads", "1"], "one thread"),
    ("certify", "budget_seconds", ["--processes", "7", "--budget_seconds", "9"], "--processes 7"),
    ("compare", "budget_seconds", ["--processes", "9", "--budget_seconds", "9"], "--processes 9"),
    ("run-job", "ssh_option", ["--ssh_option=-p22"], "no --ssh"),
    ("run-job", "remote_python", ["--remote_python", "python3"], "no --ssh"),
    ("run-job", "remote_folder", ["--remote_folder", "x"], "no --ssh"),
]
USED = [
    ("measure", ["--scheme", "u8s8", "--precision", "int8", "--no-spinning", "--threads", "2"]),
    ("certify", ["--budget_seconds", "9", "--processes", "3"]),
    (
        "run-job",
        ["--ssh", "pi", "--ssh_option=-p22", "--remote_python", "p", "--remote_folder", "x"],
    ),
    ("check", ["--no-spinning"]),
]


def flags_of(command: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """The flags that --help lists."""
    with pytest.raises(SystemExit):
        program.main([command, "--help"])
    found = set(re.findall(r"--([a-z_]+)", capsys.readouterr().out))
    return found - {"help", "json", "no"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", ALWAYS)
def test_every_flag_has_its_rule_here(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    ruled = {flag for name, flag, _, _ in REFUSED if name == command}
    found = flags_of(command, capsys)
    # Helps name flags of other commands, too.
    assert {*ALWAYS[command], *ruled} <= found
    assert found - {*ALWAYS[command], *ruled} <= {"ssh", "input"}


@pytest.mark.parametrize(("command", "flag", "words", "received"), REFUSED)
def test_a_flag_that_says_nothing_is_refused_before_anything_is_read(
    command: str, flag: str, words: list[str], received: str
) -> None:
    with pytest.raises(UsageError) as caught:
        program.read([command, *NEEDED[command], *words])
    assert f"--{flag}" in str(caught.value) and received in caught.value.received
    assert "leave" in caught.value.fix


@pytest.mark.parametrize(("command", "words"), USED)
def test_the_same_flags_are_used_where_they_apply(command: str, words: list[str]) -> None:
    program.read([command, *NEEDED.get(command, ["t.json"]), *words])


def test_measure_makes_as_many_processes_as_it_says_and_knows_no_budget(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert program.main(["measure", "net.onnx", "--budget_seconds", "9"]) == 2
    assert "--budget_seconds" in capsys.readouterr().err


@pytest.mark.parametrize("divisor", ["0", "-1", "nan", "1e400"])
def test_a_row_needs_copies(divisor: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["predict", "t.json", "net.onnx", f"--divisor={divisor}"]) == 2
    assert "--divisor" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e400", ""])
def test_the_clock_is_watched_for_a_time(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["clock", f"--seconds={seconds}"]) == 2
    assert "--seconds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "fix"),
    [("mesure", "did you mean measure?"), ("zzz", "see python -m latency --help")],
)
def test_an_unknown_command_proposes_the_nearest(word: str, fix: str) -> None:
    with pytest.raises(LatencyError) as caught:
        program.read([word])
    assert caught.value.received == repr(word) and caught.value.fix == fix
