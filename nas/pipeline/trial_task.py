"""What a worker does: trains one trial up to the end of a rung, from where it had come to.

Its payload and its result are records, so that any executor can carry them as JSON.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latency.device import strict_json
from nas.architecture import text as arch_text
from nas.data import Dataset, split_holdout
from nas.deployment.scores import keras_scores
from nas.executors.task import Context, TaskError
from nas.metrics import Metric, metric_value
from nas.pipeline.inputs import load_data
from nas.runs.config import read_config
from nas.runs.data import DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.runs.trials import TrialsConfig
from nas.search_space.files import load_blocks
from nas.system import backend
from nas.training.recipe import Recipe
from nas.tuning.ladder import EvenLadder, Ladder

if TYPE_CHECKING:
    from nas.training.trainer import TrainResult

TASK = f"{__name__}:train_leg"
# Share of the training images that judges; the evaluation split must not choose.
JUDGING_SHARE = 0.2
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
            learned from.
    """

    values: Mapping[str, float | None]
    curve: tuple[Mapping[str, float | int | None], ...]
    facts: Mapping[str, float | None]


@dataclass(frozen=True)
class _Bench:
    """What a worker keeps between the legs of a run."""

    folder: RunFolder
    config: TrialsConfig
    dataset: Dataset

    @functools.cached_property
    def division(self) -> tuple[Any, Any]:
        """Indices of the training split to learn from, and to judge on."""
        labels = self.dataset.train.labels
        return split_holdout(len(labels), labels, JUDGING_SHARE, self.config.seed)


@functools.lru_cache(maxsize=1)
def _bench(run_dir: str, source: DataSource) -> _Bench:
    folder = RunFolder(Path(run_dir))
    config = read_config(folder.path)
    if not isinstance(config, TrialsConfig):
        raise TaskError("error", f"{run_dir} is no search by trials")
    load_blocks(config.blocks)
    dataset = load_data(source, config.sizes, config.seed, None, folder.read(DataRecord))
    backend.start(config.compute, dataset.image_size)
    return _Bench(folder, config, dataset)


def checkpoint_name(trial: int) -> str:
    """Name of a trial's checkpoint, as `RunFolder.checkpoint` takes it.

    Args:
        trial: Its number.
    """
    return f"trial_{trial:06d}"


def stop_steps(recipe: Recipe, images: int, ladder: Ladder | EvenLadder) -> tuple[int, ...]:
    """Steps at the end of each rung.

    Args:
        recipe: Of the whole training.
        images: To learn from.
        ladder: The rungs.

    Raises:
        InputError: Two rungs would end at one step.
    """
    return ladder.steps(recipe.steps(images))


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
    from nas.training.lost import LostWeightsError

    job = strict_json.decode(LegJob, payload, "a job")
    bench = _bench(job.run_dir, job.source)
    try:
        found = _trained(bench, job, context)
    except LostWeightsError as lost:
        raise TaskError("diverged", str(lost)) from lost
    finally:
        backend.forget_models()
    encoded: dict[str, Any] = strict_json.encode(found)
    return encoded


def _trained(bench: _Bench, job: LegJob, context: Context) -> LegResult:
    from nas.training.loop import Control, LoopState
    from nas.training.trainer import train_network

    ladder = bench.config.scheduler.ladder
    steps = stop_steps(job.recipe, len(bench.division[0]), ladder)
    said_s = time.monotonic()

    def on_progress(state: LoopState, total_steps: int) -> None:
        nonlocal said_s
        del total_steps  # of the whole training, which this leg does not come to
        if time.monotonic() - said_s > SILENT_SECONDS:
            said_s = time.monotonic()
            context.progress({"step": state.step, "of": steps[job.rung]})

    result = train_network(
        arch_text.parse(job.network),
        bench.dataset,
        job.recipe,
        Control(
            bench.folder.checkpoint(checkpoint_name(job.trial)),
            bench.config.sizes.pace,
            context.interrupter,
            on_progress,
            stop_step=steps[job.rung],
            row_steps=frozenset(steps),
        ),
        seed=bench.config.seed,
        division=bench.division,
    )
    begun = 0 if job.previous_rung is None else steps[job.previous_rung]
    return LegResult(_values(bench, result), _rows(result, begun), _facts(result))


def _values(bench: _Bench, result: TrainResult) -> dict[str, float | None]:
    found = result.evaluation
    values = {"top1": found.top1, "top5": found.top5, "cross_entropy": found.cross_entropy}
    others = [o.text for o in bench.config.trained if o.text not in values]
    values |= _metrics(bench, result, others)
    return {name: _finite(value) for name, value in values.items()}


def _metrics(bench: _Bench, result: TrainResult, texts: Sequence[str]) -> dict[str, float]:
    """What the network reaches on the judging images by other metrics than the usual ones."""
    if not texts:
        return {}
    asked, split = bench.config.metrics, bench.dataset.train.part(bench.division[1])
    scores = keras_scores(result.model.predict_on_batch, split)
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
    facts = {
        "seconds": result.seconds,
        "images_seen": float(result.images_seen),
        "train_top1": result.train.top1,
    }
    return {name: _finite(value) for name, value in facts.items()}


def _finite(value: Any) -> Any:
    """A number as JSON has it; None for NaN and infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
