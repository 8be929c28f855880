"""What a worker does of a run: trains a network, a candidate or a supernet in a folder of its own.

See `nas.pipeline.stage_jobs`. The images stay in memory between the jobs of a worker.
"""

from __future__ import annotations

import io
import shutil
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from latency import atomic
from latency.device import strict_json
from nas.architecture import text as arch_text
from nas.data import Dataset
from nas.executors.task import Context, TaskError
from nas.pipeline.inputs import keep_data, load_data
from nas.pipeline.stage_jobs import (
    CandidateDetails,
    OnStep,
    StageJob,
    SupernetDetails,
    TrainingDetails,
)
from nas.pipeline.trial_task import SILENT_SECONDS, training
from nas.recipes.scales import Scale
from nas.runs.config import AnyConfig, RunConfig, read_config
from nas.runs.data import DataRecord
from nas.runs.folder import RunFolder
from nas.runs.sweep import SharedWarmUp
from nas.search_space.files import load_blocks
from nas.selection.goals import ResolvedTarget
from nas.system import backend


class ScratchFolder(RunFolder):
    """A worker's folder, whose checkpoints are those of the run.

    Args:
        job: The part that is done in it.
    """

    def __init__(self, job: StageJob) -> None:
        super().__init__(job.scratch)
        self._run = job.run
        shutil.rmtree(self.path, ignore_errors=True)
        for name in job.inputs:
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._run.path / name, target)
        self._inputs = frozenset(job.inputs)

    def checkpoint(self, name: str) -> Path:
        """Path of a checkpoint.

        Args:
            name: Of the checkpoint.
        """
        path = self._run.checkpoint(name)
        path.parent.mkdir(exist_ok=True)
        return path

    def packed(self) -> bytes:
        """An archive of all files that have come since the folder was made."""
        found = io.BytesIO()
        with zipfile.ZipFile(found, "w") as archive:
            for path in sorted(self.path.rglob("*")):
                name = path.relative_to(self.path).as_posix()
                if path.is_file() and name not in self._inputs:
                    archive.write(path, name)
        return found.getvalue()


def work(payload: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """Does a part of a run.

    Args:
        payload: A `StageJob` as JSON data.
        context: Of the worker.

    Returns:
        `lines` for people, and whether the run `keeps_checkpoint` of the part.

    Raises:
        Interrupted: A signal came; the state is saved.
        TaskError: The weights are lost.
    """
    job = strict_json.decode(StageJob, payload, "a job")
    folder = ScratchFolder(job)
    config = read_config(folder.path)
    load_blocks(config.blocks)
    dataset = _images.of(job, config, folder)
    with training():
        if job.kind == "training":
            lines = _train(job, folder, dataset, context)
        elif job.kind == "candidate":
            lines = _race(job, folder, dataset, _searched(config), context)
        else:
            lines = _train_supernet(job, folder, dataset, _searched(config), context)
    atomic.write_bytes(job.archive, folder.packed())
    shutil.rmtree(folder.path, ignore_errors=True)
    return {"lines": lines, "keeps_checkpoint": job.kind == "supernet"}


class _Images:
    """The images of the last job, which the next one of the same run has, too."""

    def __init__(self) -> None:
        self._last: tuple[Any, Dataset] | None = None

    def of(self, job: StageJob, config: AnyConfig, folder: RunFolder) -> Dataset:
        """The images of a job, compared with those of the run.

        Args:
            job: The job.
            config: Of its run.
            folder: Where data.json is.
        """
        record = folder.read(DataRecord)
        key = (job.source, config.scale, config.seed, record)
        if self._last is None or self._last[0] != key:
            dataset = load_data(job.source, config.sizes, config.seed, None, record)
            keep_data(folder, dataset)  # those of another machine may be others
            self._last = key, dataset
        return self._last[1]


_images = _Images()


def _steps(context: Context) -> OnStep:
    """Tells the driver how far a training is, now and then."""
    said_s = time.monotonic()

    def on_step(step: int, of: int) -> None:
        nonlocal said_s
        if time.monotonic() - said_s > SILENT_SECONDS:
            said_s = time.monotonic()
            context.progress({"step": step, "of": of})

    return on_step


def _train(job: StageJob, folder: RunFolder, dataset: Dataset, context: Context) -> list[str]:
    """Trains a network of `main.py`, and judges and exports it."""
    from nas.pipeline.retrain import RetrainRun

    details = strict_json.decode(TrainingDetails, job.details, "a job")
    backend.start(details.compute, dataset.image_size)
    weights = {}
    if details.start is not None:
        with np.load(folder.path / details.start, allow_pickle=False) as found:
            weights[details.entry.name] = dict(found)
    run = RetrainRun(
        folder,
        arch_text.parse(details.entry.text, details.name),
        dataset,
        details.recipe,
        details.first_seed,
        (),
        None,
        None,
        Scale.named(details.scale),
        context.interrupter,
        initial_weights=weights,
        seeds=details.seeds,
        title=details.title,
        metrics=details.metrics,
        selection=details.selection,
        others_go_on=details.others_go_on,
    )
    return run.reached(details.entry, details.seed, details.label, _steps(context))


def _race(
    job: StageJob, folder: RunFolder, dataset: Dataset, searched: RunConfig, context: Context
) -> list[str]:
    """Trains a candidate of a race, and judges it."""
    from nas.pipeline.race import train_candidate

    details = strict_json.decode(CandidateDetails, job.details, "a job")
    backend.start(searched.compute, dataset.image_size)
    return train_candidate(folder, dataset, searched, details, context.interrupter, _steps(context))


def _train_supernet(
    job: StageJob, folder: RunFolder, dataset: Dataset, searched: RunConfig, context: Context
) -> list[str]:
    """Trains a supernet to its end, or only what all goals of a sweep share."""
    from nas.pipeline.supernet import stage_of_run

    details = strict_json.decode(SupernetDetails, job.details, "a job")
    target = folder.read(ResolvedTarget).target if folder.has(ResolvedTarget) else None
    stage = stage_of_run(folder, searched, dataset, context.interrupter, target)
    if details.only_warm_up:
        folder.write(SharedWarmUp(stage.warm_up(_steps(context))))
    else:
        stage.train(_steps(context))
    return []


def _searched(config: AnyConfig) -> RunConfig:
    if not isinstance(config, RunConfig):
        raise TaskError("error", f"a run of {config.kind!r}, which searches nothing")
    return config
