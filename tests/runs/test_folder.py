"""A run folder belongs to one program at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from latency.errors import FileFormatError
from nas.errors import InputError
from nas.runs.folder import RunFolder
from tests.support.run_config import run_config

HOLDER = """
import sys, time
from pathlib import Path
from nas.runs.folder import RunFolder
from tests.support.run_config import run_config
with RunFolder(Path(sys.argv[1])).alone():
    print("held", flush=True)
    time.sleep(300)
"""


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", run_config(), "test")


def test_a_second_program_is_refused_by_name(folder: RunFolder) -> None:
    with (
        folder.alone(),
        pytest.raises(InputError, match=f"process {os.getpid()} works"),
        RunFolder.open(folder.path).alone(),
    ):
        pass


def test_the_next_program_may_after_the_first_one_ended(folder: RunFolder) -> None:
    with pytest.raises(RuntimeError), folder.alone():
        raise RuntimeError
    with folder.alone():
        pass


def test_sigkill_frees_it(folder: RunFolder) -> None:
    command = [sys.executable, "-c", HOLDER, str(folder.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"process {process.pid} works"), folder.alone():
            pass
        process.send_signal(signal.SIGKILL)
    with folder.alone():
        pass


def test_a_folder_that_cannot_be_written_says_so(folder: RunFolder) -> None:
    (folder.path / ".lock").mkdir()
    with pytest.raises(InputError, match="--run_dir"), folder.alone():
        pass


@dataclass(frozen=True)
class Result:
    FILE: ClassVar[str] = "results/{name}.json"
    SCHEMA_VERSION: ClassVar[int] = 3

    top1: float


def test_a_record_is_kept_where_its_class_says(folder: RunFolder) -> None:
    assert not folder.has(Result, name="largest")
    folder.write(Result(0.5), name="largest")
    assert folder.has(Result, name="largest") and folder.has("results/largest.json")
    assert folder.read(Result, name="largest") == Result(0.5)
    with pytest.raises(FileFormatError, match=r"random\.json"):
        folder.read(Result, name="random")
