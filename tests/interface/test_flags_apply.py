"""Every flag of nas.py and main.py is used or refused, whatever it stands beside."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nas.architecture import text as arch_text
from nas.cli import flags as strict_flags
from nas.cli.program import retrain_flags, search_flags
from nas.cli.retrain import asked_retraining, retrain
from nas.cli.search import asked_search
from nas.cost.units import MILLISECONDS
from nas.data import Dataset, Split
from nas.data.look import Looks
from nas.errors import InputError
from nas.interface import asked as asked_module
from nas.interface import retraining, rules, stage_workers, training_config
from nas.interface.asked import FREE, GOAL_OPTIONS, RECORDED, check_resumed, search_config
from nas.interface.executor_options import OF_WORKERS
from nas.interface.recipe_options import KNOBS
from nas.interface.stage_workers import asked_workers
from nas.interface.trials import is_trials
from nas.interface.trials_config import SHARED, AskedTrials, trials_config
from nas.interface.trials_resumed import RECORDED as TRIALS_RECORDED
from nas.interface.trials_resumed import check_as_recorded
from nas.metrics import AskedMetrics
from nas.recipes.scales import Scale
from nas.runs.config import RunConfig, TrainingConfig
from nas.runs.data import DataRecord
from nas.runs.folder import RunFolder
from nas.runs.outcome import Outcome
from nas.runs.records import ComparedNetwork, Comparison
from nas.runs.trials import TrialsConfig
from nas.selection.goals import Goal, ResolvedTarget
from nas.training.rate_curve import RatePlan
from tests.support.run_config import run_config
from tests.support.teachers import ToyTeacher

# A value for each flag that is not its default.
HOSTS = ["--data_parallel", "--coordinator", "127.0.0.1:6400", "--processes", "2"]
SEARCH_VALUES: dict[str, list[str]] = {
    "lambda": ["--lambda", "0.3"],
    "target_ms": ["--target_ms", "2"],
    "target_bops": ["--target_bops", "2e6"],
    "target_weight_bits": ["--target_weight_bits", "25%"],
    "quantity": ["--quantity", "bops"],
    "data_dir": ["--data_dir", "/other/images"],
    "sample": ["--sample", "trigger"],
    "image_size": ["--image_size", "96"],
    "skip_bad_images": ["--skip_bad_images"],
    "resize": ["--resize", "crop"],
    "verify_data": ["--verify_data"],
    "seed": ["--seed", "3"],
    "batch_size": ["--batch_size", "48"],
    "learning_rate": ["--learning_rate", "0.1"],
    "mixed_precision": ["--mixed_precision", "bfloat16"],
    "data_parallel": ["--data_parallel"],
    "coordinator": HOSTS,
    "processes": HOSTS,
    "smoke": ["--smoke"],
    "max_params": ["--max_params", "1000"],
    "max_macs": ["--max_macs", "1000"],
    "max_size_bytes": ["--max_size_bytes", "1000"],
    "max_memory_bytes": ["--max_memory_bytes", "1000"],
    "max_weight_bits": ["--max_weight_bits", "1000"],
    "max_bops": ["--max_bops", "1000"],
    "method": ["--method", "random"],
    "gate": ["--gate", "threshold"],
    "supernet": ["--supernet", "/runs/y"],
    "proposals": ["--proposals", "7"],
    "race": ["--race", "5"],
    "race_epochs": ["--race_epochs", "0.25"],
    "execution": ["--execution", "masked"],
    "space": ["--space", "tiny"],
    "bits": ["--bits", "8,4"],
    "end_bits": ["--bits", "8,4", "--end_bits", "32"],
    "blocks": ["--blocks", "/other/blocks.py"],
    "table": ["--table", "/other.json"],
    "device": ["--device", "board"],
    "latency_device": ["--executor", "ray", "--latency_device", "board"],
    "search_epochs": ["--search_epochs", "0.5"],
    "gate_learning_rate": ["--gate_learning_rate", "0.2"],
    "random_networks": ["--random_networks", "9"],
    # Of searches by trials.
    "max_trials": ["--max_trials", "32"],
    "max_epochs": ["--max_epochs", "7"],
    "reduction": ["--reduction", "3"],
    "rungs": ["--rungs", "2"],
    "objectives": ["--objectives", "top5"],
    "budgets": ["--budgets", "params<=1e5"],
    "sampler": ["--sampler", "evolution"],
    "first_trial": ["--first_trial", "original"],
    "workers": ["--workers", "7"],
    "executor": ["--executor", "ray"],
    "ray_address": ["--executor", "ray", "--ray_address", "10.0.0.1:6379"],
    "worker_cpus": ["--executor", "ray", "--worker_cpus", "2"],
    "worker_gpus": ["--executor", "ray", "--worker_gpus", "0.5"],
    "worker_memory_bytes": ["--executor", "ray", "--worker_memory_bytes", "1000000"],
    "storage": ["--storage", "journal"],
    "rung_weights": ["--rung_weights", "last"],
    "signal_class": ["--objectives", "auc", "--signal_class", "3"],
    "background_rate_hz": ["--objectives", "tpr_at_rate=1kHz", "--background_rate_hz", "1e5"],
    "seeds": ["--seeds", "3"],
    "metrics": ["--metrics", "top5>=0.9"],
    "tune": ["--tune", "learning_rate=log[1e-3,1]"],
    "network": ["--network", "in_s32 gap fc_c12", "--tune", "batch_size={16,32}"],
}
# They say where a run is, or print and stop.
ELSEWHERE = {"run_dir", "resume", "profile", "help", "h", "process_id"}
# The same images with and without: both switches have a value that is not the default.
FLIPS = {"sample": ["--flip"], "files": ["--noflip"]}
TARGET = ["--target_ms", "1"]
SITUATIONS: dict[str, list[str]] = {
    "gradient": ["--lambda", "0.1"],
    "gradient with a target": TARGET,
    "gradient with a count": ["--target_bops", "1e6"],
    "evolution": [*TARGET, "--method", "evolution"],
    "random": [*TARGET, "--method", "random"],
    "random with a race": [*TARGET, "--method", "random", "--race", "3"],
    "a borrowed supernet": [*TARGET, "--method", "evolution", "--supernet", "/runs/x"],
    "another device": [*TARGET, "--table", "/t.json", "--device", "pi"],
    "images of one's own": ["--lambda", "0.1", "--data_dir", "/images"],
}
# The one table of what is refused beside what; everything else is used.
LEARNING = {"search_epochs", "batch_size", "learning_rate", "execution"}
OF_GATES = {"gate", "proposals", "gate_learning_rate"}
OF_FILES = {"skip_bad_images", "resize", "verify_data"}
COUNTS = {"target_bops", "target_weight_bits"}
ALWAYS = {"supernet", "device", "race_epochs", *OF_FILES}
TRIALS = set(rules.OF_TRIALS)
OTHER_METHOD = {"lambda", "quantity", *COUNTS, *OF_GATES}
REFUSED: dict[str, set[str]] = {
    "gradient": {*ALWAYS, "target_ms", *COUNTS, "method"},
    "gradient with a target": {*ALWAYS, "lambda", "quantity", *COUNTS},
    "gradient with a count": {*ALWAYS, "lambda", "quantity", "target_ms", "target_weight_bits"},
    "evolution": {"device", "race_epochs", *OF_FILES, *OTHER_METHOD},
    "random": {*ALWAYS, *OTHER_METHOD, *LEARNING, *OF_WORKERS, *rules.COMPUTING},
    "random with a race": {"supernet", "device", *OF_FILES, *OTHER_METHOD, *LEARNING},
    "a borrowed supernet": {
        "device",
        "race_epochs",
        *OF_FILES,
        "flip",
        *OTHER_METHOD,
        *LEARNING,
        *OF_WORKERS,
    },
    "another device": {
        "supernet",
        "race_epochs",
        *OF_FILES,
        *("random_networks", "latency_device"),
        "lambda",
        "quantity",
        *COUNTS,
    },
    "images of one's own": {
        *("sample", "supernet", "device", "race_epochs", "target_ms", *COUNTS, "method"),
    },
}


@pytest.fixture(autouse=True)
def jax_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one backend that --data_parallel is possible with; nothing here starts it."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")


def names_of(words: list[str]) -> set[str]:
    return {word.removeprefix("--").removeprefix("no") for word in words if word.startswith("--")}


def asked_config(words: list[str]) -> RunConfig:
    """What the words ask for, as the run's record would say it."""
    values = search_flags()
    strict_flags.parse(values, ["nas.py", *words])
    asked = asked_search(values)
    asked.check()
    space = asked.options.get("space", "sample")
    config = search_config(asked, space, asked.source.kind == "sample")
    # The moment is no answer to a flag; who trains stands in no record.
    command = repr(asked_workers(asked.options))
    return replace(config, date="", command=command)


