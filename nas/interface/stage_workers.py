"""Workers for parts of a run, as options ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nas.data import Dataset
from nas.executors.choice import check_executor
from nas.executors.needs import ExecutorConfig
from nas.interface.executor_options import OF_WORKERS, executor_config
from nas.pipeline.stage_jobs import check_travels, paths_of
from nas.pipeline.stage_workers import StageWorkers
from nas.ranges import check_count
from nas.runs.config import RunSettings
from nas.runs.data import DataSource
from nas.runs.folder import RunFolder
from nas.system.interrupt import Interrupter
from nas.training.recipe import Recipe


@dataclass(frozen=True)
class AskedWorkers:
    """Workers that are asked for.

    Args:
        executor: Where they run.
        workers: At a time; None, for a cluster alone, for as many as it has room for.
    """

    executor: ExecutorConfig
    workers: int | None


def asked_workers(options: Mapping[str, Any]) -> AskedWorkers | None:
    """Workers that options ask for; None where this program does everything itself.

    Args:
        options: As the flags of a program.

    Raises:
        InputError: An option of a cluster without one, or a value out of its range.
    """
    if not any(name in options for name in OF_WORKERS):
        return None
    executor, workers = executor_config(options), options.get("workers")
    if workers is not None:
        check_count("workers", workers)
    if executor.kind == "local" and workers is None:
        return None
    return AskedWorkers(executor, workers)


def checked_workers(
    options: Mapping[str, Any], source: DataSource, dataset: Dataset | None
) -> AskedWorkers | None:
    """The same, once it is known that they can be; before the minutes that images take.

    Args:
        options: As the flags of a program.
        source: The images.
        dataset: That a program handed over; None if they are read from files.

    Raises:
        InputError: As `asked_workers`; or the images are in the memory of this program alone, Ray
            is missing, or the cluster cannot be reached.
    """
    found = asked_workers(options)
    if found is not None:
        check_travels(source, dataset)
        check_executor(found.executor)
    return found


def stage_workers(
    options: Mapping[str, Any],
    folder: RunFolder,
    source: DataSource,
    config: RunSettings,
    recipe: Recipe,
    interrupter: Interrupter,
) -> StageWorkers | None:
    """Workers for a run, as options ask for them; none begins before there is something to do.

    Args:
        options: As the flags of a program.
        folder: Of the run.
        source: The images, at the place where they are now.
        config: Of the run.
        recipe: That its networks train by.
        interrupter: Asked whether to stop.

    Returns:
        They; None where this program does everything itself.
    """
    asked = asked_workers(options)
    if asked is None:
        return None
    source = replace(source, verify_data=False)  # this program has done it
    paths = paths_of(source, config, recipe)
    return StageWorkers(folder, source, asked.executor, asked.workers, paths, interrupter)
