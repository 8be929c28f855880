"""What nas.py and main.py refuse: exit code 2, three parts, and nothing half-written."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from PIL import Image

from nas.runs.folder import RunFolder
from tests.support.programs import is_refusal, run_program
from tests.support.toy import TOY, changed_table


class Refused(Protocol):
    """Runs a command that must be refused; returns what it said."""

    def __call__(self, name: str, *arguments: str) -> str: ...


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    def run(name: str, *arguments: str) -> str:
        done = run_program(name, *arguments, runs=tmp_path / "runs")
        assert done.exit_code == 2, done
        assert is_refusal(done.err), done.err
        assert not [p for p in (tmp_path / "runs").rglob("*") if p.is_file()], "half-written"
        return done.err

    return run


@pytest.mark.parametrize(
    "arguments, text",
    [
        ([], "one of --lambda, --target_ms, --target_bops, --target_weight_bits"),
        (["--lambda", "0.1", "--target_ms", "1"], "both"),
        (["--lambda", "-1"], "at least 0"),
        (["--lambda", "nan"], "--lambda"),
        (["--lambda", "much"], "--lambda to be a number"),
        (["--lambda", "0.1,0.2,0.1"], "lambda0.1 twice"),
        (["--target_ms", "0"], "--target_ms to be a number above 0"),
        (["--target_ms", "25%,120%"], "0% to 100%"),
        (
            ["--lambda", "0.1", "--method", "evolution"],
            "--target_ms, --target_bops or --target_weight_bits with --method evolution",
        ),
        (["--target_ms", "1", "--method", "random", "--gate", "threshold"], "--gate with --method"),
        (["--target_ms", "1", "--supernet", "runs/x"], "--supernet with --method evolution"),
        (["--target_ms", "1", "--race_epochs", "1"], "--race with --race_epochs"),
        (["--lambda", "0.1", "--data_dir", "/nowhere/at/all"], "does not exist"),
        (["--lambda", "0.1", "--resume"], "--resume with --run_dir"),
        (["--lambda", "0.1", "--device", "pi"], "--table with --device"),
        (["--lambda", "0.1", "--run_dir", "/nowhere", "--resume"], "config.json"),
        (["--lambda", "0.1", "--space", "huge", "--smoke"], "a space, one of"),
        (["--lambda", "0.1", "--space", "tiny", "--image_size", "32", "--smoke"], "at least 49 px"),
        (["--lambda", "0.1", "--table", "/nowhere.json", "--smoke"], "which is no file"),
    ],
)
def test_bad_search_flags(refused: Refused, arguments: list[str], text: str) -> None:
    assert text in refused("nas.py", *arguments)


def _class_folder(root: Path, name: str, count: int) -> None:
    (root / name).mkdir(parents=True)
    for i in range(count):
        pixels = np.random.default_rng(i).integers(0, 255, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(root / name / f"{i}.jpg")


def test_empty_unknown_and_one_class_folders(refused: Refused, tmp_path: Path) -> None:
    empty, odd, one = tmp_path / "empty", tmp_path / "odd", tmp_path / "one"
    empty.mkdir()
    odd.mkdir()
    (odd / "notes.txt").write_text("no images")
    _class_folder(one, "cats", 4)
    assert "which is empty" in refused("nas.py", "--lambda", "0.1", "--data_dir", str(empty))
    text = refused("nas.py", "--lambda", "0.1", "--data_dir", str(odd))
    assert "wnids.txt" in text and "notes.txt" in text
    assert "two classes" in refused("nas.py", "--lambda", "0.1", "--data_dir", str(one))


def test_corrupt_image_is_named(refused: Refused, tmp_path: Path) -> None:
    root = tmp_path / "data"
    _class_folder(root, "cats", 4)
    _class_folder(root, "dogs", 4)
    (root / "dogs" / "2.jpg").write_bytes(b"\xff\xd8\xff broken")
    text = refused("nas.py", "--lambda", "0.1", "--data_dir", str(root))
    assert "2.jpg" in text and "--skip_bad_images" in text


def test_a_run_that_another_program_works_on_is_refused(
    refused: Refused, toy_run: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(toy_run, tmp_path / "busy")
    with RunFolder.open(run).alone():
        for command in (("nas.py", "--resume", "--run_dir"), ("main.py", "--run")):
            text = refused(*command, str(run))
            assert "no other program works on" in text and str(os.getpid()) in text


def test_existing_run_folder_needs_resume(refused: Refused, toy_run: Path, tmp_path: Path) -> None:
    text = refused("nas.py", "--lambda", "0.1", "--smoke", "--run_dir", str(toy_run))
    assert f"nas.py --run_dir {toy_run} --resume" in text


def test_a_folder_that_is_no_run_is_not_gone_on_with(refused: Refused, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "something").write_text("mine")
    text = refused("nas.py", "--lambda", "0.1", "--smoke", "--run_dir", str(run))
    assert "'something' in it" in text and "resume" not in text
    assert (run / "something").read_text() == "mine"
    assert [path.name for path in run.iterdir()] == ["something"]


@pytest.mark.parametrize(
    "changes",
    [
        {"space": "tiny"},
        {"image_size": 64},
        {"precision": "int8"},
        {"schema_version": 999},
        {"space_hash": "0" * 12},
    ],
)
def test_table_of_something_else(
    refused: Refused, toy_table: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    table = changed_table(toy_table, tmp_path / "table.json", **changes)
    text = refused("nas.py", "--lambda", "0.1", *TOY, "--table", str(table))
    received = text[text.index("Received") :]
    assert all(str(value) in received for value in changes.values())


def test_table_of_other_settings_than_networks_run_with(
    refused: Refused, toy_table: Path, tmp_path: Path
) -> None:
    settings = json.loads(toy_table.read_text())["settings"]
    others = {"intra_op_num_threads": 2, "graph_level": "extended"}
    table = changed_table(toy_table, tmp_path / "table.json", settings={**settings, **others})
    text = refused("nas.py", "--lambda", "0.1", *TOY, "--table", str(table))
    assert "Expected a table of intra_op_num_threads 1, graph_level 'all' in" in text
    assert "Received: intra_op_num_threads 2, graph_level 'extended'." in text
    assert "Fix: build a table for this intra_op_num_threads and graph_level" in text


def test_table_of_another_host(refused: Refused, toy_table: Path, tmp_path: Path) -> None:
    host = {**json.loads(toy_table.read_text())["host"], "cpu_model": "another"}
    table = changed_table(toy_table, tmp_path / "table.json", host=host)
    text = refused("nas.py", "--lambda", "0.1", *TOY, "--table", str(table))
    assert "another" in text


def test_target_out_of_range_gives_the_range(refused: Refused, toy_table: Path) -> None:
    for target in ("0.0001", "900"):
        text = refused("nas.py", "--target_ms", target, *TOY, "--table", str(toy_table))
        assert "the range of space" in text


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["--arch", "in_s64 ir_k3_s1_e6_c24_zz9 gap fc_c4"], "'zz9'"),
        (["--arch", "in_s64 xx_k3"], "'xx_k3'"),
        (["--arch", "/nowhere.json"], "does not exist"),
        (["--arch", '{"kind": "architecture", "schema_version": 99}'], "schema_version from 1"),
        (["--arch", '{"kind": '], "breaks off"),
        (["--arch", "in_s64 gap fc_c4", "--run", "x"], "one of --run and --arch"),
        ([], "a finished search"),
        (["--run", "/nowhere"], "a run folder"),
        (["--epochs", "0"], "--epochs"),
    ],
)
def test_bad_retrain_input(refused: Refused, arguments: list[str], text: str) -> None:
    assert text in refused("main.py", *arguments)


@pytest.fixture
def full_below(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Fills the disk for files below a folder: their last flush fails, as delayed writes do."""
    flush = os.fsync

    def fill(folder: Path) -> None:
        def fsync(descriptor: int) -> None:
            if os.readlink(f"/proc/self/fd/{descriptor}").startswith(str(folder)):
                raise OSError(errno.ENOSPC, "No space left on device")
            flush(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)

    return fill


def test_disk_full_at_the_start_leaves_nothing_half_written(
    refused: Refused, tmp_path: Path, full_below: Callable[[Path], None]
) -> None:
    run = tmp_path / "run"
    full_below(run)
    text = refused("nas.py", "--lambda", "0.1", "--smoke", "--run_dir", str(run))
    assert "free some space" in text and "No space left" in text
    assert not [path for path in run.rglob("*") if path.is_file()]


def test_disk_full_at_the_end_keeps_what_is_done(
    refused: Refused, toy_run: Path, tmp_path: Path, full_below: Callable[[Path], None]
) -> None:
    run = shutil.copytree(toy_run, tmp_path / "run")
    missing = ("certificate.json", "warnings.json")
    for name in missing:
        (run / name).unlink()
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    before.pop(run / ".lock")
    full_below(run)
    text = refused("nas.py", "--resume", "--run_dir", str(run))
    assert "free some space" in text and any(name in text for name in missing)
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    after.pop(run / ".lock")
    assert after == before
