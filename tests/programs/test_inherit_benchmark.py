"""Whether the comparison of the two starts of a training compares like with like."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

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


def made_up(folder: Path, begun: list[tuple[str, float, int]], seeds: int = 3) -> Any:
    """Trainings in which the supernet's weights are two epochs ahead, with a seed's own luck."""

    def train(start: str, epochs: float, seed: int) -> float:
        begun.append((start, epochs, seed))
        ahead = 2.0 if start == "inherited" else 0.0
        luck = 0.001 * (seed % 2) if start == "inherited" else 0.0
        return 0.5 + 0.02 * (epochs + ahead) + 0.01 * seed + luck

    module = load_script("benchmarks/inherit_epochs.py")
    return module.trained(folder, [1.0, 2.0, 4.0], seeds, "the same", train)


def test_the_epochs_to_reach_the_longest_training_are_told(tmp_path: Path) -> None:
    module = load_script("benchmarks/inherit_epochs.py")
    begun: list[tuple[str, float, int]] = []
    figures = module.epochs_to_reach(made_up(tmp_path, begun))
    assert figures["goal_epochs"] == 4.0
    # After two epochs it is as good but for luck; after four it is better with every seed.
    assert figures["mean_epochs"] == 2.0 and figures["each_seed"] == [2.0, 2.0, 2.0]
    assert figures["sure_epochs"] == 4.0
    assert [row["epochs"] for row in figures["rows"]] == [1.0, 2.0, 4.0]
    # Seed by seed, both starts of a length one after the other.
    assert begun[:3] == [("random", 1.0, 0), ("inherited", 1.0, 0), ("random", 2.0, 0)]
    module.write_picture(tmp_path / "epochs.png", figures)
    assert (tmp_path / "epochs.png").read_bytes().startswith(b"\x89PNG")
    again: list[tuple[str, float, int]] = []
    assert module.epochs_to_reach(made_up(tmp_path, again)) == figures
    assert again == [], "what is there is not trained again"
    made_up(tmp_path, again, seeds=4)
    assert {seed for _, _, seed in again} == {3}


def test_a_folder_of_other_settings_is_refused(tmp_path: Path) -> None:
    made_up(tmp_path, [])
    module = load_script("benchmarks/inherit_epochs.py")
    with pytest.raises(ValueError, match="of other settings"):
        module.trained(tmp_path, [1.0, 2.0], 1, "others", lambda *_: 0.5)


@pytest.mark.parametrize("lengths", ["1", "2,1", "0,1", "a,b"])
def test_lengths_increase(lengths: str, tmp_path: Path) -> None:
    flags = ["--run", "x", "--lengths", lengths, "--output", str(tmp_path / "out")]
    done = run_program("benchmarks/inherit.py", *flags)
    assert done.exit_code == 2 and "two or more increasing numbers" in done.err


@pytest.mark.slow
def test_lengths_are_trained_from_both_starts(toy_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "epochs"
    flags = ["--run", str(toy_run), "--seeds", "2", "--lengths", "0.1,0.2"]
    done = run_program("benchmarks/inherit.py", *flags, "--output", str(folder))
    assert done.exit_code == 0, done.err
    found = json.loads((folder / "figures.json").read_text("utf-8"))
    assert len(found["rows"]) == 2 and found["goal_epochs"] == 0.2
    assert len(list(folder.glob("*-seed-*.json"))) == 8


def test_a_run_without_a_supernet_is_refused(toy_run: Path, tmp_path: Path) -> None:
    script = load_script("benchmarks/inherit.py")
    run = shutil.copytree(toy_run, tmp_path / "run")
    (run / "checkpoints" / "search.npz").unlink()
    with pytest.raises(InputError, match="the supernet's weights"):
        script.measure(run, 1, 0.1)