def search_flag_names() -> list[str]:
    return sorted(set(search_flags()) - ELSEWHERE)


def test_every_search_flag_has_a_value_here() -> None:
    assert set(search_flag_names()) == {*SEARCH_VALUES, "flip"}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_each_search_flag_is_used_or_refused(situation: str) -> None:
    base = SITUATIONS[situation]
    before = asked_config(base)
    refused = set()
    for name in search_flag_names():
        if name in names_of(base):
            continue
        words = SEARCH_VALUES.get(name) or FLIPS[before.data.kind]
        if name == "execution" and before.search.execution == "masked":
            words = ["--execution", "sampled"]  # JAX's default is the other one
        try:
            after = asked_config([*base, *words])
        except InputError:
            refused.add(name)
        else:
            assert after != before, f"--{name} changes nothing beside {base}"
    assert refused == REFUSED[situation] | TRIALS


OF_TRIALS: dict[str, list[str]] = {
    "asha": ["--method", "asha", "--max_trials", "16"],
    "hyperband": ["--method", "hyperband", "--max_trials", "16"],
    "random": ["--method", "random", "--max_trials", "16"],
    "images of one's own": ["--method", "asha", "--max_trials", "16", "--data_dir", "/images"],
}
OF_OTHER_SEARCHES = {
    *("lambda", "quantity", "target_ms", *COUNTS, "gate", "supernet", "proposals", "race"),
    *("race_epochs", "execution"),
    *("search_epochs", "batch_size", "learning_rate", "gate_learning_rate", "random_networks"),
    *("data_parallel", "coordinator", "processes"),
}


@pytest.mark.parametrize("situation", OF_TRIALS)
def test_each_search_flag_is_used_or_refused_by_trials(situation: str) -> None:
    base = OF_TRIALS[situation]
    before = trials_asked(base)
    refused = set()
    for name in search_flag_names():
        if name in names_of(base) - {"max_trials"}:
            continue
        words = SEARCH_VALUES.get(name) or FLIPS[before.data.kind]
        kept = base if name != "max_trials" else base[:2]
        try:
            after = trials_asked([*kept, *words])
        except InputError:
            refused.add(name)
        else:
            assert after != before, f"--{name} changes nothing beside {base}"
    needs_files = {"sample"} if before.data.kind == "files" else OF_FILES
    rungs = {"reduction", "rungs"} if situation == "random" else set()
    # Milliseconds are no objective here.
    assert refused == OF_OTHER_SEARCHES | needs_files | rungs | {"device", "latency_device"}


