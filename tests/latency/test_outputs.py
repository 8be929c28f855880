"""Places to write are tried before any work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from latency.cli import program
from latency.outputs import (
    OutputError,
    check_output_file,
    check_output_folder,
    refuse_overwriting,
)
from tests.support.latency_graphs import chain

IS_ROOT = os.geteuid() == 0


def test_a_new_file_and_an_earlier_one_are_fine_and_stay_as_they_are(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text("old")
    check_output_file(old, "--output")
    check_output_file(tmp_path / "new.json", "--output")
    check_output_file(tmp_path / "a" / "b" / "new.json", "--output", makes_folders=True)
    check_output_folder(tmp_path / "a" / "b", "--export_job")
    assert [path.name for path in tmp_path.iterdir()] == ["old.json"]
    assert old.read_text() == "old"


@pytest.mark.parametrize(
    ("name", "said", "fix"),
    [
        (".", "a folder", "name a file in it: "),
        ("none/out.json", "without a folder", "make the folder first, or name a file in one"),
        ("none/a/out.json", "without a folder", "make the folder first, or name a file in one"),
        ("file/out.json", "/file is none", "name a file in a folder"),
        ("file/a/out.json", "/file is none", "name a file in a folder"),
        ("x" * 250 + ".json", "File name too long", "name another file, in a folder that may"),
        ("pipe", "a pipe or device", "name a file; --json"),
        ("/dev/null", "a pipe or device", "name a file; --json"),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(
    tmp_path: Path, name: str, said: str, fix: str
) -> None:
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError) as caught:
        check_output_file(tmp_path / name, "--csv")
    assert "--csv" in caught.value.expected and said in caught.value.received
    assert caught.value.fix.startswith(fix)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.skipif(IS_ROOT, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="Permission denied"):
            check_output_file(tmp_path / "out.json", "--output")
        with pytest.raises(OutputError, match="Permission denied"):
            check_output_folder(tmp_path / "a" / "b", "--run_dir")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("name", ["file", "file/below", "y" * 300])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="--run_dir"):
        check_output_folder(tmp_path / name, "--run_dir")


def test_what_is_read_is_not_written_over(tmp_path: Path) -> None:
    model, link = tmp_path / "net.onnx", tmp_path / "link.onnx"
    model.write_bytes(b"")
    link.symlink_to(model)
    for output in (model, link, tmp_path / "." / "net.onnx"):
        with pytest.raises(OutputError, match="which is read"):
            refuse_overwriting(output, [model], "--output")
    refuse_overwriting(tmp_path / "new", [model, tmp_path / "none"], "--output")
    refuse_overwriting(None, [model], "--output")


@pytest.mark.parametrize(
    "words",
    [
        ["measure", "net.onnx", "--output", "none/x.json"],
        ["certify", "net.onnx", "--target_ms", "1", "--output", "/dev/full"],
        ["compare", "net.onnx", "net.onnx", "--output", "."],
        ["table", "net.onnx", "--output", "none/x.json"],
        ["table", "net.onnx", "--export_job", "net.onnx/job"],
        ["import-result", ".", "--output", "none/x.json"],
        ["show", "t.json", "--csv", "none/x.csv"],
        ["measure", "net.onnx", "--output", "net.onnx"],
        ["certify", "net.onnx", "--target_ms", "1", "--output", "net.onnx"],
        ["compare", "net.onnx", "net.onnx", "--output", "net.onnx"],
        ["table", "net.onnx", "--output", "net.onnx"],
    ],
)
def test_each_command_refuses_before_it_reads_a_model(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.onnx").write_bytes(chain(1))

    def read(*_: object) -> None:
        raise AssertionError("a model was read")

    monkeypatch.setattr("latency.onnx_files.several_models.read_model", read)
    assert program.main(words) == 2
    said = capsys.readouterr().err
    assert words[-2] in said and "Fix: " in said
    assert Path("net.onnx").read_bytes() == chain(1)
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
