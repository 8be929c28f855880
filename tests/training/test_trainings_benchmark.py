"""benchmarks/trainings.py: what is planned, who does it, and the table of what came out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import trainings
from benchmarks.trainings import DONE, FAILED, JOB, PARTS, POLICIES, Job
from nas.errors import InputError
from nas.recipes import RECIPES

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

    def train(job: Job, model: Path) -> dict[str, Any]:
        assert model.parent == tmp_path and model.suffix == ".keras"
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
    def train(job: Job, _model: Path) -> dict[str, Any]:
        if job.seed == 0:
            raise InputError("a finite loss", "NaN", "a lower rate")
        return {**vars(job), "top1": 0.5, "seconds": 1.0}

    monkeypatch.setattr(trainings, "train", train)
    trainings.write_jobs(tmp_path, list(trainings.planned("resnet9", {"a": "resnet9"}, MORE)), 7)
    trainings.work(tmp_path, waits=False)
    assert "a finite loss" in (tmp_path / f"007-a-seed0{FAILED}").read_text()
    assert [path.name for path in tmp_path.glob(f"*{DONE}")] == [f"008-a-seed1{DONE}"]


def test_held_out_images_are_the_same_for_every_training_and_none_is_learned_from() -> None:
    assert trainings._division(10, 0.0) is None
    learned, held_out = trainings._division(10, 0.3) or ((), ())
    assert len(held_out) == 3 and sorted([*learned, *held_out]) == list(range(10))
    assert list((trainings._division(10, 0.3) or ((), ()))[1]) == list(held_out)
