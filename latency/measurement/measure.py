"""Many ONNX models -> milliseconds, timed interleaved at random in one session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import latency
from latency import atomic
from latency.device import strict_json
from latency.device.clock import Clock
from latency.device.files import own_folder
from latency.device.job import Model, Workload, measure_models
from latency.device.meter import Progress
from latency.device.plan import DevicePlan, MeasurePlan
from latency.device.records import Result
from latency.device.settings import SessionSettings
from latency.device.speed import HostSpeed
from latency.device.statistics import Quantity, Runs, Visit, bootstrap_interval, kept_runs
from latency.errors import LatencyError
from latency.measurement.result import read_result
from latency.measurement.statistics import quantile_ms, split_half_noise

__all__ = ["MeasurePlan", "Measurement", "Model", "Readings", "measure", "measure_fresh_process"]

# Statistics of stored samples must not change from one reading to the next.
STATISTICS_SEED = 0


class MeasureError(LatencyError):
    """Models or samples that no measurement can be made of."""


@dataclass(frozen=True)
class Measurement:
    """Every run of one model with the probes around it; everything else is derived from them.

    Args:
        key: The model's key.
        visits: Runs, and the probes around them.
        quantile: The statistic, from 0 to 1.
        stable: Whether the interval became as narrow as the plan asked.
        limit_us: The longest probe beside a run that counts; None to count every run.

    Raises:
        MeasureError: There are no visits, or the quantile is out of range.
    """

    KEYS: ClassVar[tuple[str, ...]] = (
        *("key", "latency_ms", "low_ms", "high_ms", "p50_ms", "p90_ms", "p99_ms"),
        *("noise", "count", "kept_count", "share_kept", "quantile", "stable", "limit_us"),
        "visits",
    )

    key: str
    visits: tuple[Visit, ...]
    quantile: float
    stable: bool
    limit_us: float | None = None

    def __post_init__(self) -> None:
        if not self.visits:
            raise MeasureError(f"one or more visits of {self.key!r}", "none", "measure again")
        if not 0 <= self.quantile <= 1:
            expected = f"a quantile from 0 to 1 of {self.key!r}"
            raise MeasureError(expected, repr(self.quantile), "measure again")

    @cached_property
    def kept_runs_ms(self) -> Runs:
        """Visit -> the runs at full speed, in ms; all of them where nothing was gated."""
        return kept_runs(self.visits, self.limit_us)

    @cached_property
    def runs_ms(self) -> Runs:
        """Visit -> the runs that count, in ms; every plain run where none was at full speed."""
        return self.kept_runs_ms if any(self.kept_runs_ms) else self.plain_runs_ms

    @cached_property
    def plain_runs_ms(self) -> Runs:
        """Visit -> every run of the visits that took the machine as it was, in ms."""
        plain = [list(visit.runs_ms) for visit in self.visits if visit.plain]
        return plain or [list(visit.runs_ms) for visit in self.visits]

    @cached_property
    def latency_ms(self) -> float:
        """The plan's quantile over the runs at full speed."""
        return quantile_ms(self.runs_ms, self.quantile)

    @cached_property
    def _interval_ms(self) -> tuple[float, float]:
        return bootstrap_interval([self.runs_ms], [1.0], self.quantile, STATISTICS_SEED)

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
        """As seen today: the median of the runs that nobody had waited for."""
        return quantile_ms(self.plain_runs_ms, 0.5)

    @cached_property
    def p90_ms(self) -> float:
        """As seen today: the 90th percentile of the same runs."""
        return quantile_ms(self.plain_runs_ms, 0.9)

    @cached_property
    def p99_ms(self) -> float:
        """As seen today: the 99th percentile of the same runs."""
        return quantile_ms(self.plain_runs_ms, 0.99)

    @cached_property
    def noise(self) -> float:
        """Mean |h1-h2|/(h1+h2) over random halves of the visits."""
        return split_half_noise([self.runs_ms], [1.0], self.quantile, STATISTICS_SEED)

    @property
    def count(self) -> int:
        """Number of timed runs."""
        return sum(len(visit.runs_ms) for visit in self.visits)

    @property
    def kept_count(self) -> int:
        """Number of runs at full speed; all of them where nothing was gated."""
        return sum(len(runs) for runs in self.kept_runs_ms)

    @property
    def share_kept(self) -> float:
        """Share (0 to 1) of the runs that nobody had waited for that were at full speed."""
        plain = [visit for visit in self.visits if visit.plain] or self.visits
        kept = sum(len(visit.kept_ms(self.limit_us)) for visit in plain)
        return kept / sum(len(visit.runs_ms) for visit in plain)


