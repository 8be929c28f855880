"""benchmarks/trainings.py: what is planned, who does it, and the table of what came out."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from benchmarks import trainings
from benchmarks.trainings import DONE, FAILED, JOB, PARTS, POLICIES, TAKEN, Job
from latency.shell import Interrupted
from nas.data import Dataset, Split
from nas.errors import InputError
from nas.recipes import RECIPES
from nas.training.loop import LoopState

MORE = {
    "data": "images",
    "seeds": 2,
    "changes": {},
    "mixed_precision": "none",
    "held_out_share": 0.0,
}


def test_policies_are_planned_seed_by_seed() -> None:
    jobs = list(trainings.planned("policies", {}, MORE))
    assert [job.seed for job in jobs] == [0] * 6 + [1] * 6
    assert [job.label for job in jobs[:6]] == list(POLICIES)
    assert {job.network for job in jobs} == {"resnet9_x0.25"}


def test_an_ablation_has_two_seeds_of_the_whole_recipe_and_one_of_each_part() -> None:
    jobs = list(trainings.planned("ablation", {"net": "gap fc_c2"}, MORE))
    assert [job.label for job in jobs] == [*PARTS, "whole"]
    # Each part is a change that the recipe knows, and none is the recipe itself.
    whole = RECIPES["tiny_imagenet"].changed(epochs=4.0)
    for job in jobs[1:-1]:
        changes = {n: tuple(v) if isinstance(v, list) else v for n, v in job.changes.items()}
        assert RECIPES[job.recipe].changed(**changes) != whole


def test_each_training_is_done_once_and_those_that_are_done_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def train(job: Job, files: Path) -> dict[str, Any]:
        assert files.parent == tmp_path and files.name.endswith(f"-seed{job.seed}")
        done.append(f"{job.label} {job.seed}")
        row = {"top1": 0.5 + job.seed / 10, "top5": 0.9, "seconds": 1.0, "images_per_s": 1000.0}
        return {**vars(job), **row}

    monkeypatch.setattr(trainings, "train", train)
    networks = {"a/b": "resnet9", "c": "mobilenetv2"}
    trainings.write_jobs(tmp_path, list(trainings.planned("resnet9", networks, MORE)))
    assert len(list(tmp_path.glob(f"*{JOB}"))) == 4
    trainings.work(tmp_path, waits=False)
    trainings.work(tmp_path, waits=False)
    assert done == ["a/b 0", "c 0", "a/b 1", "c 1"]
    rows = [json.loads(path.read_text()) for path in sorted(tmp_path.glob(f"*{DONE}"))]
    assert [row["seed"] for row in rows] == [0, 0, 1, 1]
    lines = trainings.table(tmp_path, 0.55).splitlines()
    assert lines[2] == "| a/b | 2 | 55.00% | 7.07% | 50.00%, 60.00% | 90.00% | 1,000 | 1 of 2 |"


def test_a_training_that_loses_its_loss_leaves_the_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(job: Job, _files: Path) -> dict[str, Any]:
        if job.seed == 0:
            raise InputError("a finite loss", "NaN", "a lower rate")
        return {**vars(job), "top1": 0.5, "seconds": 1.0}

    monkeypatch.setattr(trainings, "train", train)
    trainings.write_jobs(tmp_path, list(trainings.planned("resnet9", {"a": "resnet9"}, MORE)), 7)
    trainings.work(tmp_path, waits=False)
    assert "a finite loss" in (tmp_path / f"007-a-seed0{FAILED}").read_text()
    assert [path.name for path in tmp_path.glob(f"*{DONE}")] == [f"008-a-seed1{DONE}"]


def test_a_training_that_is_stopped_goes_on_from_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (48, 8, 8, 3), np.uint8), np.arange(48, dtype=np.int32) % 3)
    images = Dataset("images", split, split, ("a", "b", "c"), 8, "0" * 16, False)
    monkeypatch.setattr(trainings, "_images", lambda _: images)
    monkeypatch.setattr(trainings, "LOG_STEPS", 2)
    more = {
        **MORE,
        "seeds": 1,
        "changes": {"epochs": 3.0, "batch_size": 16, "crop_padding_pixels": 1},
    }
    network = {"net": "in_s8 cn_r1_k3_s2_c8 gap fc_c3"}
    found = []
    for folder, stops in ((tmp_path / "calm", ()), (tmp_path / "stopped", (2, 6))):
        steps: list[int] = []

        def told(state: LoopState, _total: int, stops: Any = stops, steps: Any = steps) -> None:
            steps.append(state.step)
            if state.step in stops:
                os.kill(os.getpid(), signal.SIGTERM)

        monkeypatch.setattr(trainings, "_told", told)
        trainings.write_jobs(folder, list(trainings.planned("tiny_imagenet", network, more)))
        for _ in stops:
            with pytest.raises(Interrupted):
                trainings.work(folder, waits=False)
            assert not list(folder.glob(f"*{TAKEN}")) and len(list(folder.glob("*.npz"))) == 1
        trainings.work(folder, waits=False)
        assert steps == [2, 4, 6, 8, 9]  # no step was made twice
        assert not list(folder.glob("*.npz"))
        (result,) = folder.glob(f"*{DONE}")
        (model,) = folder.glob("*.keras")
        row = json.loads(result.read_text())
        weights = keras.saving.load_model(model, compile=False).get_weights()
        found.append(({name: row[name] for name in ("top1", "train_top1", "last_top1")}, weights))
    (calm, calm_weights), (stopped, weights) = found
    assert calm == stopped
    for one, other in zip(calm_weights, weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_held_out_images_are_the_same_for_every_training_and_none_is_learned_from() -> None:
    assert trainings._division(10, 0.0) is None
    learned, held_out = trainings._division(10, 0.3) or ((), ())
    assert len(held_out) == 3 and sorted([*learned, *held_out]) == list(range(10))
    assert list((trainings._division(10, 0.3) or ((), ()))[1]) == list(held_out)
