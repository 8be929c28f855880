"""What a program says of folders: in its first lines, and before anything is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.image_folders import plant, write_folders
from tests.support.programs import run_program


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three classes, one with a single training image and none for evaluation."""
    root = write_folders(tmp_path / "data" / "Training", ("a", "b")).parent
    write_folders(root / "Training", ("c",), count=1)
    write_folders(root / "valid", ("a", "b"))
    return plant(
        root, {"testing/a": 2, "Training/a/.ipynb_checkpoints": 2, "Training/d/x.heic": b""}
    )


def test_a_search_names_what_it_cannot_divide_before_it_measures(
    tmp_path: Path, data: Path
) -> None:
    run = tmp_path / "run"
    flags = ("--smoke", "--lambda", "0.1", "--data_dir", str(data), "--run_dir", str(run))
    done = run_program("nas.py", *flags)
    assert done.exit_code == 2
    assert "1 of c in data" in done.err and "Fix" in done.err
    assert not run.exists()
    for said in (
        "Training images: Training/, 9. Evaluation images: valid/, 8.",
        "Not used: testing/ (2 images)",
        "Training/d/ (1 .heic)",
        ".ipynb_checkpoints/",
        "No evaluation images of c",
    ):
        assert said in done.err


@pytest.mark.parametrize("program", ["nas.py", "main.py"])
@pytest.mark.parametrize("name", ["https://example.org/a.zip", "a.zip", "data/testing"])
def test_programs_refuse_what_is_no_data_by_name(
    tmp_path: Path, data: Path, program: str, name: str
) -> None:
    plant(tmp_path, {"a.zip": b"x"})
    named = name if "://" in name else str(tmp_path / name)
    flags = (
        ("--lambda", "0.1") if program == "nas.py" else ("--arch", "in_s32 cn_k3_s2_c8 gap fc_c2")
    )
    done = run_program(program, *flags, "--data_dir", named, "--run_dir", str(tmp_path / "run"))
    assert done.exit_code == 2, done.err
    assert named in done.err and "Fix" in done.err and "Traceback" not in done.err
    assert not (tmp_path / "run").exists()
