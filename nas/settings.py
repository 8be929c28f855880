"""Flags and data -> the settings of a run, by the size of the job."""

from __future__ import annotations

import math
import os
from typing import Any

from latency.measure import MeasurePlan
from nas.comparison import EQUAL_MARGIN
from nas.measuring import (
    CERTIFICATE_PLAN,
    CERTIFICATE_PRECISION,
    CERTIFICATE_PROCESSES,
    CHOICE_PLAN,
    SMOKE_PLAN,
)

# Search epochs, retraining epochs, batch size, random networks, networks that the gates propose to
# the supernet, whether baselines are trained.
# The sample's are sized for two cores: about 5 minutes of search and 6 of retraining. Small batches
# give the steps that a network needs to end where its size, not its start, lets it end.
SAMPLE = {
    "search_epochs": 10.0,
    "epochs": 5.0,
    "batch_size": 32,
    "random": 2,
    "proposals": 32,
    "baselines": True,
}
IMAGES = {
    "search_epochs": 8.0,
    "epochs": 30.0,
    "batch_size": 64,
    "random": 3,
    "proposals": 32,
    "baselines": False,
}
SMOKE = {
    "search_epochs": 1.0,
    "epochs": 0.5,
    "batch_size": 16,
    "random": 1,
    "proposals": 3,
    "baselines": True,
}

CALIBRATION_NETWORKS = 10
HELD_OUT_NETWORKS = 20


def defaults(is_sample: bool, smoke: bool) -> dict[str, Any]:
    """Lengths that fit the job."""
    if smoke:
        return SMOKE
    return SAMPLE if is_sample else IMAGES


def table_plan(seed: int, smoke: bool) -> MeasurePlan:
    """Rounds for a latency table."""
    if smoke:
        return MeasurePlan(min_rounds=3, max_rounds=3, runs_per_visit=1, seed=seed)
    # Most rows stop at 12 rounds; the noisiest networks need up to these to reach 1 %.
    return MeasurePlan(max_rounds=90, seed=seed)


def choice_plan(smoke: bool) -> MeasurePlan:
    """Rounds for candidates while a network is chosen."""
    return SMOKE_PLAN if smoke else CHOICE_PLAN


def equal_margin(smoke: bool) -> float:
    """Share by which networks of equal milliseconds may differ."""
    # Three rounds on a busy machine differ by more than any honest margin.
    return math.inf if smoke else EQUAL_MARGIN


def certificate_plan(smoke: bool) -> MeasurePlan:
    """Rounds for the measurement that is certified."""
    return SMOKE_PLAN if smoke else CERTIFICATE_PLAN


def certificate_processes(smoke: bool) -> dict[str, Any]:
    """New processes that a certificate is measured in, as `measure_networks` takes them."""
    if smoke:
        return {"processes": 1}
    return {"processes": CERTIFICATE_PROCESSES, "precision": CERTIFICATE_PRECISION}


def pace(smoke: bool) -> dict[str, Any]:
    """Rows of the history and checkpoints; at toy size every step, so that kills are tested."""
    return {"log_every": 1, "checkpoint_seconds": 0.0} if smoke else {}


def augmentation(is_sample: bool) -> dict[str, Any]:
    """Crop padding in pixels and mirror images; the sample's letters are never mirrored."""
    return {"crop_padding": 2 if is_sample else 4, "flip": not is_sample}


def execution() -> str:
    """How weight steps run the supernet: what is fastest on the chosen backend."""
    # JAX compiles a branch for every option of every block, which takes minutes.
    return "masked" if os.environ.get("KERAS_BACKEND") == "jax" else "sampled"


def warm_up(method: str) -> dict[str, Any]:
    """Shares of the supernet's steps; without gates that learn, all of them are warm-up."""
    return {} if method == "gradient" else {"warmup_share": 1.0, "largest_share": 0.4}


def evolution(smoke: bool) -> dict[str, Any]:
    """Sizes of an evolution, as `EvolutionConfig` takes them."""
    if smoke:
        return {
            "population": 4,
            "generations": 1,
            "parents": 2,
            "images": 32,
            "statistics_images": 16,
        }
    return {}


def recipe(is_sample: bool, smoke: bool) -> dict[str, Any]:
    """What a network trains with when it trains alone, apart from epochs and seed."""
    batch_size = min(64, defaults(is_sample, smoke)["batch_size"])
    return {"batch_size": batch_size, **augmentation(is_sample), **pace(smoke)}
