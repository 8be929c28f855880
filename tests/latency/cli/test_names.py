"""Names of models that are markup elsewhere, and commands that are proposed with them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latency.cli import program, timing_commands
from latency.device.job import Model
from latency.device.startup import Startup
from latency.device.text import visible
from latency.measurement.timing import Timing
from tests.support.latency_graphs import chain
from tests.support.timings import stated_timing

NAMES = [
    "net[v1].onnx",
    "net[v2].onnx",
    "[/b].onnx",
    "[red]x[/red].onnx",
    ":smile:.onnx",
    "a\x1b[2Jb.onnx",
    "two\nlines.onnx",
    "right\u202eleft.onnx",
    'it\'s "it" $HOME.onnx',
    "größe 日本.onnx",
    "a:b.onnx",
    os.fsdecode(b"caf\xe9.onnx"),
]
GOOD = stated_timing(0.995, 1.005)
WIDE = replace(GOOD, low_ms=0.9, high_ms=1.1)


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Timing]:
    """What every model is timed with, in a folder where all names are files."""
    timing = [GOOD]

    def times(models: Sequence[Model], *_: Any, **__: Any) -> dict[str, Timing]:
        return dict.fromkeys((model.key for model in models), timing[0])

    def started(models: Sequence[Model], *_: Any) -> tuple[dict[str, Startup], dict[str, str]]:
        first = Startup(session_ms=1.0, first_run_ms=1.0, peak_bytes=None, outputs_sha256="0" * 64)
        return dict.fromkeys((model.key for model in models), first), {}

    monkeypatch.setattr(timing_commands, "measure_processes", times)
    monkeypatch.setattr(timing_commands, "start_all", started)
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(chain(1))
    return timing


def shown(name: str) -> str:
    """As it has to stand on a terminal, with bytes that are no UTF-8 written out."""
    return visible(os.fsencode(name).decode("utf-8", "backslashreplace"), "")


@pytest.mark.parametrize("command", ["measure", "certify"])
def test_every_name_is_printed_as_it_is(
    command: str,
    found: list[Timing],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    flags = ["--target_ms", "1"] if command == "certify" else []
    assert program.main([command, *NAMES, *flags]) == 0
    printed = capsys.readouterr().out
    for name in NAMES:
        assert shown(name) in printed


def options_of(words: Sequence[str]) -> dict[str, Any]:
    """What a command line asks for."""
    return {k: v for k, v in vars(program.read(words)).items() if k not in ("arguments", "given")}


@pytest.mark.skipif(shutil.which("bash") is None, reason="what is pasted needs a shell")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", ["measure", "certify"])
def test_a_proposal_asks_for_the_same_with_one_thing_changed(
    command: str, name: str, found: list[Timing], capsys: pytest.CaptureFixture[str]
) -> None:
    found[0] = WIDE
    words = [command, name, "--seed", "5", "--output", f"out {name.replace('/', '_')}.json"]
    words += ["--graph_level=basic", "--config", "session.dynamic_block_base=4", "--threads", "2"]
    words += ["--no-spinning", "--affinity", "0", "--max_rounds", "40"]
    words += ["--target_ms", "1", "--margin", "3%"] if command == "certify" else ["--strict"]
    assert program.main(words) == 4
    printed = capsys.readouterr()
    said = next(
        line for line in (printed.out + printed.err).splitlines() if "--processes 7" in line
    )
    proposed = said[said.index("python -m latency") :]
    script = f'printf "%s\\0" {proposed}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    again = [os.fsdecode(word) for word in done.stdout.split(b"\0")[:-1]]
    assert again[:3] == ["python", "-m", "latency"]
    before, after = options_of(words), options_of(again[3:])
    assert {key for key in before if before[key] != after[key]} == {"processes"}
    assert after["processes"] == 7


def test_words_behind_two_dashes_stay_there(
    found: list[Timing], capsys: pytest.CaptureFixture[str]
) -> None:
    found[0] = WIDE
    Path("-x.onnx").write_bytes(chain(1))
    program.main(["measure", "--seed", "5", "--", "-x.onnx"])
    proposed = capsys.readouterr().err.rpartition("run: ")[2].strip()
    assert shlex.split(proposed)[3:] == [
        *("measure", "--seed", "5", "--processes", "7"),
        *("--", "-x.onnx"),
    ]
