"""The trainings of a run of `main.py` as jobs of workers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from latency import atomic
from nas.architecture import text as arch_text
from nas.pipeline.retrain_job import RetrainJob
from nas.pipeline.stage_jobs import StageJob, TrainingDetails
from nas.pipeline.stage_workers import StageWorkers
from nas.runs.config import TrainingConfig
from nas.runs.records import ComparedNetwork, TrainedRecord
from nas.runs.trainings import is_over

# First weights of networks that inherit them, as files for workers.
FOLDER, START = "checkpoints", "start_"


def checkpoint_name(key: str) -> str:
    """Name of a training's checkpoint, as `RunFolder.checkpoint` takes it.

    Args:
        key: Of the training's record.
    """
    return f"retrain_{key}"


def train_ahead(runs: Sequence[RetrainJob], workers: StageWorkers | None) -> None:
    """Has the trainings that are still to come done by workers, where there are any.

    All networks train with one seed before the next one begins, as far as there are workers.

    Args:
        runs: With recipe.json in their folders.
        workers: That do them; None where this program does, one after the other.

    Raises:
        Interrupted: A signal came; what trained has saved its state.
        InputError: A training failed for good; all others are done.
    """
    if workers is None:
        return
    jobs = [job for run in runs for job in _jobs(run, workers)]
    jobs.sort(key=lambda job: job.details["seed"])
    try:
        workers.do(jobs, f"Training {len(jobs)} networks")
    finally:
        for run in runs:
            for path in run.folder.path.glob(f"{FOLDER}/{START}*.npz"):
                path.unlink(missing_ok=True)


def _jobs(run: RetrainJob, workers: StageWorkers) -> list[StageJob]:
    seeds = range(run.seed, run.seed + run.seeds)
    pairs = [
        (entry, seed)
        for seed, entry in product(seeds, run.entries)
        if not is_over(run.folder, _key(run, entry, seed))
    ]
    names = dict.fromkeys(entry.name for entry, _ in pairs)
    starts = {name: _start(run, name) for name in names if name in run.initial_weights}
    return [_job(run, workers, entry, seed, starts.get(entry.name)) for entry, seed in pairs]


def _key(run: RetrainJob, entry: ComparedNetwork, seed: int) -> str:
    return TrainedRecord.key(entry.name, seed, run.seed)


def _job(
    run: RetrainJob, workers: StageWorkers, entry: ComparedNetwork, seed: int, start: str | None
) -> StageJob:
    key, network = _key(run, entry, seed), run.network_of(entry)
    details = TrainingDetails(
        replace(entry, text=arch_text.to_text(network)),
        network.name,
        f"Training {run.title_of(entry)}, seed {seed}",
        seed,
        run.seed,
        run.seeds,
        run.recipe,
        run.folder.read(TrainingConfig).compute,
        run.scale.name,
        run.title,
        run.metrics,
        run.selection,
        start,
        run.others_go_on,
    )
    return workers.job(
        run.folder,
        "training",
        details,
        checkpoint=checkpoint_name(key),
        record=TrainedRecord.FILE.format(name=key),
        inputs=() if start is None else (start,),
    )


def _start(run: RetrainJob, name: str) -> str:
    """Writes what a network starts from, and gives the file's name below the run's folder."""
    file = f"{FOLDER}/{START}{TrainedRecord.key(name, run.seed, run.seed)}.npz"
    weights: dict[str, Any] = dict(run.initial_weights[name])
    found = io.BytesIO()
    np.savez(found, **weights)
    atomic.write_bytes(run.folder.path / file, found.getvalue())
    return file
