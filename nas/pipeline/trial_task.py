"""What a worker does: trains one trial up to the end of a rung, from where it had come to.

Its payload and its result are records, so that any executor can carry them as JSON.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from latency.device import strict_json
from nas.architecture import text as arch_text
from nas.deployment.scores import keras_scores
from nas.executors.task import Context, TaskError
from nas.metrics import Metric, metric_value
from nas.pipeline.trial_bench import Bench, bench_of, checkpoint_name
from nas.runs.data import DataSource
from nas.system import backend
from nas.training.recipe import Recipe

if TYPE_CHECKING:
    from nas.training.trainer import TrainResult

# Signs of life between two rows of a history; rows are far apart where steps are slow.
SILENT_SECONDS = 1.0


@dataclass(frozen=True)
class LegJob:
    """What a worker is told.

    Args:
        run_dir: Absolute path of the run.
        source: The images, at the place where they are now.
        trial: Number of the trial.
        rung: The rung whose end it trains to.
        previous_rung: The one that it has come to before; None for a new trial.
        network: Its architecture.
        recipe: Of the whole training.
    """

    run_dir: str
    source: DataSource
    trial: int
    rung: int
    previous_rung: int | None
    network: str
    recipe: Recipe


@dataclass(frozen=True)
class LegResult:
    """What a worker answers.

    Args:
        values: Quantity -> what the network reaches on the judging images; None for no number.
        curve: Rows of the history of this leg; None for what is no number.
        facts: `seconds` and `images_seen` of this leg and the trial, and top-1 on images that it
            learned from; top-1 of the judging images with the last weights and with their average,
            of which `values` has one.
    """

    values: Mapping[str, float | None]
    curve: tuple[Mapping[str, float | int | None], ...]
    facts: Mapping[str, float | None]


def train_leg(payload: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """Trains a trial to the end of a rung, as the beginning of its whole training.

    The learning rate follows the course of the whole training, and rows of the history stand at the
    same steps wherever it is left: what a trial comes to does not depend on how often it was.

    Args:
        payload: A `LegJob` as JSON data.
        context: Of the worker.

    Returns:
        A `LegResult` as JSON data.

    Raises:
        Interrupted: A signal came; the state is saved.
        TaskError: The weights are lost.
    """
    job = strict_json.decode(LegJob, payload, "a job")
    bench = bench_of(job.run_dir, job.source)
    checkpoint, seed = checkpoint_name(job.trial), bench.config.seed
    with training():
        made = trained_to(bench, job.network, job.recipe, job.rung, checkpoint, seed, context)
        steps = bench.steps_of(job.recipe)
        begun = 0 if job.previous_rung is None else steps[job.previous_rung]
        found = LegResult(values_of(bench, made), _rows(made, begun), _facts(made))
    encoded: dict[str, Any] = strict_json.encode(found)
    return encoded


@contextmanager
def training() -> Iterator[None]:
    """What a training leaves behind is let go of, and lost weights are a cause of failure.

    Raises:
        TaskError: The weights are lost.
    """
    from nas.training.lost import LostWeightsError

    try:
        yield
    except LostWeightsError as lost:
        raise TaskError("diverged", lost.reason) from lost
    finally:
        backend.forget_models()


def trained_to(
    bench: Bench,
    network: str,
    recipe: Recipe,
    rung: int,
    checkpoint: str,
    seed: int,
    context: Context,
) -> TrainResult:
    """Trains from where a checkpoint is to the end of a rung.

    Args:
        bench: Of the run.
        network: Its architecture.
        recipe: Of the whole training.
        rung: The rung whose end it trains to.
        checkpoint: Its name, as `RunFolder.checkpoint` takes it.
        seed: Of weights, dropout and data order.
        context: Of the worker.
    """
    from nas.training.loop import Control, LoopState
    from nas.training.trainer import train_network

    steps = bench.steps_of(recipe)
    said_s = time.monotonic()

    def on_progress(state: LoopState, total_steps: int) -> None:
        nonlocal said_s
        del total_steps  # of the whole training, which a leg does not come to
        if time.monotonic() - said_s > SILENT_SECONDS:
            said_s = time.monotonic()
            context.progress({"step": state.step, "of": steps[rung]})

    return train_network(
        arch_text.parse(network),
        bench.dataset,
        recipe,
        Control(
            bench.folder.checkpoint(checkpoint),
            bench.config.sizes.pace,
            context.interrupter,
            on_progress,
            stop_step=steps[rung],
            row_steps=frozenset(steps),
        ),
        seed=seed,
        division=bench.division,
    )


def values_of(bench: Bench, result: TrainResult) -> dict[str, float | None]:
    """What a training reaches on the judging images; None for what is no number.

    Args:
        bench: Of the run.
        result: Of the training.
    """
    found = result.evaluation
    values = {"top1": found.top1, "top5": found.top5, "cross_entropy": found.cross_entropy}
    others = [o.text for o in bench.config.trained if o.text not in values]
    if not math.isfinite(found.cross_entropy):
        # Scores that are no numbers have a first one, too, which says nothing.
        return dict.fromkeys((*values, *others))
    values |= _metrics(bench, result, others)
    return {name: _finite(value) for name, value in values.items()}


def _metrics(bench: Bench, result: TrainResult, texts: Sequence[str]) -> dict[str, float]:
    """What the network reaches on the judging images by other metrics than the usual ones."""
    if not texts:
        return {}
    asked, split = bench.config.trained_metrics, bench.dataset.train.part(bench.division[1])
    scores = keras_scores(result.model.predict_on_batch, split)
    if not np.isfinite(scores).all():
        return dict.fromkeys(texts, math.nan)
    signal = asked.signal_index(bench.dataset.class_names)
    rate_hz = asked.background_rate_hz
    return {
        text: metric_value(Metric.parse(text), scores, split.labels, signal, rate_hz)
        for text in texts
    }


def _rows(result: TrainResult, after: int) -> tuple[Mapping[str, float | int | None], ...]:
    return tuple(
        {name: _finite(value) for name, value in row.items()}
        for row in result.history
        if row["step"] > after
    )


def _facts(result: TrainResult) -> dict[str, float | None]:
    facts: dict[str, float | None] = {
        "seconds": result.seconds,
        "images_seen": float(result.images_seen),
        "train_top1": result.train.top1,
    }
    if result.weights is not None:
        facts["last_top1"] = result.weights.last_top1
        facts["average_top1"] = result.weights.average_top1
    return {name: _finite(value) for name, value in facts.items()}


def _finite(value: Any) -> Any:
    """A number as JSON has it; None for NaN and infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
