"""Many ONNX models -> milliseconds, timed interleaved at random in one session."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from latency import atomic, worker
from latency.measurement.plan import Clock, MeasurePlan, Progress
from latency.measurement.result import Result, read_result
from latency.measurement.settings import SessionSettings
from latency.measurement.statistics import quantile_ms, split_half_noise
from latency.worker import Quantity

__all__ = ["MeasurePlan", "Measurement", "Model", "measure", "measure_fresh_process"]

# Statistics of stored samples must not change from one reading to the next.
STATISTICS_SEED = 0


class MeasureError(ValueError):
    """Models or samples that no measurement can be made of."""


@dataclass(frozen=True)
class Model:
    """An ONNX model to time.

    Args:
        key: Its name in every result; unique.
        data: The serialised model.
        group: Models of one group are timed next to each other in the same visit.
    """

    key: str
    data: bytes
    group: str


@dataclass(frozen=True)
class Measurement:
    """Raw samples of one model; everything else is derived from them.

    Args:
        key: The model's key.
        samples_ms: Visit -> run, in ms.
        quantile: The statistic, from 0 to 1.
        stable: Whether the interval became as narrow as the plan asked.
    """

    key: str
    samples_ms: tuple[tuple[float, ...], ...]
    quantile: float
    stable: bool

    def __post_init__(self) -> None:
        check_samples(self.key, self.samples_ms)

    @cached_property
    def latency_ms(self) -> float:
        """The plan's quantile over all samples."""
        return quantile_ms(self.samples_ms, self.quantile)

    @cached_property
    def _interval_ms(self) -> tuple[float, float]:
        return worker.bootstrap_interval([self.samples_ms], [1.0], self.quantile, STATISTICS_SEED)

    @property
    def low_ms(self) -> float:
        """Lower end of the 95 % bootstrap interval over visits."""
        return self._interval_ms[0]

    @property
    def high_ms(self) -> float:
        """Upper end of the 95 % bootstrap interval over visits."""
        return self._interval_ms[1]

    @cached_property
    def p50_ms(self) -> float:
        """The median over all samples."""
        return quantile_ms(self.samples_ms, 0.5)

    @cached_property
    def p90_ms(self) -> float:
        """The 90th percentile over all samples."""
        return quantile_ms(self.samples_ms, 0.9)

    @cached_property
    def noise(self) -> float:
        """Mean |h1-h2|/(h1+h2) over random halves of the visits."""
        return split_half_noise([self.samples_ms], [1.0], self.quantile, STATISTICS_SEED)

    @property
    def count(self) -> int:
        """Number of timed runs."""
        return sum(len(visit) for visit in self.samples_ms)

    def to_json(self) -> dict[str, Any]:
        """Returns plain values: the samples and, for readers, what is derived from them."""
        return {
            "key": self.key,
            "latency_ms": self.latency_ms,
            "low_ms": self.low_ms,
            "high_ms": self.high_ms,
            "p50_ms": self.p50_ms,
            "p90_ms": self.p90_ms,
            "noise": self.noise,
            "count": self.count,
            "quantile": self.quantile,
            "stable": self.stable,
            "samples_ms": [list(visit) for visit in self.samples_ms],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Measurement:
        """Reads `to_json`'s form; derived values are computed again.

        Raises:
            MeasureError: A field is missing or a sample is not a positive number.
        """
        try:
            samples = tuple(tuple(visit) for visit in value["samples_ms"])
            return cls(value["key"], samples, value["quantile"], value["stable"])
        except (KeyError, TypeError) as error:
            raise MeasureError(
                "Expected a measurement with key, samples_ms, quantile and stable. "
                f"Received: {type(error).__name__} {error}. Fix: measure again."
            ) from error


def check_samples(key: str, samples_ms: Sequence[Sequence[float]]) -> None:
    """Refuses samples that no clock can have given.

    Raises:
        MeasureError: There are none, or one is not a positive finite number.
    """
    values = [run for visit in samples_ms for run in visit]
    if not values or any(len(visit) != len(samples_ms[0]) for visit in samples_ms):
        shape = f"visits of {sorted({len(visit) for visit in samples_ms})} runs"
        raise MeasureError(
            f"Expected equally many samples in every visit of {key!r}. Received: {shape}. "
            "Fix: measure again."
        )
    for value in values:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 < value < float("inf"):
            raise MeasureError(
                f"Expected samples of {key!r} above 0 ms. Received: {value!r}. Fix: measure again."
            )


def measure(
    models: Sequence[Model],
    settings: SessionSettings,
    plan: MeasurePlan,
    *,
    progress: Progress | None = None,
    resume_path: Path | None = None,
    clock: Clock = time.perf_counter,
) -> dict[str, Measurement]:
    """Times models in interleaved rounds until each one's interval is narrow.

    Args:
        models: With unique keys.
        settings: Of the sessions.
        plan: Rounds, runs and when to stop.
        progress: Called after each visit with visits done, visits at most, seconds left.
        resume_path: Journal of finished rounds, continued when it exists; the caller deletes it.
        clock: Seconds.

    Raises:
        ValueError: A model does not run, the journal is another session's, or the clock fails.
    """
    result = run_models(
        models,
        settings,
        plan.to_json(),
        single_quantities(models),
        progress=progress,
        resume_path=resume_path,
        clock=clock,
    )
    return measurements(models, result, plan.quantile)


def single_quantities(models: Sequence[Model]) -> list[Quantity]:
    """Every model's own latency, as what has to become certain."""
    return [Quantity((model.key,), (1.0,)) for model in models]


def run_models(
    models: Sequence[Model],
    settings: SessionSettings,
    plan: Mapping[str, Any],
    quantities: Sequence[Quantity],
    *,
    describe: Sequence[str] = (),
    progress: Progress | None = None,
    resume_path: Path | None = None,
    clock: Clock = time.perf_counter,
) -> Result:
    """Loads all models and runs the worker's rounds here; `quantities` decide when to stop.

    Raises:
        ValueError: A model does not run, the journal is another session's, or the clock fails.
    """
    value = worker.measure_models(
        data_by_key(models),
        {model.key: model.group for model in models},
        quantities,
        settings.to_json(),
        plan,
        describe=describe,
        journal_path=str(resume_path) if resume_path else None,
        clock=clock,
        progress=progress,
    )
    return Result.from_json(value)


def measure_fresh_process(
    models: Sequence[Model], settings: SessionSettings, plan: MeasurePlan
) -> dict[str, Measurement]:
    """Times models in a new process, which shares no memory, cache or thread with this one.

    Raises:
        MeasureError: The process failed; its last words are in the message.
    """
    with tempfile.TemporaryDirectory(prefix="latency-") as folder:
        job_id = write_job(
            Path(folder), models, settings, plan.to_json(), single_quantities(models)
        )
        environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
        done = subprocess.run(
            [sys.executable, worker.__file__, folder],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        if done.returncode:
            last_words = done.stderr.strip()[-500:] or f"exit code {done.returncode}"
            raise MeasureError(
                f"Expected a new process to measure {len(models)} models. "
                f"Received: {last_words}. Fix: measure the same models in this process."
            )
        result = read_result(Path(folder, "result.json"), job_id)
    return measurements(models, result, plan.quantile)


def write_job(
    folder: Path,
    models: Sequence[Model],
    settings: SessionSettings,
    plan: Mapping[str, Any],
    quantities: Sequence[Quantity],
    describe: Sequence[str] = (),
) -> str:
    """Writes the models and `job.json` that `worker.py` runs, and returns the job's id."""
    entries = []
    data = data_by_key(models)
    (folder / "models").mkdir(exist_ok=True)
    for number, model in enumerate(models):
        name = f"models/{number:04d}.onnx"
        atomic.write_bytes(folder / name, model.data)
        entries.append({"key": model.key, "file": name, "group": model.group})
    plain = [{"keys": list(q.keys), "weights": list(q.weights)} for q in quantities]
    job_id = worker.identity_of(data, settings.to_json(), plan, plain)
    job = {
        "schema_version": worker.JOB_SCHEMA_VERSION,
        "job_id": job_id,
        "settings": settings.to_json(),
        "plan": dict(plan),
        "models": entries,
        "quantities": plain,
        "describe": list(describe),
    }
    # Last, so that a folder with a job.json is a whole one.
    atomic.write_json(folder / "job.json", job)
    return job_id


def data_by_key(models: Sequence[Model]) -> dict[str, bytes]:
    """Model key -> bytes.

    Raises:
        MeasureError: There is no model, or two have the same key.
    """
    data = {model.key: model.data for model in models}
    if not models or len(data) != len(models):
        raise MeasureError(
            "Expected one or more models with unique keys. "
            f"Received: {len(models)} models with {len(data)} keys. Fix: give each its own key."
        )
    return data


def measurements(
    models: Sequence[Model], result: Result, quantile: float
) -> dict[str, Measurement]:
    """The result of a job whose quantities were `single_quantities`."""
    found = {}
    for index, model in enumerate(models):
        samples = tuple(tuple(visit) for visit in result.samples_ms[model.key])
        found[model.key] = Measurement(model.key, samples, quantile, result.certain[index])
    return found