def trials_asked(words: list[str]) -> TrialsConfig:
    """What the words ask for, as the run's record would say it."""
    values = search_flags()
    strict_flags.parse(values, ["nas.py", *words])
    options = strict_flags.given(values)
    assert is_trials(options)
    asked = AskedTrials(asked_module.source_of(options.get("data_dir"), options), options)
    asked.check()
    sizes = Scale.fitting(asked.source.kind == "sample", bool(options.get("smoke")))
    given = options.get("network")
    network = arch_text.parse(given) if given else None
    config = trials_config(asked, sizes, network)
    return replace(config, date="", command="")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--reduction", "1"], "2"),
        (["--rungs", "5", "--max_epochs", "4"], "as many rungs as epochs"),
        (["--rungs", "3", "--reduction", "8"], "at least 64 trials"),
        (["--objectives", "top1,ms,top1"], "each named once"),
        (["--objectives", "validation_error"], "write 'top1'"),
        (["--objectives", "top1:min"], "leave the direction out"),
        (["--objectives", "ms:max"], "leave the direction out"),
        (["--budgets", "ms>=1"], "holds back the worse ones"),
        (["--budgets", "params<=1e5", "--max_params", "100000"], "one budget of each quantity"),
        (["--sampler", "tps"], "tpe"),
        (["--max_epochs", "nan"], "max_epochs"),
        (["--workers", "0"], "workers"),
        (["--signal_class", "3"], "--signal_class with a metric"),
        (["--objectives", "tpr_at_rate=1kHz"], "background_rate_hz"),
        (["--tune", "learning_rate=[1,2"], "knobs with ranges"),
        (["--tune", "lerning_rate=[1,2]"], "write 'learning_rate'"),
        (["--tune", "learning_rate=[-1,2]"], "learning_rate to be a number above 0"),
        (["--tune", "flip=[0,1]"], "a list for flip"),
        (["--tune", "flip={true,true}"], "two different values"),
        (["--tune", "momentum=[0.5,0.9]"], "momentum with an optimizer that has one"),
        (["--tune", "epochs=[1,2]"], "set --max_epochs"),
        (["--tune", "optimizer.flip={true,false}"], "the knob augmentation.flip"),
        (["--network", "in_s32 gap fc_c12"], "--tune with --network"),
        (["--network", "x", "--space", "toy", "--tune", "flip={true,false}"], "leave one"),
    ],
)
def test_trials_that_cannot_be_are_refused(words: list[str], expected: str) -> None:
    with pytest.raises(InputError, match=re.escape(expected)):
        trials_asked([*OF_TRIALS["asha"], *words])


def test_trials_need_a_number_of_them() -> None:
    with pytest.raises(InputError, match="--max_trials"):
        trials_asked(["--method", "asha"])


@pytest.mark.parametrize("name", sorted(TRIALS_RECORDED))
def test_trials_go_on_with_what_they_began_with_and_nothing_else(name: str) -> None:
    start = OF_TRIALS["images of one's own" if name in OF_FILES else "asha"]
    config = trials_asked(start)
    values = search_flags()
    words = SEARCH_VALUES.get(name, ["--flip"])
    # Without what it stands beside.
    words = words[:2] if name == "network" else words[-2:]
    strict_flags.parse(values, ["nas.py", "--resume", "--run_dir", "x", *words])
    with pytest.raises(InputError, match=f"--{name} as the run began"):
        check_as_recorded(config, strict_flags.given(values))
    check_as_recorded(config, {"method": "asha", "max_trials": 16})


def test_the_record_answers_for_every_flag_of_trials() -> None:
    free = {
        *OF_WORKERS,
        "seeds",
        "metrics",
        "data_dir",
        "verify_data",
        "run_dir",
        "resume",
    }
    assert {*TRIALS_RECORDED, *free} == {*rules.OF_TRIALS, *SHARED}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--latency_device", "pi"], "--executor ray with --latency_device"),
        (["--executor", "ray", "--latency_device", "pi", "--table", "/t.json"], "one of --table"),
        (["--executor", "ray", "--latency_device", "pi", "--random_networks", "2"], "this device"),
        (["--ray_address", "10.0.0.1:6379"], "--executor ray with --ray_address"),
        (["--workers", "2", "--data_parallel"], "--data_parallel without workers"),
        (["--workers", "2", "--method", "random", "--target_bops", "1e6"], "runs a race"),
    ],
)
def test_workers_that_would_do_nothing_are_refused(words: list[str], expected: str) -> None:
    base = [] if "--target_bops" in words else ["--lambda", "0.1"]
    with pytest.raises(InputError, match=expected):
        asked_config([*base, *words])


def test_trials_on_a_device_of_the_cluster_have_its_milliseconds() -> None:
    words = ["--executor", "ray", "--latency_device", "pi", "--objectives", "top1,ms"]
    assert trials_asked([*OF_TRIALS["asha"], *words]).device == "pi"


def test_off_is_no_contradiction() -> None:
    words = ["--noskip_bad_images", "--noverify_data", "--nodata_parallel", "--nosmoke"]
    assert asked_config(["--lambda", "0.1", *words]) == asked_config(["--lambda", "0.1"])


def test_only_the_samples_search_learns_from_plain_labels() -> None:
    sample = asked_config(["--lambda", "0.1"])
    images = asked_config(["--lambda", "0.1", "--data_dir", "/images", "--space", "tiny"])
    smoothing = [c.search.weights.label_smoothing for c in (sample, images)]
    assert smoothing == [0.0, 0.1]
    assert sample.recipe.label_smoothing == 0.1  # of networks that train alone


# Runs that go on.


@pytest.mark.parametrize(
    ("name", "flag", "gone", "now"),
    [
        ("supernet", "--supernet", "/gone/run", "/other/run"),
        ("space", "--space", "/gone/space.py", "/other/space.py"),
        ("blocks", "--blocks", "/gone/blocks.py", "/other/blocks.py"),
    ],
)
def test_a_file_that_is_gone_may_lie_elsewhere(name: str, flag: str, gone: str, now: str) -> None:
    changes: dict[str, Any] = {name: (gone,) if name == "blocks" else gone}
    config = replace(run_config(), **changes)
    values = search_flags()
    strict_flags.parse(values, ["nas.py", "--resume", "--run_dir", "x", flag, now])
    asked = asked_search(values)
    moved: dict[str, Any] = {name: (now,) if name == "blocks" else now}
    assert check_resumed(config, asked) == replace(config, **moved)


def test_the_record_answers_for_every_search_flag() -> None:
    assert {*RECORDED, *FREE, *GOAL_OPTIONS, *TRIALS, "help", "h"} == set(search_flags())


