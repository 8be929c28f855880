"""Whether the comparison of the two starts of a training compares like with like."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from nas.errors import InputError
from tests.support.programs import load_script, run_program


def test_each_seed_is_compared_with_itself() -> None:
    paired = load_script("benchmarks/inherit.py").paired
    found = paired([0.50, 0.60, 0.70], [0.52, 0.61, 0.73])
    assert found["gain"] == pytest.approx(0.02)
    # Of 0.02, 0.01 and 0.03: the seeds' own spread of 0.1 is no part of it.
    assert found["standard_error"] == pytest.approx(0.01 / 3**0.5)
    assert found["wins"] == 1.0
    # Student's t with two degrees of freedom: 4.303, rounded.
    half = 4.303 * 0.01 / 3**0.5
    assert found["low"] == pytest.approx(0.02 - half, rel=5e-3)
    assert found["high"] == pytest.approx(0.02 + half, rel=5e-3)
    single = paired([0.5], [0.4])
    assert single["standard_error"] is single["low"] is single["high"] is None


@pytest.mark.slow
def test_both_starts_are_trained_for_every_seed(toy_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    flags = ["--run", str(toy_run), "--seeds", "2", "--epochs", "0.1", "--json", str(file)]
    done = run_program("benchmarks/inherit.py", *flags)
    assert done.exit_code == 0, done.err
    found = json.loads(file.read_text("utf-8"))
    assert json.loads(done.out) == found
    assert len(found["random_top1"]) == len(found["inherited_top1"]) == found["seeds"] == 2
    assert found["recipe"]["epochs"] == 0.1


def test_a_run_without_a_supernet_is_refused(toy_run: Path, tmp_path: Path) -> None:
    script = load_script("benchmarks/inherit.py")
    run = shutil.copytree(toy_run, tmp_path / "run")
    (run / "checkpoints" / "search.npz").unlink()
    with pytest.raises(InputError, match="the supernet's weights"):
        script.measure(run, 1, 0.1)
