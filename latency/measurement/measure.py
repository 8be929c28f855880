"""Many ONNX models -> milliseconds, timed interleaved at random in one session."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import latency
from latency import atomic
from latency.device import strict_json
from latency.device.clock import Clock
from latency.device.engine import Progress
from latency.device.job import Model, Workload, measure_models
from latency.device.plan import DevicePlan, MeasurePlan
from latency.device.records import Result
from latency.device.settings import SessionSettings
from latency.device.statistics import Quantity, bootstrap_interval
from latency.errors import LatencyError
from latency.measurement.result import read_result
from latency.measurement.statistics import quantile_ms, split_half_noise

__all__ = ["MeasurePlan", "Measurement", "Model", "measure", "measure_fresh_process"]

# Statistics of stored samples must not change from one reading to the next.
STATISTICS_SEED = 0


class MeasureError(LatencyError):
    """Models or samples that no measurement can be made of."""


@dataclass(frozen=True)
class Measurement:
    """Raw samples of one model; everything else is derived from them.

    Args:
        key: The model's key.
        samples_ms: Visit -> run, in ms.
        quantile: The statistic, from 0 to 1.
        stable: Whether the interval became as narrow as the plan asked.

    Raises:
        MeasureError: There are no samples, or one is not a positive finite number.
    """

    KEYS: ClassVar[tuple[str, ...]] = (
        *("key", "latency_ms", "low_ms", "high_ms", "p50_ms", "p90_ms"),
        *("noise", "count", "quantile", "stable", "samples_ms"),
    )

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
        return bootstrap_interval([self.samples_ms], [1.0], self.quantile, STATISTICS_SEED)

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


def check_samples(key: str, samples_ms: Sequence[Sequence[float]]) -> None:
    """Refuses samples that no clock can have given.

    Args:
        key: Of the model or row, for the message.
        samples_ms: Visit -> run, in ms.

    Raises:
        MeasureError: There are none, or one is not a positive finite number.
    """
    values = [run for visit in samples_ms for run in visit]
    if not values or any(len(visit) != len(samples_ms[0]) for visit in samples_ms):
        raise MeasureError(
            f"equally many samples in every visit of {key!r}",
            f"visits of {sorted({len(visit) for visit in samples_ms})} runs",
            "measure again",
        )
    for value in values:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 < value < float("inf"):
            raise MeasureError(f"samples of {key!r} above 0 ms", repr(value), "measure again")


def workload(models: Sequence[Model], settings: SessionSettings, plan: MeasurePlan) -> Workload:
    """Makes a session in which each model's own latency has to become certain.

    Raises:
        WorkerError: There is no model, or two have the same key.
    """
    quantities = tuple(Quantity((model.key,), (1.0,)) for model in models)
    return Workload(tuple(models), quantities, settings, DevicePlan(**vars(plan)))


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
        WorkerError: A model does not run, the journal is another session's, or the clock fails.
    """
    work = workload(models, settings, plan)
    journal_path = str(resume_path) if resume_path else None
    result = measure_models(work, journal_path=journal_path, clock=clock, progress=progress)
    return _measurements(work, result)


def measure_fresh_process(
    models: Sequence[Model], settings: SessionSettings, plan: MeasurePlan
) -> dict[str, Measurement]:
    """Times models in a new process, which shares no memory, cache or thread with this one.

    Raises:
        MeasureError: The process failed; its last words are in the message.
    """
    work = workload(models, settings, plan)
    with tempfile.TemporaryDirectory(prefix="latency-") as folder:
        write_job(Path(folder), work)
        # -P: the working folder of this process may hold modules of any name.
        command = [sys.executable, "-P", "-m", "latency.device", folder]
        done = subprocess.run(
            command, capture_output=True, text=True, env=_environment(), check=False
        )
        if done.returncode:
            raise MeasureError(
                f"a new process to measure {len(models)} models",
                # On one line, since these words may have three parts of their own.
                " ".join(done.stderr.split())[-500:] or f"exit code {done.returncode}",
                "measure the same models in this process",
            )
        result = read_result(Path(folder, "result.json"), work.job_id)
    return _measurements(work, result)


def _environment() -> dict[str, str]:
    """This process's environment, in which a new one finds this package wherever it lies."""
    root = str(Path(latency.__file__).resolve().parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "ORT_DISABLE_TELEMETRY": "1"}


def write_job(folder: Path, work: Workload) -> None:
    """Writes the models and `job.json` that a device runs.

    Args:
        folder: That exists.
        work: What is measured.
    """
    (folder / "models").mkdir(exist_ok=True)
    job = work.job_file()
    for entry, model in zip(job.models, work.models, strict=True):
        atomic.write_bytes(folder / entry.file, model.data)
    # Last, so that a folder with a job.json is a whole one.
    atomic.write_text(folder / "job.json", strict_json.dumps(job))


def _measurements(work: Workload, result: Result) -> dict[str, Measurement]:
    """The result of `workload`, whose quantities are its models in order."""
    return {
        model.key: Measurement(
            model.key,
            tuple(tuple(visit) for visit in result.samples_ms[model.key]),
            work.plan.quantile,
            certain,
        )
        for model, certain in zip(work.models, result.certain, strict=True)
    }