@pytest.mark.parametrize("name", sorted({*RECORDED, *GOAL_OPTIONS}))
def test_a_run_goes_on_with_what_it_began_with_and_nothing_else(name: str) -> None:
    began = {
        "race_epochs": ["--race", "3", "--race_epochs", "0.5"],
        "device": ["--table", "/t.json", "--device", "pi"],
        "latency_device": ["--executor", "ray", "--latency_device", "pi"],
        "skip_bad_images": ["--data_dir", "/images", "--skip_bad_images"],
        "resize": ["--data_dir", "/images", "--resize", "pad"],
        "supernet": [*TARGET, "--method", "evolution", "--supernet", "/"],  # which is there
        "target_ms": TARGET,
        "target_bops": ["--target_bops", "1e6"],
        "target_weight_bits": ["--target_weight_bits", "75%"],
        "end_bits": ["--bits", "8,4"],
        "processes": [*HOSTS[:-1], "3"],
    }
    start = began.get(name, SITUATIONS["gradient"])
    if not {f"--{flag}" for flag in GOAL_OPTIONS} & set(start):
        start = [*start, "--lambda", "0.1"]
    config = asked_config(start)
    values = search_flags()
    other = SEARCH_VALUES.get(name, ["--flip"])
    if name == "skip_bad_images":
        other = ["--noskip_bad_images"]
    if name == "execution":
        other = ["--execution", "sampled"]
    strict_flags.parse(values, ["nas.py", "--resume", "--run_dir", "x", *other])
    with pytest.raises(InputError, match=f"--{name} as the run began") as caught:
        check_resumed(config, asked_search(values))
    assert caught.value.fix == "leave the flag out with --resume, or begin another run"
    same = search_flags()
    strict_flags.parse(same, ["nas.py", "--resume", "--run_dir", "x", *_only(start, name)])
    check_resumed(config, asked_search(same))


def _only(words: list[str], name: str) -> list[str]:
    """One flag of several with its value."""
    if f"--{name}" not in words:
        return []
    start = words.index(f"--{name}")
    return words[start : start + (1 if name == "skip_bad_images" else 2)]


# main.py.

NETWORK = "in_s32 cn_r1_k3_s2_c8 ir_r1_k3_s1_e3_c8 gap drop_p0.1 fc_c2"
RETRAIN_VALUES: dict[str, list[str]] = {
    "data_dir": ["--data_dir", "/other/images"],
    "sample": ["--sample", "trigger"],
    "image_size": ["--image_size", "96"],
    "skip_bad_images": ["--skip_bad_images"],
    "resize": ["--resize", "crop"],
    "verify_data": ["--verify_data"],
    "seed": ["--seed", "3"],
    "mixed_precision": ["--mixed_precision", "bfloat16"],
    "data_parallel": ["--data_parallel"],
    "coordinator": HOSTS,
    "processes": HOSTS,
    "smoke": ["--smoke"],
    "recipe": ["--recipe", "images"],
    # Knobs of the recipe.
    "epochs": ["--epochs", "0.25"],
    "batch_size": ["--batch_size", "48"],
    "optimizer": ["--optimizer", "sgd"],
    "schedule": ["--schedule", "linear"],
    "learning_rate": ["--learning_rate", "0.1"],
    "rate_batch_size": ["--learning_rate", "0.1", "--rate_batch_size", "8"],
    "momentum": ["--optimizer", "sgd", "--momentum", "0.5"],
    "weight_decay": ["--weight_decay", "0.5"],
    "l2": ["--l2", "0.0005"],
    "clip_norm": ["--clip_norm", "5"],
    "warmup_share": ["--warmup_share", "0.25"],
    "loss": ["--loss", "squared_hinge", "--label_smoothing", "0"],
    "label_smoothing": ["--label_smoothing", "0.3"],
    "dropout": ["--dropout", "0.25"],
    "stochastic_depth": ["--stochastic_depth", "0.1"],
    "image_sizes": ["--image_sizes", "20,26,32"],
    "average_share": ["--average_share", "none"],
    "last_share": ["--last_share", "0.25"],
    "base_share": ["--schedule", "triangular", "--base_share", "0.25"],
    "step_size_epochs": ["--schedule", "triangular", "--step_size_epochs", "0.5"],
    "gamma": ["--schedule", "exp_range", "--gamma", "0.5"],
    "stair_epochs": ["--schedule", "staircase", "--stair_epochs", "0.5"],
    "points": ["--schedule", "piecewise_linear", "--points", "0:0.5,2:1"],
    "crop_padding_pixels": ["--crop_padding_pixels", "3"],
    "flip": ["--flip"],
    "rotation_degrees": ["--rotation_degrees", "15"],
    "rand_augment_magnitude": ["--rand_augment_magnitude", "9"],
    "rand_augment_operations": [
        *("--rand_augment_magnitude", "9"),
        *("--rand_augment_operations", "3"),
    ],
    "trivial_augment": ["--trivial_augment"],
    "blur_sigma_pixels": ["--blur_sigma_pixels", "1"],
    "erasing_probability": ["--erasing_probability", "0.25"],
    "erasing_share": ["--erasing_probability", "0.25", "--erasing_share", "0.1:0.2"],
    "cutout_pixels": ["--cutout_pixels", "8"],
    "cutout_share": ["--cutout_share", "0.25"],
    "mixup_alpha": ["--mixup_alpha", "0.2"],
    "cutmix_alpha": ["--cutmix_alpha", "1"],
    "mixing_probability": ["--mixup_alpha", "0.2", "--mixing_probability", "0.5"],
    "teacher": ["--teacher", "TEACHER"],
    "teacher_weight": ["--teacher", "TEACHER", "--teacher_weight", "0.5"],
    "teacher_temperature": ["--teacher", "TEACHER", "--teacher_temperature", "2"],
    "teacher_input": ["--teacher", "TEACHER", "--teacher_input", "pixels"],
    "evaluate_every": ["--evaluate_every", "0.5"],
    "held_out_share": ["--evaluate_every", "0.5", "--held_out_share", "0.3"],
    "baselines": ["--nobaselines"],
    "largest": ["--nolargest"],
    "inherit": ["--inherit"],
    "seeds": ["--seeds", "2"],
    "networks": ["--networks", "12"],
    "export": ["--export", "int8"],
    "int8_blocks": ["--int8_blocks", "auto"],
    "calibration_images": ["--export", "int8", "--calibration_images", "2"],
    "goal_top1": ["--goal_top1", "0.5"],
    **{name: SEARCH_VALUES[name] for name in OF_WORKERS},
    "metrics": ["--metrics", "top1"],
    "select_by": ["--evaluate_every", "0.5", "--select_by", "auc"],
    "signal_class": ["--metrics", "auc", "--signal_class", "0"],
    "background_rate_hz": [
        *("--metrics", "tpr_at_rate=10kHz", "--signal_class", "0"),
        *("--background_rate_hz", "1e6"),
    ],
}
# Show networks in place of training one, or compare several; see test_showing and test_comparing.
SHOWING = {"summary", "csv", "curves", "predict", "int8", "compare"}
NETWORKS = {"run", "arch", "network", "compare"}
RETRAIN_ELSEWHERE = {
    *("blocks", "run_dir", "help", "h", "restart", "find_learning_rate", "process_id"),
    *NETWORKS,
    *SHOWING,
}
RETRAIN_REFUSED: dict[str, set[str]] = {
    "a run": {"image_size", "skip_bad_images", "resize", "networks"},
    # Off is what baselines of a given network are anyway.
    "a given network": {"image_size", *OF_FILES, "inherit", "networks"},
}


