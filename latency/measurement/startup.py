"""Models started in a process each, before they are measured together."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from latency.device import strict_json
from latency.device.job import Model
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.device.startup import STARTUP_FILE, Startup
from latency.errors import LatencyError
from latency.measurement.measure import last_words, run_device, told_error, workload, write_job

KILLED = 9  # the signal by which a system ends what takes too much memory


class StartError(LatencyError):
    """A model that does not run at all."""


def start_fresh_process(model: Model, settings: SessionSettings, seed: int = 0) -> Startup:
    """Loads and runs a model in a process of its own.

    Args:
        model: That is started.
        settings: Of the session.
        seed: Of drawn inputs; 0 by default.

    Raises:
        StartError: It does not load, or does not run; the reason is the message's.
    """
    work = workload([model], settings, MeasurePlan(seed=seed))
    with tempfile.TemporaryDirectory(prefix="latency-") as folder:
        write_job(Path(folder), work)
        done = run_device("latency.device.startup", folder, settings)
        if done.returncode:
            told = told_error(done)
            raise StartError(
                f"a model that loads and runs as {model.key!r}",
                f"{told[1]} (expected {told[0]})" if told else last_words(done),
                told[2] if told else _fix_of(done.returncode),
            )
        return strict_json.read(Startup, Path(folder, STARTUP_FILE))


def _fix_of(code: int) -> str:
    """What to do about a process that ended without a word of ours."""
    if code == -KILLED:
        return "free memory, or measure a smaller model or batch"
    return "mend or leave out this model"


def start_all(
    models: Sequence[Model], settings: SessionSettings, seed: int = 0
) -> tuple[dict[str, Startup], dict[str, StartError]]:
    """Starts models one after another, each in a process of its own.

    Args:
        models: With unique keys.
        settings: Of the sessions.
        seed: Of drawn inputs; 0 by default.

    Returns:
        The starts of those that run, and the errors of the others, both by key.
    """
    started: dict[str, Startup] = {}
    failed: dict[str, StartError] = {}
    for model in models:
        try:
            started[model.key] = start_fresh_process(model, settings, seed)
        except StartError as error:
            failed[model.key] = error
    return started, failed
