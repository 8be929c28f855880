"""A run folder belongs to one program at a time; what goes wrong with its files is said."""

from __future__ import annotations

import datetime
import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from latency.errors import FileFormatError
from nas.errors import InputError
from nas.runs import folder as folder_module
from nas.runs.folder import RunFolder
from tests.support.run_config import run_config

HOLDER = """
import sys, time
from pathlib import Path
from nas.runs import folder as folder_module
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


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_lock_never_cuts_what_a_link_leads_to(
    folder: RunFolder, tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    precious = tmp_path / "thesis.txt"
    precious.write_text("precious")
    link(folder.path / ".lock", precious)
    with pytest.raises(FileFormatError, match="Fix: remove it"), folder.alone():
        pass
    assert precious.read_text() == "precious"


def test_a_run_that_never_began_is_removed(folder: RunFolder) -> None:
    (folder.path / "data.json").write_text("{}")
    with folder.alone():
        pass
    assert folder.discard() and not folder.path.exists()


@pytest.mark.parametrize(
    "name",
    [
        "table.json",
        "table.journal",
        "target.json",
        "checkpoints/search.npz",
        "deep/er",
        "data.json.1",
    ],
)
def test_a_run_in_which_anything_was_left_is_kept(folder: RunFolder, name: str) -> None:
    path = folder.path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("hours of work")
    assert not folder.discard("architecture.json") and path.read_text() == "hours of work"
    assert folder.has("config.json")


def test_a_copy_of_what_is_kept_elsewhere_is_no_loss(folder: RunFolder) -> None:
    (folder.path / "table.json").write_text("{}")
    assert folder.discard("table.json") and not folder.path.exists()


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


def test_two_runs_of_one_second_get_folders_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STOPWATCH_RUNS", str(tmp_path))
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5)
    stopped = SimpleNamespace(datetime=SimpleNamespace(now=lambda: moment))
    monkeypatch.setattr(folder_module, "datetime", stopped)
    runs = [RunFolder.create(None, run_config(), "test") for _ in range(3)]
    stem = "20260102-030405-test"
    assert [run.path.name for run in runs] == [stem, f"{stem}-2", f"{stem}-3"]
    assert all(run.has("config.json") for run in runs)


def test_a_run_below_a_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="a place where --run_dir can be written") as caught:
        RunFolder.create(tmp_path / "file" / "run", run_config(), "test")
    assert "--run_dir" in caught.value.fix


def test_without_locks_of_the_system_a_run_is_still_possible(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "fcntl", None)
    with folder.alone(), folder.alone():
        assert not folder.has(".lock")


def _failing_lock(code: int) -> SimpleNamespace:
    """The lock module of a file system that answers every request with one error."""

    def flock(stream: object, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    return SimpleNamespace(flock=flock, LOCK_EX=fcntl.LOCK_EX, LOCK_NB=fcntl.LOCK_NB)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_locks_does_not_stop_a_run(
    code: int, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "fcntl", _failing_lock(code))
    with folder.alone():
        assert (folder.path / ".lock").read_text("utf-8") == f"{os.getpid()}\n"


def test_a_lock_that_fails_for_another_reason_stops_the_run(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "fcntl", _failing_lock(errno.EIO))
    with pytest.raises(InputError, match=r"to write .*\.lock"), folder.alone():
        pass


WRITES: dict[str, Callable[[RunFolder], None]] = {
    "results/largest.json": lambda folder: folder.write(Result(0.5), name="largest"),
    "search.json": lambda folder: folder.write_json("search.json", {"step": 1}),
    "history.csv": lambda folder: folder.write_csv("history.csv", [{"step": 1}]),
}


PRINTED = {
    "results/largest.json": '"top1": 0.5',
    "search.json": '"step": 1',
    "history.csv": "step\n1\n",
}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize(
    ("code", "fix"), [(errno.ENOSPC, "free some space"), (errno.EROFS, "--run_dir")]
)
def test_a_disk_that_takes_nothing_names_the_file_and_the_fix(
    name: str,
    code: int,
    fix: str,
    folder: RunFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(path: Path, content: object) -> None:
        raise OSError(code, os.strerror(code))

    refusing = SimpleNamespace(write_text=refuse)
    monkeypatch.setattr(folder_module, "atomic", refusing)
    with pytest.raises(InputError) as caught:
        WRITES[name](folder)
    assert str(folder.path / name) in caught.value.expected
    assert caught.value.received == os.strerror(code)
    assert fix in caught.value.fix
    # Nothing that was found out is lost.
    printed = capsys.readouterr().out
    assert Path(name).name in printed and PRINTED[name] in printed


def test_a_folder_that_is_gone_loses_no_result(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(folder.path)
    with pytest.raises(InputError, match="to write"):
        folder.write(Result(0.5), name="largest")
    assert '"top1": 0.5' in capsys.readouterr().out


@pytest.mark.parametrize(("text", "received"), [("{", "Expecting"), ("[1]", "list"), (None, "No")])
def test_a_file_that_holds_no_json_object_is_refused(
    text: str | None, received: str, folder: RunFolder
) -> None:
    if text is not None:
        (folder.path / "search.json").write_text(text, "utf-8")
    with pytest.raises(InputError, match=r"a JSON object in .*search\.json") as caught:
        folder.read_json("search.json")
    assert received in caught.value.received


def test_rows_are_written_with_all_columns_that_any_of_them_has(folder: RunFolder) -> None:
    folder.write_csv("empty.csv", [])
    assert not folder.has("empty.csv")
    folder.write_csv("rows.csv", [{"step": 1, "loss": None}, {"step": 2, "loss": 0.5}])
    assert (folder.path / "rows.csv").read_text("utf-8") == "step,loss\n1,\n2,0.5\n"
    folder.write_csv("older.csv", [{"step": 1}, {"step": 2, "loss": 0.5}])
    assert (folder.path / "older.csv").read_text("utf-8") == "step,loss\n1,\n2,0.5\n"
