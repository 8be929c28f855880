"""Paths as users write them, and as records keep them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nas.errors import InputError
from nas.interface.asked import AskedSearch, check_resumed, search_config, source_of
from nas.interface.networks import read_architecture, read_network
from nas.interface.run import Run
from nas.runs.data import DataSource
from nas.runs.folder import RunFolder, runs_folder
from nas.search_space.files import load_blocks, reference
from nas.selection.goals import Goal
from nas.system.paths import kept_path, no_file, own_path
from nas.system.user_files import load_file
from nas.training.schedule_files import check_shares
from nas.training.schedules import Course
from tests.support.programs import ROOT, blocks_forgotten
from tests.support.run_config import run_config

GOALS = (Goal(penalty=0.1),)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, and a working folder beside it."""
    for name in ("home", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


def test_where_no_file_is_it_is_said_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")
    named = {
        "folder": "which is a folder",
        "link": f"a link to {tmp_path / 'gone'}, which does not exist",
        "pipe": "which is no plain file",
        "gone": "which does not exist",
        "x" * 300: "which does not exist",
    }
    for name, said in named.items():
        assert no_file(tmp_path / name) == f"{tmp_path / name}, {said}"


@pytest.mark.parametrize(
    "read",
    [
        lambda path: read_network(f"{path}.keras"),
        lambda path: read_architecture(f"{path}.json"),
        lambda path: load_file(Path(f"{path}.py"), "--space"),
        lambda path: check_shares(f"{path}.py:f", Course(100, 1.0)),
    ],
)
def test_a_folder_in_the_place_of_a_file_is_told_as_one(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    for suffix in (".keras", ".json", ".py"):
        (tmp_path / f"own{suffix}").mkdir()
    with pytest.raises(InputError, match=r"/own\.\w+, which is a folder"):
        read(tmp_path / "own")


def test_what_is_kept_leads_there_from_every_folder(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    assert kept_path("photos") == str(here / "photos")
    assert kept_path("../photos") == str(here / ".." / "photos")
    assert kept_path("~/photos") == str(home / "photos")
    assert kept_path("/photos") == "/photos"
    (here / "link").symlink_to(Path("..", "home"))
    assert kept_path("link") == str(here / "link"), "a link may lead elsewhere one day"
    monkeypatch.chdir(here / "link")
    # The kernel forgets by which link a folder was entered.
    assert kept_path("photos") == str(home / "photos")


def test_a_home_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="a home folder for `~`") as caught:
        own_path("~nobody_of_this_name/photos")
    assert "~nobody_of_this_name" in caught.value.received


def test_every_path_in_the_record_of_a_search_is_absolute(home: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    options = {
        "table": "tables/mine.json",
        "supernet": "~/runs/lender",
        "blocks": ["blocks.py", "~/blocks.py"],
        "method": "evolution",
        "smoke": True,
    }
    asked = AskedSearch(GOALS, source_of("photos", {}), options, "python nas.py")
    config = search_config(asked, "~/space.py", is_sample=False)
    assert config.data == DataSource("files", str(here / "photos"))
    assert config.table == str(here / "tables" / "mine.json")
    assert config.supernet == str(home / "runs" / "lender")
    assert config.blocks == (str(here / "blocks.py"), str(home / "blocks.py"))
    assert config.space == str(home / "space.py")


def test_the_same_path_is_the_same_however_it_is_written(home: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    config = run_config(*GOALS, method="evolution", supernet="lender", table="t.json")
    for lender in ("lender", "./lender", str(here / "lender")):
        asked = AskedSearch((), DataSource(), {"supernet": lender, "resume": True})
        assert check_resumed(config, asked) == config


def test_a_run_is_the_same_from_another_folder(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RunFolder.create(Path("run"), run_config(), "test")
    run = Run(Path("run"))
    monkeypatch.chdir(home)
    assert run.config.is_smoke and run.path == tmp_path / "here" / "run"


def test_home_is_understood_wherever_a_path_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOPWATCH_RUNS", "~/runs")
    assert runs_folder() == home / "runs"
    RunFolder.create(home / "runs" / "a", run_config(), "test")
    assert RunFolder.open(Path("~/runs/a")).path == home / "runs" / "a"
    (home / "net.txt").write_text("in_s32 cn_k3_s2_c8 gap fc_c2")
    assert read_architecture("~/net.txt").num_classes == 2
    (home / "wide.py").write_bytes((ROOT / "examples" / "wide_block.py").read_bytes())
    with blocks_forgotten():
        load_blocks(["~/wide.py"])
        assert "wide" in read_architecture("in_s16 wide_w8_s1_c8 gap fc_c2").layers[0].TOKEN
    assert reference("~/wide.py") == str(home / "wide.py")
