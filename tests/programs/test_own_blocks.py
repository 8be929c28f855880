"""A block, a decision and a space of one's own, from the command line to the exported network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from nas.architecture.spec import LAYER_TYPES
from tests.support.programs import ROOT, is_refusal, run_program

DONE = (0, 4)  # done, or that a budget cannot be told at toy size


@pytest.fixture
def own_files(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Copies of the examples, which a test may change; their records are forgotten afterwards."""
    before = dict(LAYER_TYPES)
    names = ("wide_block.py", "my_space.py")
    block, space = (Path(shutil.copy(ROOT / "examples" / n, tmp_path / n)) for n in names)
    yield block, space
    LAYER_TYPES.clear()
    LAYER_TYPES.update(before)


@pytest.mark.slow
def test_a_block_and_a_space_of_ones_own_are_searched_trained_and_exported(
    own_files: tuple[Path, Path], tmp_path: Path
) -> None:
    block, space = own_files
    run = tmp_path / "run"
    files = ("--blocks", str(block), "--space", str(space))
    settings = ("--lambda", "0.1", "--smoke", "--image_size", "32", "--random_networks", "0")
    done = run_program("nas.py", *files, *settings, "--run_dir", str(run))
    assert done.exit_code == 0, done.err
    config = json.loads((run / "config.json").read_text())
    assert (config["space"], config["blocks"]) == (str(space), [str(block)])
    probabilities = json.loads((run / "search.json").read_text())["probabilities"]
    assert probabilities["width"]["options"] == [16, 32, 48]
    assert "wide_r1_w" in (run / "architecture.json").read_text()
    assert any("wide_r1_w16" in key for key in json.loads((run / "table.json").read_text())["rows"])

    done = run_program("main.py", "--run", str(run), "--nobaselines")
    assert done.exit_code in DONE, done.err
    assert list(run.rglob("model.onnx")) and list(run.rglob("model.keras"))

    space.write_text(space.read_text().replace("(16, 32, 48)", "(16, 32, 64)"))
    done = run_program("nas.py", "--resume", "--run_dir", str(run))
    assert done.exit_code == 2 and is_refusal(done.err), done.err
    assert "as the run began, fingerprint" in done.err


def test_threshold_gates_refuse_decisions_that_were_never_published(
    own_files: tuple[Path, Path], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    files = ("--blocks", str(own_files[0]), "--space", str(own_files[1]), "--run_dir", str(run))
    done = run_program("nas.py", *files, "--gate", "threshold", "--lambda", "0.1", "--smoke")
    assert done.exit_code == 2 and is_refusal(done.err), done.err
    assert "a space that decides width" in done.err and not run.exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--blocks", "/nowhere.py"), "a Python file for --blocks"),
        (("--space", "/nowhere.py"), "a Python file for --space"),
        (("--space", "huge"), "or a Python file"),
    ],
)
def test_files_that_are_none_leave_no_run(
    flags: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = run_program("nas.py", *flags, "--lambda", "0.1", "--smoke", "--run_dir", str(run))
    assert done.exit_code == 2 and is_refusal(done.err), done.err
    assert message in done.err and not run.exists()
