"""The jobs of a search by trials: legs of trials, and the evaluation of whole trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nas.executors.cluster_executor import Shared
from nas.executors.task import Context
from nas.pipeline.trial_bench import checkpoint_name
from nas.pipeline.trial_evaluation import evaluate_training
from nas.pipeline.trial_task import train_leg
from nas.runs.data import DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.runs.settings import CONFIG_FILE
from nas.system.chosen_backend import chosen_backend

TASK = f"{__name__}:work"
# What tells an evaluation from a leg: a leg has one seed, that of the search.
OF_EVALUATIONS = "metrics"


def work(payload: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """Does a job of either kind.

    Args:
        payload: A `LegJob` or an `EvaluationJob` as JSON data.
        context: Of the worker.

    Returns:
        A `LegResult` or an `EvaluationResult` as JSON data.

    Raises:
        Interrupted: A signal came; the state is saved.
        TaskError: The training failed.
    """
    does = evaluate_training if OF_EVALUATIONS in payload else train_leg
    return does(payload, context)


def shared_of(folder: RunFolder, source: DataSource, blocks: Sequence[str]) -> Shared:
    """What workers on other machines need of a run.

    Args:
        folder: Of the run.
        source: The images, at the place where they are now.
        blocks: Files of blocks of a user's own.
    """
    return Shared(
        folder.path.resolve(),
        (CONFIG_FILE, DataRecord.FILE),
        _checkpoints,
        tuple(filter(None, (source.path, *blocks))),
        ("numpy", "keras", chosen_backend().name),
    )


def _checkpoints(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """The file that a job goes on from and writes."""
    is_leg = OF_EVALUATIONS not in payload
    name = checkpoint_name(payload["trial"]) if is_leg else payload["checkpoint"]
    return (f"checkpoints/{name}.npz",)