@dataclass
class Called:
    """What a retraining was begun with."""

    source: Any = None
    sizes: Any = None
    training: Any = None
    others: Any = None
    exports: Any = None
    workers: Any = None

    def values(self) -> tuple[Any, ...]:
        named = (self.source, self.sizes, self.training, self.others, self.exports)
        return (*named, self.workers and (self.workers.executor, self.workers.workers))


@pytest.fixture
def dataset() -> Dataset:
    split = Split(np.zeros((4, 32, 32, 3), np.uint8), np.array([0, 1, 0, 1], np.int32))
    return Dataset("toy", split, split, ("a", "b"), 32, "0" * 16, True)


@pytest.fixture
def called(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> Called:
    """Everything up to the first training, which is only looked at."""
    found = Called()

    def load_data(source: Any, sizes: Any, *rest: Any) -> Dataset:
        found.source, found.sizes = source, sizes.name
        return dataset

    def recorded_training(*arguments: Any) -> Any:
        found.training = training_config.training_config(*arguments)
        return found.training

    class Recorder:
        def __init__(self, *arguments: Any, metrics: Any, selection: Any, quantity: Any) -> None:
            assert (metrics, selection) == (found.training.metrics, found.training.selection)
            assert quantity == MILLISECONDS.quantity
            found.others = [entry.name for entry in arguments[5]]
            found.exports = arguments[-1]
            self.workers: Any = None

        def run(self) -> SimpleNamespace:
            found.workers = self.workers
            return SimpleNamespace(outcome=Outcome.NOT_ASKED)

    monkeypatch.setattr(retraining, "load_data", load_data)
    monkeypatch.setattr(retraining, "training_config", recorded_training)
    monkeypatch.setattr(retraining, "inherited_weights", lambda *arguments: {})
    monkeypatch.setattr(retraining, "looks_of", lambda *arguments: Looks.of(dataset))
    monkeypatch.setattr(retraining, "teaching_of", lambda *arguments: None)
    monkeypatch.setattr("nas.system.backend.start", lambda *arguments: None)
    monkeypatch.setattr(retraining, "check_trains", lambda *arguments: None)
    monkeypatch.setattr(stage_workers, "check_executor", lambda asked: None)
    monkeypatch.setitem(sys.modules, "nas.pipeline.retrain", SimpleNamespace(RetrainRun=Recorder))
    return found


@pytest.fixture
def run(tmp_path: Path, dataset: Dataset) -> Path:
    """A finished search of the sample's size, with two networks to compare with."""
    folder = RunFolder.create(tmp_path / "run", run_config(smoke=False), "test")
    folder.write(DataRecord.of(dataset))
    folder.write(ResolvedTarget(Goal(penalty=0.1), 0.1, 1.0, None))
    folder.write_json("architecture.json", arch_text.to_json(arch_text.loads(NETWORK)))
    roles = ("largest", "uniform")
    folder.write(Comparison(networks=tuple(ComparedNetwork(r, r, NETWORK) for r in roles)))
    folder.write_json("search.json", {})
    folder.checkpoint("search").write_bytes(b"")
    return folder.path


def retrained_with(called: Called, words: list[str]) -> tuple[Any, ...]:
    values = retrain_flags()
    strict_flags.parse(values, ["main.py", *words])
    retrain(values, "", SimpleNamespace(), lambda path: None)  # type: ignore[arg-type]
    return called.values()


def with_teacher(words: list[str], folder: Path) -> list[str]:
    """The same words with the path of a teacher, which is written into the folder."""
    path = folder / "teacher.onnx"
    if "TEACHER" in words and not path.exists():
        ToyTeacher(classes=2).write(path)
    return [str(path) if word == "TEACHER" else word for word in words]


@pytest.mark.parametrize("situation", RETRAIN_REFUSED)
def test_each_retrain_flag_is_used_or_refused(
    situation: str, run: Path, called: Called, tmp_path: Path
) -> None:
    assert set(retrain_flags()) == {*RETRAIN_VALUES, *RETRAIN_ELSEWHERE}
    number = 0

    def base() -> list[str]:
        nonlocal number
        number += 1
        if situation == "a run":
            return ["--run", str(run)]
        return ["--arch", NETWORK, "--run_dir", str(tmp_path / f"arch{number}")]

    before = retrained_with(called, base())
    refused = set()
    for name, words in RETRAIN_VALUES.items():
        words = with_teacher(words, tmp_path)
        try:
            after = retrained_with(called, [*base(), *words])
        except InputError:
            refused.add(name)
        else:
            nothing_to_do = situation != "a run" and name in ("baselines", "largest")
            assert after != before or nothing_to_do, f"--{name} changes nothing for {situation}"
    assert refused == RETRAIN_REFUSED[situation]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--arch", NETWORK, "--baselines"], "--baselines with a run"),
        (["--network", "resnet9", "--baselines"], "--baselines with a run"),
        (["--network", "resnet9", "--arch", NETWORK], "one of --run, --arch and --network"),
        (["--network", "resnet9", "--run", "RUN"], "one of --run, --arch and --network"),
        (["--network", "mobilnetv2"], "write 'mobilenetv2'"),
        (["--network", NETWORK, "--summary", "--image_size", "64"], "image_size 32"),
        (
            ["--run", "RUN", "--summary", "--image_size", "64"],
            "--network or --compare with --image_size",
        ),
        (["--arch", NETWORK, "--largest"], "--largest with a run"),
        (["--arch", NETWORK, "--restart"], "--restart with a run"),
        (
            ["--arch", NETWORK, "--export", "int9"],
            "export to be one of fp32, int8, int8_blocks, litert",
        ),
        (["--run", "RUN", "--calibration_images", "9"], "--export int8 with --calibration_images"),
        (
            ["--run", "RUN", "--export", "litert", "--calibration_images", "9"],
            "--export int8 with --calibration_images",
        ),
        (["--arch", NETWORK, "--inherit"], "--inherit with a run"),
        (["--arch", NETWORK, "--image_size", "64"], "--image_size 32, the network's"),
        (["--run", "RUN", "--nobaselines", "--largest"], "--largest with baselines"),
        (["--run", "RUN", "--image_size", "64"], "--image_size 32, the network's"),
        (["--run", "RUN", "--skip_bad_images"], "--data_dir with --skip_bad_images"),
        (["--run", "RUN", "--resize", "pad"], "--data_dir with --resize"),
        (["--run", "RUN", "--run_dir", "x"], "--run for an existing run"),
        (["--run", "RUN", "--find_learning_rate", "--epochs", "1"], "without --epochs"),
        (["--run", "RUN", "--find_learning_rate", "--gamma", "0.5"], "without --gamma"),
        (["--run", "RUN", "--find_learning_rate", "--restart"], "without --restart"),
        (["--run", "RUN", "--find_learning_rate", "--baselines"], "without --baselines"),
        (
            ["--run", "RUN", "--summary", "--epochs", "1"],
            "--summary with --run, --arch, --network or --compare alone",
        ),
        (["--run", "RUN", "--summary", "--smoke"], "--smoke as well"),
        (["--run", "RUN", "--networks", "12"], "--networks with the folder of a sweep"),
        (["--run", "RUN", "--summary", "--networks", "12"], "--networks as well"),
        (["--networks", "12"], "--networks with --run SWEEP"),
        (["--arch", NETWORK, "--networks", "12"], "--networks with --run SWEEP"),
        (["--run", "RUN", "--summary", "--curves"], "--curves as well"),
        (["--run", "RUN", "--summary", "--predict", "a.png"], "--predict as well"),
        (["--run", "RUN", "--summary", "--int8"], "--int8 as well"),
        (["--run", "RUN", "--curves", "--seed", "1"], "--curves with --run or --compare alone"),
        (["--run", "RUN", "--predict", "a.png", "--csv", "x"], "--predict with --run alone"),
        (["--arch", NETWORK, "--predict", "a.png"], "--arch as well"),
        (["--run", "RUN", "--csv", "x"], "--summary with --csv"),
        (["--run", "RUN", "--int8"], "--predict with --int8"),
        (["--run", "RUN", "--compare", "a,b"], "one of --run and --compare"),
        (["--arch", NETWORK, "--compare", "a,b"], "one of --arch and --compare"),
        (["--compare", "a,b", "--baselines"], "--baselines with one run"),
        (["--compare", "a,b", "--inherit"], "--inherit with one run"),
        (["--compare", "a,b", "--restart"], "--restart with one run"),
        (["--compare", "a,b", "--resize", "crop"], "--data_dir with --resize"),
        (["--run", "RUN", "--teacher_weight", "0.5"], "--teacher with --teacher_weight"),
        (["--run", "RUN", "--teacher_temperature", "4"], "--teacher with --teacher_temperature"),
        (["--run", "RUN", "--teacher_input", "unit"], "--teacher with --teacher_input"),
        (["--run", "RUN", "--held_out_share", "0.1"], "--evaluate_every with --held_out_share"),
        (["--run", "RUN", "--goal_top1", "94"], "a share of the images, such as 0.94"),
        (["--run", "RUN", "--metrics", "acu"], "write 'auc'"),
        (["--run", "RUN", "--metrics", "auc,auc"], "each metric once"),
        (["--run", "RUN", "--metrics", "auc<=0.9"], "since higher is better"),
        (
            ["--run", "RUN", "--select_by", "auc>=0.9", "--evaluate_every", "1"],
            "a metric without a goal for --select_by",
        ),
        (["--run", "RUN", "--metrics", "auc", "--signal_class", "x"], "one of the classes"),
        (["--run", "RUN", "--signal_class", "0"], "with a metric that looks for one class"),
        (["--run", "RUN", "--metrics", "tpr_at_rate=1Hz"], "--background_rate_hz with tpr_at_rate"),
        (["--run", "RUN", "--metrics", "tpr_at_rate=1"], "write a unit behind the number"),
        (["--run", "RUN", "--background_rate_hz", "1e6"], "with a metric at a rate"),
        (["--run", "RUN", "--metrics", "auc", "--summary"], "--metrics as well"),
        (["--run", "RUN", "--select_by", "auc"], "--evaluate_every with --select_by"),
        (
            [
                *("--run", "RUN", "--select_by", "auc", "--evaluate_every", "1"),
                *("--average_share", "none"),
            ],
            "an average of the weights with --select_by",
        ),
        (
            ["--run", "RUN", "--select_by", "auc,top1", "--evaluate_every", "1"],
            "one metric for --select_by",
        ),
        (
            ["--run", "RUN", "--select_by", "top1", "--signal_class", "0"],
            "with a metric that looks for one class",
        ),
        (
            ["--run", "RUN", "--metrics", "auc", "--find_learning_rate"],
            "--find_learning_rate without --metrics",
        ),
        (["--run", "RUN", "--teacher", "/nowhere.onnx"], "where no file lies"),
        (["--run", "RUN", "--teacher", "teacher.pt"], "FILE.onnx, FILE.keras or the folder"),
        (["--run", "RUN", "--teacher", "/"], "a run with a trained network as --teacher"),
    ],
)
def test_retrain_flags_that_would_say_nothing(
    words: list[str], text: str, run: Path, called: Called
) -> None:
    words = [str(run) if word == "RUN" else word for word in words]
    with pytest.raises(InputError) as caught:
        retrained_with(called, words)
    assert text in str(caught.value)


