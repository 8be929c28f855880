"""Every kind of run in every precision, undisturbed and stopped: the same weights at the end."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latency.shell import Interrupted
from nas.training import checkpoint
from tests.support.programs import run_program
from tests.support.toy import TOY

# Whether a target is met cannot be told at toy size.
DONE = (0, 4)
TARGET = ("--target_ms", "66.7%")
RACE = ("--race", "3", "--race_epochs", "0.5")
SEARCHES = {
    "a search": ("--lambda", "0.1"),
    "a sweep": ("--lambda", "0.5,0.1"),
    "a race": ("--lambda", "0.1", *RACE),
    "an evolution": (*TARGET, "--method", "evolution"),
    "a race of chance": (*TARGET, "--method", "random", *RACE),
}
PRECISIONS = ("none", "float16", "bfloat16")
RETRAININGS = {
    "alone": ("--nobaselines",),
    "beside baselines": ("--baselines", "--nolargest"),
    "from the supernet": ("--nobaselines", "--inherit"),
}
# What decides a checkpoint is tested by itself, in tests/supernet and tests/training.
slow = pytest.mark.slow


def counted(stop_at: int | None, work: Callable[[], Any]) -> tuple[Any, int]:
    """Does something, stopped by a signal after a number of checkpoints; how many it wrote."""
    saved = 0
    save = checkpoint.save

    def watched(*arguments: Any) -> None:
        nonlocal saved
        save(*arguments)
        saved += 1
        if saved == stop_at:
            raise Interrupted(signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "save", watched)
        return work(), saved


def stopped_twice(begin: Callable[[], Any], go_on: Callable[[], Any], checkpoints: int) -> None:
    """Begins, is stopped in the middle, goes on, is stopped again, and ends."""
    middle = max(1, checkpoints // 2)
    done, _ = counted(middle, begin)
    assert done.exit_code == 143, done.err
    done, _ = counted(max(1, middle // 2), go_on)
    assert done.exit_code in (143, *DONE), done.err
    done = go_on()
    assert done.exit_code in DONE, done.err


def weights(run: Path) -> dict[str, np.ndarray]:
    """All arrays of all checkpoints, under their files' names."""
    found = {}
    for path in sorted(run.rglob("*.npz")):
        with np.load(path) as archive:
            for name in archive.files:
                if name != "meta_json":
                    found[f"{path.relative_to(run)}/{name}"] = archive[name]
    return found


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def assert_same_weights(one: Path, other: Path) -> None:
    own, others = weights(one), weights(other)
    assert own.keys() == others.keys()
    assert [name for name in own if not np.array_equal(own[name], others[name])] == []


def searcher(run: Path, table: Path, kind: str, precision: str) -> Callable[[], Any]:
    flags = (*SEARCHES[kind], "--mixed_precision", precision, "--random_networks", "0")
    files = ("--table", str(table), "--run_dir", str(run))
    return lambda: run_program("nas.py", *flags, *TOY, *files)


@slow
def test_a_sweep_in_half_precision_goes_on_to_all_of_its_goals(
    toy_table: Path, tmp_path: Path
) -> None:
    run = tmp_path / "sweep"
    done, _ = counted(3, searcher(run, toy_table, "a sweep", "float16"))
    assert done.exit_code == 143, done.err
    done = run_program("nas.py", "--resume", "--run_dir", str(run))
    assert done.exit_code in DONE, done.err
    assert len(read(run / "pareto.json")["networks"]) == 2


@slow
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", SEARCHES)
def test_a_search_that_is_stopped_ends_like_one_that_is_not(
    kind: str, precision: str, toy_table: Path, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    done, checkpoints = counted(None, searcher(whole, toy_table, kind, precision))
    assert done.exit_code in DONE, done.err
    assert read(whole / "config.json")["compute"]["mixed_precision"] == precision
    stopped_twice(
        searcher(parts, toy_table, kind, precision),
        lambda: run_program("nas.py", "--resume", "--run_dir", str(parts)),
        # Who races by chance depends on what is measured; two of them write more than this.
        4 if kind == "a race of chance" else checkpoints,
    )
    assert_same_weights(whole, parts)
    for path in whole.rglob("search.json"):
        assert path.read_bytes() == (parts / path.relative_to(whole)).read_bytes()


@slow
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", RETRAININGS)
def test_a_retraining_that_is_stopped_ends_like_one_that_is_not(
    kind: str, precision: str, toy_run: Path, tmp_path: Path
) -> None:
    flags = (*RETRAININGS[kind], "--mixed_precision", precision)
    whole, parts = (shutil.copytree(toy_run, tmp_path / name) for name in ("whole", "parts"))

    def retrained(run: Path) -> Any:
        return run_program("main.py", "--run", str(run), *flags)

    done, checkpoints = counted(None, lambda: retrained(whole))
    assert done.exit_code in DONE, done.err
    stopped_twice(lambda: retrained(parts), lambda: retrained(parts), checkpoints)
    for path in (whole / "retrained").glob("*.json"):
        one, other = read(path), read(parts / "retrained" / path.name)
        for record in (one, other):
            record.pop("seconds")
        assert one == other
    assert (whole / "model.onnx").read_bytes() == (parts / "model.onnx").read_bytes()


@slow
@pytest.mark.parametrize("lends", PRECISIONS)
@pytest.mark.parametrize("borrows", PRECISIONS)
def test_a_supernet_is_lent_between_precisions(
    lends: str, borrows: str, toy_table: Path, tmp_path: Path
) -> None:
    lender, run = tmp_path / "lender", tmp_path / "run"
    assert searcher(lender, toy_table, "a search", lends)().exit_code in DONE
    flags = (*TARGET, "--method", "evolution", "--supernet", str(lender))
    files = ("--table", str(toy_table), "--run_dir", str(run), "--random_networks", "0")
    done = run_program("nas.py", *flags, *TOY, *files, "--mixed_precision", borrows)
    assert done.exit_code in DONE, done.err
    assert (run / "supernet.json").is_file()
