"""The executor that was asked for; nothing else knows which one runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from nas.executors.cluster_executor import ClusterExecutor, Shared
from nas.executors.executor import Executor
from nas.executors.local import LocalExecutor
from nas.executors.needs import ExecutorConfig
from nas.executors.ray_cluster import RayCluster, check_ray


class ClosingExecutor(Executor, Protocol):
    """An executor that ends its workers when it is closed."""

    def close(self) -> None:
        """Ends all workers at once, and their jobs with them."""


def check_executor(asked: ExecutorConfig) -> None:
    """Refuses an executor that cannot be, before the minutes that images take.

    Args:
        asked: Where workers shall run.

    Raises:
        InputError: Ray is missing or too old, or the cluster cannot be reached.
    """
    if asked.kind == "ray":
        check_ray()
    if asked.ray_address not in (None, "local"):
        RayCluster(str(asked.ray_address)).close()


def executor_of(
    asked: ExecutorConfig, task: str, folder: Path, workers: int | None, shared: Shared
) -> ClosingExecutor:
    """An executor that takes jobs.

    Args:
        asked: Where workers shall run.
        task: MODULE:FUNCTION that does a job.
        folder: Of logs, one a worker.
        workers: At a time, 1 or more; None, for a cluster alone, for as many as it has room for.
        shared: What workers on other machines need of this one's folder.

    Raises:
        InputError: A cluster cannot be reached, has no room, or cannot do the jobs.
    """
    if asked.ray_address is None:
        return LocalExecutor(task, folder, workers or 1)
    cluster = RayCluster(asked.ray_address)
    made = ClusterExecutor(cluster, folder, task, shared, asked.needs, workers, os.environ)
    try:
        made.open()
    except BaseException:
        made.close()
        raise
    return made