@dataclass(frozen=True)
class Readings(Mapping[str, Measurement]):
    """What one session gave: a measurement a model, and how fast the device was.

    Args:
        measurements: Model -> measurement.
        speed: Of the device.
    """

    measurements: Mapping[str, Measurement]
    speed: HostSpeed

    def __getitem__(self, key: str) -> Measurement:
        """Returns a model's measurement."""
        return self.measurements[key]

    def __iter__(self) -> Iterator[str]:
        """Iterates over the models' keys."""
        return iter(self.measurements)

    def __len__(self) -> int:
        """Returns the number of models."""
        return len(self.measurements)


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
) -> Readings:
    """Times models in interleaved rounds until each one's interval is narrow.

    Args:
        models: With unique keys.
        settings: Of the sessions.
        plan: Rounds, runs and when to stop.
        progress: Called after each visit with visits done, visits at most, seconds left.
        resume_path: Journal of finished rounds, continued when it exists; the caller deletes it.
        clock: Seconds.

    Raises:
        WorkerError: No model runs, the journal is another session's, or the clock fails.
        MeasureError: One of them does not run.
    """
    work = workload(models, settings, plan)
    journal_path = str(resume_path) if resume_path else None
    result = measure_models(work, journal_path=journal_path, clock=clock, progress=progress)
    return _readings(work, result)


def measure_fresh_process(
    models: Sequence[Model], settings: SessionSettings, plan: MeasurePlan
) -> Readings:
    """Times models in a new process, which shares no memory, cache or thread with this one.

    Raises:
        MeasureError: A model does not run, or the process failed; the message says why.
    """
    work = workload(models, settings, plan)
    with tempfile.TemporaryDirectory(prefix="latency-") as folder:
        write_job(Path(folder), work)
        done = run_device("latency.device", folder, settings)
        told = told_error(done)
        if told:
            raise MeasureError(*told)
        if done.returncode:
            raise MeasureError(
                f"a new process to measure {len(models)} models",
                last_words(done),
                "measure the same models in this process",
            )
        result = read_result(Path(folder, "result.json"), work.job_id)
    return _readings(work, result)


def run_device(
    module: str, folder: str, settings: SessionSettings
) -> subprocess.CompletedProcess[str]:
    """Runs a program of the device in a new process and waits for it.

    Args:
        module: Its dotted name.
        folder: Of a job.
        settings: Of the sessions.
    """
    # -P: the working folder of this process may hold modules of any name.
    command = [sys.executable, "-P", "-m", module, folder]
    # What job.json names is not loaded there; what is named here is.
    command += settings.loading_flags()
    return subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)


def told_error(done: subprocess.CompletedProcess[str]) -> tuple[str, str, str] | None:
    """Expected, received and fix, as a program of the device told them; None where it did not.

    Args:
        done: The process, ended.
    """
    # Libraries print before our own message; lines that go on are indented.
    _, mark, words = done.stderr.rpartition("error: Expected ")
    expected, told_received, rest = words.partition(".\nReceived: ")
    received, told_fix, fix = rest.partition("\nFix: ")
    if not (done.returncode and mark and told_received and told_fix):
        return None
    expected, received, fix = (" ".join(text.split()) for text in (expected, received, fix))
    return expected, received.removesuffix("."), fix.removesuffix(".")


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """What a process that failed said at its end, on one line."""
    # Libraries print before our own message. It has three parts: on one line, they stay together.
    said = done.stderr.rpartition("error: Expected ")
    words = " ".join("".join(said[1:]).split())[-500:]
    if done.returncode < 0:
        return f"{words} ended by {signal.Signals(-done.returncode).name}".strip()
    return words or f"exit code {done.returncode}"


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
    own_folder(folder / "models")
    job = work.job_file()
    for entry, model in zip(job.models, work.models, strict=True):
        atomic.write_bytes(folder / entry.file, model.data)
        if entry.inputs:
            atomic.write_bytes(folder / entry.inputs, model.inputs)
    # Last, so that a folder with a job.json is a whole one.
    atomic.write_text(folder / "job.json", strict_json.dumps(job))


def _readings(work: Workload, result: Result) -> Readings:
    """The result of `workload`, whose quantities are its models in order."""
    if result.failed:
        key, reason = next(iter(result.failed.items()))
        raise MeasureError(
            f"models that run beside each other, {key!r} among them",
            reason,
            "leave out this model, or measure it alone",
        )
    limit_us = result.speed.limit_us
    measurements = {
        model.key: Measurement(
            model.key, result.visits[model.key], work.plan.quantile, certain, limit_us
        )
        for model, certain in zip(work.models, result.certain, strict=True)
    }
    return Readings(measurements, result.speed)
