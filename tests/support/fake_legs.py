"""What a worker of a search by trials answers where nothing is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from latency.device import strict_json
from nas.executors.task import Context, TaskError
from nas.metrics import evaluated
from nas.pipeline.trial_bench import checkpoint_name
from nas.pipeline.trial_evaluation import EvaluationJob, EvaluationResult
from nas.pipeline.trial_jobs import OF_EVALUATIONS
from nas.pipeline.trial_task import LegJob, LegResult
from nas.runs.config import read_config
from nas.runs.folder import RunFolder
from nas.runs.trials import TrialsConfig


def top1(network: str, rung: int) -> float:
    """A share that a network has by its name, and that grows with the rungs."""
    share = int(hashlib.sha256(network.encode()).hexdigest()[:4], 16) / 0xFFFF
    return share * (rung + 1) / (rung + 2)


def leg(payload: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """Looks at the job as a training would, and leaves a checkpoint."""
    if OF_EVALUATIONS in payload:
        return evaluation(payload, context)
    job = strict_json.decode(LegJob, payload, "a job")
    context.progress({"step": 1})
    folder = RunFolder(Path(job.run_dir))
    checkpoint = folder.checkpoint(checkpoint_name(job.trial))
    if (job.previous_rung is None) == checkpoint.exists():
        raise TaskError("error", f"the checkpoint of trial {job.trial} is or is not there")
    checkpoint.touch()
    reached = top1(job.network, job.rung)
    values = {"top1": reached, "top5": 1.0, "cross_entropy": 1.0 - reached}
    values |= {o.text: reached for o in config_of(folder).trained if o.text not in values}
    rows = ({"step": job.rung, "loss": 1.0 - reached},)
    facts = {"seconds": 0.5, "rate": job.recipe.peak_rate}
    encoded: dict[str, Any] = strict_json.encode(LegResult(values, rows, facts))
    return encoded


def config_of(folder: RunFolder) -> TrialsConfig:
    """What the search was asked for."""
    config = read_config(folder.path)
    if not isinstance(config, TrialsConfig):
        raise TaskError("error", "no search by trials")
    return config


def evaluation(payload: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """A whole training on evaluation images; the third seed fails, and each asks once."""
    job = strict_json.decode(EvaluationJob, payload, "a job")
    context.progress({"step": 1})
    folder = RunFolder(Path(job.run_dir))
    with open(folder.path / "looked_at.txt", "a", encoding="utf-8") as stream:
        stream.write(f"{job.checkpoint}\n")
    if not job.seed and not folder.checkpoint(job.checkpoint).exists():
        raise TaskError("error", f"{job.checkpoint} has no checkpoint")
    if job.seed == 2:
        raise TaskError("diverged", "no number")
    # A rate is one of two classes.
    classes = 10 if job.metrics.background_rate_hz is None else 2
    scores = np.eye(classes)[np.arange(20) % classes] * top1(job.network, job.seed)
    names = [f"class {number}" for number in range(classes)]
    found = evaluated(job.metrics, scores, np.arange(20) % classes, names, resamples=10)
    encoded: dict[str, Any] = strict_json.encode(EvaluationResult(found, 0.5))
    return encoded
