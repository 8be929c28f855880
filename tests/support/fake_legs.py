"""What a worker of a search by trials answers where nothing is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from latency.device import strict_json
from nas.executors.task import Context, TaskError
from nas.metrics import AskedMetrics, evaluated
from nas.pipeline.trial_evaluation import EvaluationJob, EvaluationResult
from nas.pipeline.trial_jobs import OF_EVALUATIONS
from nas.pipeline.trial_task import LegJob, LegResult, checkpoint_name
from nas.runs.folder import RunFolder


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
    rows = ({"step": job.rung, "loss": 1.0 - reached},)
    facts = {"seconds": 0.5, "rate": job.recipe.peak_rate}
    encoded: dict[str, Any] = strict_json.encode(LegResult(values, rows, facts))
    return encoded


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
    scores = np.eye(10)[np.arange(20) % 10] * top1(job.network, job.seed)
    asked = AskedMetrics(job.metrics)
    names = [f"class {number}" for number in range(10)]
    found = evaluated(asked, scores, np.arange(20) % 10, names, resamples=10)
    encoded: dict[str, Any] = strict_json.encode(EvaluationResult(found, 0.5))
    return encoded
