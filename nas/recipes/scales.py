"""Flags and data -> the settings of a run, by the size of the job."""

from __future__ import annotations

import os
from typing import Any

# Search epochs, retraining epochs, batch size, random networks, networks that the gates propose to
# the supernet, whether baselines are trained.
# The sample's are sized for two cores: about 3 minutes of search and 5 of retraining.
SAMPLE = {
    "search_epochs": 8.0,
    "epochs": 3.0,
    "batch_size": 64,
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


def defaults(is_sample: bool, smoke: bool) -> dict[str, Any]:
    """Lengths that fit the job."""
    if smoke:
        return SMOKE
    return SAMPLE if is_sample else IMAGES


def pace(smoke: bool) -> dict[str, Any]:
    """Rows of the history and checkpoints; at toy size every step, so that kills are tested."""
    return {"log_every": 1, "checkpoint_seconds": 0.0} if smoke else {}


def augmentation(is_sample: bool) -> dict[str, Any]:
    """Crop padding in pixels and mirror images; the sample's classes know left from right."""
    return {"crop_padding": 4, "flip": not is_sample}


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
