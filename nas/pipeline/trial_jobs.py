"""The jobs of a search by trials: legs of trials, and the evaluation of whole trainings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas.executors.task import Context
from nas.pipeline.trial_evaluation import evaluate_training
from nas.pipeline.trial_task import train_leg

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
