"""What a worker does at the end: judges a whole training on the evaluation images, once.

A trial of the search is there already, in its checkpoint. With another seed it is trained first.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from latency.device import strict_json
from nas.deployment.scores import keras_scores
from nas.executors.task import Context, TaskError
from nas.metrics import AskedMetrics, MetricResults, evaluated
from nas.pipeline.trial_bench import bench_of
from nas.pipeline.trial_task import trained_to, training
from nas.runs.data import DataSource
from nas.training.recipe import Recipe


@dataclass(frozen=True)
class EvaluationJob:
    """What a worker is told.

    Args:
        run_dir: Absolute path of the run.
        source: The images, at the place where they are now.
        checkpoint: Name of the training's checkpoint.
        seed: Of the training.
        network: Its architecture.
        recipe: Of the whole training.
        metrics: What it is judged by, with the signal class and the rate that these look at. A run
            that goes on may ask for others than its config.json, which workers read.
    """

    run_dir: str
    source: DataSource
    checkpoint: str
    seed: int
    network: str
    recipe: Recipe
    metrics: AskedMetrics


@dataclass(frozen=True)
class EvaluationResult:
    """What a worker answers.

    Args:
        metrics: What the network reaches on the evaluation images.
        seconds: Of training and evaluating.
    """

    metrics: MetricResults
    seconds: float


def evaluate_training(payload: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """Trains to the end what is not there yet, and judges it.

    Args:
        payload: An `EvaluationJob` as JSON data.
        context: Of the worker.

    Returns:
        An `EvaluationResult` as JSON data.

    Raises:
        Interrupted: A signal came; the state is saved.
        TaskError: The weights are lost.
    """
    job = strict_json.decode(EvaluationJob, payload, "a job")
    bench, begun_s = bench_of(job.run_dir, job.source), time.monotonic()
    last = bench.config.scheduler.ladder.last
    with training():
        made = trained_to(bench, job.network, job.recipe, last, job.checkpoint, job.seed, context)
        scores = keras_scores(made.model.predict_on_batch, bench.dataset.evaluation)
        if not np.isfinite(scores).all():
            raise TaskError("diverged", "scores that are not finite")
        labels, names = bench.dataset.evaluation.labels, bench.dataset.class_names
        found = evaluated(job.metrics, scores, labels, names)
    encoded: dict[str, Any] = strict_json.encode(
        EvaluationResult(found, time.monotonic() - begun_s)
    )
    return encoded
