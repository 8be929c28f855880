"""Where a run begins: a new or empty folder that can be written; nothing is overwritten."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from latency.errors import LatencyError
from nas.interface.asked import given_network_config
from nas.runs.config import read_config
from nas.runs.data import DataSource
from nas.runs.folder import RunFolder
from tests.support.run_config import run_config


def refused(path: Path | None) -> LatencyError:
    with pytest.raises(LatencyError) as caught:
        RunFolder.check_new(path)
    return caught.value


def test_new_and_empty_folders_are_fine(tmp_path: Path) -> None:
    RunFolder.check_new(tmp_path)
    RunFolder.check_new(tmp_path / "a" / "b c")
    assert list(tmp_path.iterdir()) == []


def test_a_plain_file_is_no_run_to_go_on_with(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    error = refused(path)
    assert "--run_dir" in error.expected and str(path) in error.received
    assert "resume" not in str(error) and path.read_text() == "mine"
    with pytest.raises(LatencyError, match="which is a file"):
        RunFolder.open(path)


def test_a_folder_with_something_else_is_no_run_to_go_on_with(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"")
    error = refused(tmp_path)
    assert "photo.jpg" in error.received and error.fix == "choose another --run_dir"


@pytest.mark.parametrize("is_search", [True, False])
def test_a_run_is_gone_on_with_by_its_own_program(tmp_path: Path, is_search: bool) -> None:
    given = given_network_config({"smoke": True}, DataSource(), "python main.py", 32)
    config = run_config() if is_search else given
    path = tmp_path / "my run"
    RunFolder.create(path, config, "test")
    error = refused(path)
    assert "which has a run in it" in error.received
    words = shlex.split(error.fix.partition("`")[2].partition("`")[0])
    assert words[0].startswith("python")
    if is_search:
        assert words[1:] == ["nas.py", "--run_dir", str(path), "--resume"]
    else:
        assert words[1:] == ["main.py", "--run", str(path)]
    assert read_config(path) == config


@pytest.mark.parametrize("place", ["file/run", "x" * 300])
def test_what_cannot_be_made_is_refused_before_images_are_read(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    assert "--run_dir" in refused(tmp_path / place).expected


def test_the_folder_of_runs_is_tried_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STOPWATCH_RUNS", str(tmp_path / "file"))
    assert "STOPWATCH_RUNS" in refused(None).expected
    # An empty variable is one that is not set.
    monkeypatch.setenv("STOPWATCH_RUNS", "")
    monkeypatch.chdir(tmp_path)
    RunFolder.check_new(None)


def test_names_that_are_no_utf_8_are_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9")
    config = replace(run_config(), command=f"nas.py --data_dir {path}")
    RunFolder.create(path, config, "test")
    assert read_config(path).command == f"nas.py --data_dir {path}"