def test_the_networks_own_image_size_is_no_contradiction(run: Path, called: Called) -> None:
    words = ["--run", str(run)]
    assert retrained_with(called, [*words, "--image_size", "32"]) == retrained_with(called, words)


def test_images_of_a_run_are_read_as_the_run_read_them(run: Path, called: Called) -> None:
    config = json.loads((run / "config.json").read_text())
    config["data"] |= {"kind": "files", "path": "/images", "resize": "pad"}
    (run / "config.json").write_text(json.dumps(config))
    moved = ["--run", str(run), "--data_dir", "/moved"]
    (source, *_) = retrained_with(called, moved)
    assert (source.path, source.resize, source.verify_data) == ("/moved", "pad", False)
    (source, *_) = retrained_with(called, [*moved, "--resize", "crop", "--verify_data"])
    assert (source.resize, source.verify_data) == ("crop", True)
    (source, *_) = retrained_with(called, ["--run", str(run), "--verify_data"])
    assert (source.path, source.resize, source.verify_data) == ("/images", "pad", True)


def test_rates_are_tried_for_a_training_to_come_and_change_none_that_has_begun(
    run: Path, called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    retrained_with(called, ["--run", str(run)])
    (run / "retrained").mkdir()
    kept = run / "retrained" / "searched.json"
    kept.write_text("{}")
    before = (run / "recipe.json").read_text()
    tried: list[Any] = []
    finder = SimpleNamespace(find_rate=lambda *arguments: tried.append(arguments))
    monkeypatch.setitem(sys.modules, "nas.pipeline.find_rate", finder)
    retrained_with(called, ["--run", str(run), "--find_learning_rate", "--optimizer", "sgd"])
    ((folder, _, _, training, _, plan, said),) = tried
    assert (folder.path, training.recipe.optimizer) == (run, "sgd")
    assert (plan, said) == (RatePlan(), {"optimizer": "sgd", "restart": True})
    assert kept.exists() and (run / "recipe.json").read_text() == before


def test_a_training_that_was_killed_before_its_first_state_keeps_its_recipe(
    run: Path, called: Called
) -> None:
    def epochs(*words: str) -> float:
        retrained_with(called, ["--run", str(run), *words])
        return RunFolder(run).read(TrainingConfig).recipe.epochs

    usual = epochs()
    assert epochs("--epochs", "7") == 7
    assert epochs() == 7, "the recipe lies there, and no flag says another one"
    assert epochs("--epochs", "3") == 3, "nothing is lost by another recipe"
    assert epochs("--optimizer", "sgd") == usual


def test_toy_size_cannot_be_taken_back(tmp_path: Path, called: Called, run: Path) -> None:
    toy = RunFolder.create(tmp_path / "toy", run_config(), "test")
    for name in ("data.json", "architecture.json", "comparison.json", "target.json"):
        (toy.path / name).write_bytes((run / name).read_bytes())
    assert retrained_with(called, ["--run", str(toy.path)])[1] == "smoke"
    with pytest.raises(InputError, match="--smoke with a run of toy size"):
        retrained_with(called, ["--run", str(toy.path), "--nosmoke"])


def test_other_images_than_those_of_the_run_are_refused_wherever_they_are_named(
    run: Path, called: Called, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = replace(dataset, fingerprint="1" * 16)
    monkeypatch.setattr(retraining, "load_data", lambda *arguments: others)
    with pytest.raises(InputError, match="the images that the run began with") as caught:
        retrained_with(called, ["--run", str(run), "--data_dir", "/other/images"])
    assert "--arch" in caught.value.fix


def test_baselines_of_a_run_that_has_none_are_refused(run: Path, called: Called) -> None:
    (run / "comparison.json").unlink()
    with pytest.raises(InputError, match="networks to compare with"):
        retrained_with(called, ["--run", str(run), "--baselines"])
    assert retrained_with(called, ["--run", str(run)])[3] == []


@pytest.mark.parametrize(
    "words",
    [
        RETRAIN_VALUES[name]
        for name in sorted(set(RETRAIN_VALUES) & {*training_config.RECORDED, *KNOBS})
    ],
)
def test_a_training_that_has_begun_goes_on_as_it_began(
    words: list[str], run: Path, called: Called, tmp_path: Path
) -> None:
    words = with_teacher(words, tmp_path)
    began = retrained_with(called, ["--run", str(run)])
    (run / "retrained").mkdir()
    (run / "retrained" / "searched.json").write_text("{}")
    assert retrained_with(called, ["--run", str(run)]) == began
    with pytest.raises(InputError, match="as this run's training began") as caught:
        retrained_with(called, ["--run", str(run), *words])
    assert "--restart" in caught.value.fix
    assert retrained_with(called, ["--run", str(run), *words, "--restart"]) != began
    assert not (run / "retrained" / "searched.json").exists()


def test_more_seeds_go_on_with_a_training_and_fewer_are_refused(run: Path, called: Called) -> None:
    began = retrained_with(called, ["--run", str(run)])
    assert began[2].seeds == 1
    (run / "retrained").mkdir()
    kept = run / "retrained" / "searched.json"
    kept.write_text("{}")
    assert retrained_with(called, ["--run", str(run), "--seeds", "3"])[2].seeds == 3
    assert retrained_with(called, ["--run", str(run)])[2].seeds == 3, "it goes on with all of them"
    assert kept.exists()
    with pytest.raises(
        InputError, match="--seeds 3 or more, as this run's training began"
    ) as caught:
        retrained_with(called, ["--run", str(run), "--seeds", "2"])
    assert "--restart" in caught.value.fix
    assert retrained_with(called, ["--run", str(run), "--seeds", "2", "--restart"])[2].seeds == 2
    assert not kept.exists()


def test_a_goal_may_change_while_a_training_goes_on(run: Path, called: Called) -> None:
    began = retrained_with(called, ["--run", str(run), "--goal_top1", "0.9"])
    assert began[2].goal_top1 == 0.9
    (run / "retrained").mkdir()
    (run / "retrained" / "searched.json").write_text("{}")
    assert retrained_with(called, ["--run", str(run)]) == began
    assert retrained_with(called, ["--run", str(run), "--goal_top1", "1"])[2].goal_top1 == 1


def test_metrics_may_change_while_a_training_goes_on(run: Path, called: Called) -> None:
    began = retrained_with(called, ["--run", str(run), "--metrics", "auc"])
    assert began[2].metrics == AskedMetrics(("auc",))
    (run / "retrained").mkdir()
    (run / "retrained" / "searched.json").write_text("{}")
    assert retrained_with(called, ["--run", str(run)]) == began
    other = retrained_with(called, ["--run", str(run), "--metrics", "top5"])
    assert other[2].metrics == AskedMetrics(("top5",))


def test_the_metric_that_chooses_weights_stays_while_a_training_goes_on(
    run: Path, called: Called
) -> None:
    words = ["--run", str(run), "--evaluate_every", "1", "--select_by", "auc"]
    began = retrained_with(called, [*words, "--signal_class", "0"])
    assert began[2].selection == AskedMetrics(("auc",), "0")
    assert began[2].metrics == AskedMetrics()
    (run / "retrained").mkdir()
    (run / "retrained" / "searched.json").write_text("{}")
    assert retrained_with(called, ["--run", str(run)]) == began
    judged = retrained_with(called, ["--run", str(run), "--metrics", "auc", "--signal_class", "1"])
    assert judged[2].selection == AskedMetrics(("auc",), "0"), "what judges is another matter"
    for other in (["--select_by", "top5"], ["--select_by", "auc", "--signal_class", "1"]):
        with pytest.raises(InputError, match="as this run's training began"):
            retrained_with(called, ["--run", str(run), *other])


def test_a_teacher_may_have_moved_and_may_not_have_changed(
    run: Path, called: Called, tmp_path: Path
) -> None:
    path, moved = tmp_path / "teacher.onnx", tmp_path / "moved.onnx"
    words = ["--run", str(run), *with_teacher(["--teacher", "TEACHER"], tmp_path)]
    began = retrained_with(called, words)
    settings = began[2].recipe.distillation
    assert settings.teacher == str(path)
    assert settings.teacher_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    (run / "retrained").mkdir()
    (run / "retrained" / "searched.json").write_text("{}")
    assert retrained_with(called, words) == began
    path.rename(moved)
    now = retrained_with(called, ["--run", str(run), "--teacher", str(moved)])
    assert now == began, "where it lies is no part of a recipe"
    assert now[2].recipe.distillation.teacher == str(moved)
    ToyTeacher(classes=2, seed=1).write(path)
    with pytest.raises(InputError, match="the teacher that the training began with") as caught:
        retrained_with(called, words)
    assert "--restart" in caught.value.fix
    with pytest.raises(InputError, match="as this run's training began"):
        retrained_with(called, ["--run", str(run), "--teacher", "none"])
    assert retrained_with(called, [*words, "--restart"])[2] != began[2]


def test_a_dropout_that_no_layer_has_is_refused_when_it_is_said(run: Path, called: Called) -> None:
    """Earlier versions began with it, and their runs go on."""
    words = ["--run", str(run), "--nobaselines"]
    began = retrained_with(called, [*words, "--dropout", "0.2"])
    (run / "checkpoints" / "retrain_searched.npz").write_bytes(b"")
    network = arch_text.loads(NETWORK.replace("drop_p0.1 ", ""))
    RunFolder(run).write_json("architecture.json", arch_text.to_json(network))
    assert retrained_with(called, words) == began
    for more in ([], ["--restart"]):
        with pytest.raises(InputError, match="a layer of dropout") as caught:
            retrained_with(called, [*words, "--dropout", "0.2", *more])
        assert "leave dropout out" in caught.value.fix


SCHEDULE = "def half(step, course):\n    return 0.5\n"


def test_the_file_of_a_schedule_may_have_moved_and_may_not_have_changed(
    run: Path, called: Called, tmp_path: Path
) -> None:
    path, moved = tmp_path / "mine.py", tmp_path / "moved.py"
    path.write_text(SCHEDULE)
    words = ["--run", str(run), "--nobaselines"]
    began = retrained_with(called, [*words, "--schedule", f"{path}:half"])
    checkpoint = run / "checkpoints" / "retrain_searched.npz"
    checkpoint.write_bytes(b"")
    path.rename(moved)
    with pytest.raises(InputError, match="a Python file for --schedule") as caught:
        retrained_with(called, words)
    assert caught.value.fix == "correct --schedule"
    now = retrained_with(called, [*words, "--schedule", f"{moved}:half"])[2]
    assert now.recipe.schedule == f"{moved}:half"
    recipe = replace(now.recipe, schedule=f"{path}:half")
    assert replace(now, recipe=recipe) == began[2], "where it lies is all that is new"
    assert retrained_with(called, words)[2] == now, "it is kept"
    path.write_text(SCHEDULE.replace("0.5", "0.25"))
    with pytest.raises(InputError, match="as this run's training began") as caught:
        retrained_with(called, [*words, "--schedule", f"{path}:half"])
    assert f"{path}:half, a file with another content" in caught.value.received
    assert f"the file of the schedule {moved}:half" in caught.value.expected
    moved.write_text(path.read_text())
    with pytest.raises(InputError, match="as this run's training began") as caught:
        retrained_with(called, words)
    assert "--restart" in caught.value.fix
    # Where all is trained, nobody needs the file any more.
    (run / "retrained").mkdir()
    (run / "retrained" / "searched.json").write_text("{}")
    moved.unlink()
    assert retrained_with(called, words)[2] == now


@pytest.mark.parametrize("seeds", ["0", "-1", "1.5", "many"])
def test_a_number_of_seeds_is_a_count(seeds: str, run: Path, called: Called) -> None:
    with pytest.raises(InputError, match="seeds"):
        retrained_with(called, ["--run", str(run), "--seeds", seeds])


def test_inheriting_needs_the_weights_of_a_supernet(
    run: Path, called: Called, tmp_path: Path
) -> None:
    (run / "checkpoints" / "search.npz").unlink()
    with pytest.raises(InputError, match="the supernet's weights"):
        retrained_with(called, ["--run", str(run), "--inherit"])
    given = tmp_path / "arch"
    retrained_with(called, ["--arch", NETWORK, "--run_dir", str(given)])
    with pytest.raises(InputError, match="a search that trained a supernet"):
        retrained_with(called, ["--run", str(given), "--inherit"])


def test_asking_reads_nothing() -> None:
    values = retrain_flags()
    strict_flags.parse(values, ["main.py", "--run", "/nowhere", "--data_dir", "/nowhere"])
    asked = asked_retraining(values)
    assert asked.run == Path("/nowhere")
    assert asked_module.source_of(None, {}).kind == "sample"
