"""Measuring a job: models, settings and a plan -> a result; and the folder form of both."""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

from . import strict_json
from .clock import Clock, now_text
from .engine import Instruments, run_rounds
from .errors import FileFormatError, WorkerError
from .files import MOST_MODEL_BYTES, keep_text, locked, read_inside
from .gate import Gate
from .graph_info import describe_model
from .host import current_host, device_state
from .inputs import MOST_FILE_BYTES, USUAL_INTEGERS
from .journal import End
from .meter import Progress
from .plan import DevicePlan
from .records import JobFile, Result
from .runner import ModelRunner
from .sessions import config_entries, pinned
from .settings import SessionSettings
from .text import visible
from .workload import Model, Workload, identity_of

__all__ = [
    "JOB_FILE",
    "JOURNAL_FILE",
    "RESULT_FILE",
    "Model",
    "Workload",
    "measure_models",
    "read_job",
    "read_job_file",
    "run_job",
    "unknown_config_keys",
]

JOB_FILE, RESULT_FILE, JOURNAL_FILE = "job.json", "result.json", "journal.jsonl"
LOCK_FILE = "worker.lock"


def read_job(folder: str, asked: Mapping[str, Any] | None = None) -> tuple[Workload, list[str]]:
    """Reads a job's folder and checks that its models are the exported ones.

    Args:
        folder: With `job.json` and the models that it names.
        asked: Fields of `settings.LOADING_FLAGS` as the command line says them; what code a
            job.json names is never loaded.

    Returns:
        The work, and what this program or this onnxruntime would ignore without a word.

    Raises:
        FileFormatError: Another schema version, a missing key, a value of another type, or a model
            that is no plain file of the folder.
        SettingsError: The job names code to load, and the command line does not.
        WorkerError: A file was changed.
    """
    plain, job, unknown = _read(os.path.join(folder, JOB_FILE))
    models = tuple(
        Model(
            entry.key,
            read_inside(folder, entry.file, MOST_MODEL_BYTES),
            entry.group,
            read_inside(folder, entry.inputs, MOST_FILE_BYTES) if entry.inputs else b"",
        )
        for entry in job.models
    )
    settings = job.settings.asked(**(asked or {}))
    settings.check_loading()
    work = Workload(models, job.quantities, settings, job.plan, job.describe, job.job_id)
    # Of the values as they were written: a newer program's keys count, too.
    written = (plain["settings"], plain["plan"], plain["quantities"])
    found = identity_of(work.data, *written, *work.inputs_part)
    if found != job.job_id:
        raise WorkerError(
            f"the models and settings that make job {job.job_id}",
            f"those of job {found}",
            "copy the whole folder again, or export the job again",
        )
    return work, unknown + unknown_config_keys(list(config_entries(job.settings)))


def read_job_file(path: str) -> JobFile:
    """Reads job.json without the models; keys of a newer program are passed over.

    Raises:
        FileFormatError: Another schema version, a missing key, or a value of another type.
    """
    return _read(path)[1]


def _read(path: str) -> tuple[dict[str, Any], JobFile, list[str]]:
    """The plain values of job.json, the job, and the keys of a newer program in it."""
    plain = strict_json.unversioned(JobFile, strict_json.read_object(path), path)
    known, unknown = _known(JobFile, plain, "")
    for name, cls in (("settings", SessionSettings), ("plan", DevicePlan)):
        if isinstance(known.get(name), dict):
            known[name], more = _known(cls, known[name], f"{name}.")
            unknown += more
    return plain, strict_json.decode(JobFile, known, path), sorted(unknown)


def _known(
    cls: type[Any], plain: Mapping[str, Any], prefix: str
) -> tuple[dict[str, Any], list[str]]:
    keys = strict_json.keys_of(cls)
    known = {key: value for key, value in plain.items() if key in keys}
    return known, [prefix + key for key in plain if key not in keys]


def unknown_config_keys(keys: Sequence[str]) -> list[str]:
    """Names configuration keys whose text the installed onnxruntime does not contain.

    An older onnxruntime takes a newer key without an error and without an effect.
    """
    import onnxruntime

    folder = os.path.join(os.path.dirname(onnxruntime.__file__), "capi")
    pending = set(keys)
    libraries = [n for n in sorted(glob.glob(os.path.join(folder, "*"))) if "onnxruntime" in n]
    for name in libraries:
        if pending and os.path.isfile(name) and name.endswith((".so", ".pyd", ".dll", ".dylib")):
            with open(name, "rb") as stream:
                content = stream.read()
            pending = {key for key in pending if key.encode() not in content}
    return sorted(pending)


def measure_models(
    work: Workload,
    *,
    journal_path: str | None = None,
    clock: Clock = time.perf_counter,
    progress: Progress | None = None,
) -> Result:
    """Measures models on this device. One that does not run is named; the others go on.

    Args:
        work: Models, settings, plan, and what has to become certain.
        journal_path: Finished rounds are kept here; continued when it exists.
        clock: Seconds.
        progress: Called after each visit with visits done, visits at most, seconds left.

    Raises:
        WorkerError: No model runs, the journal is another session's, or the clock fails.
    """
    host, started_at = current_host(), now_text()
    with pinned(work.settings.affinity):
        runners, failed = _runners(work)
        identity = f"{work.job_id} on {host.fingerprint}{_drawn_text(runners)}"
        wanted = [set(quantity.keys) <= set(runners) for quantity in work.quantities]
        budget_s, is_real = work.plan.max_wait_seconds, clock is time.perf_counter
        gate = Gate.of(work.settings, budget_s, host, clock, has_past=is_real)

        def ended() -> End:
            return End(host, started_at, now_text(), device_state(), gate.close())

        outcome = run_rounds(
            runners,
            {model.key: model.group for model in work.models},
            tuple(compress(work.quantities, wanted)),
            _floored(work.plan, runners),
            Instruments(clock, device_state, gate.watch, ended),
            (journal_path, identity) if journal_path else None,
            progress,
        )
        data = work.data
        keys = [key for key in work.describe if key in runners]
        described = {key: describe_model(data[key], work.settings) for key in keys}
    verdicts = iter(outcome.certain)
    certain = tuple(is_wanted and next(verdicts) for is_wanted in wanted)
    found = {**vars(outcome), "certain": certain}
    return Result(
        job_id=work.job_id,
        settings=work.settings,
        described=described,
        failed=failed,
        **vars(found.pop("end")),
        **found,
    )


def _runners(work: Workload) -> tuple[dict[str, ModelRunner], dict[str, str]]:
    """Loads and tries every model; returns those that run, and why the others do not.

    Raises:
        WorkerError: Nothing of what is wanted can be measured with those that run.
    """
    runners: dict[str, ModelRunner] = {}
    errors: dict[str, WorkerError] = {}
    for model in work.models:
        found = _tried(model, work)
        if isinstance(found, WorkerError):
            errors[model.key] = found
        else:
            runners[model.key] = found
    if errors and not any(set(quantity.keys) <= set(runners) for quantity in work.quantities):
        first, error = next(iter(errors.items()))
        also = f"; also {', '.join(map(repr, list(errors)[1:]))}" if len(errors) > 1 else ""
        where = "" if repr(first) in error.expected else f" for model {first!r}"
        raise WorkerError(f"{error.expected}{where}", error.received + also, error.fix)
    return runners, {
        key: f"{error.received} (expected {error.expected}; fix: {error.fix})"
        for key, error in errors.items()
    }


def _tried(model: Model, work: Workload) -> ModelRunner | WorkerError:
    """A model that has run once, or why it does not."""
    try:
        return ModelRunner(model.data, work.settings, work.plan.seed, model.inputs, model.key)
    except WorkerError as error:
        return error


def _drawn_text(runners: Mapping[str, ModelRunner]) -> str:
    """Tells sessions apart that draw integers of other ranges; empty where all are as usual."""
    drawn = {
        key: {name: ends for name, ends in run.ranges.items() if ends != USUAL_INTEGERS}
        for key, run in runners.items()
    }
    drawn = {key: ranges for key, ranges in drawn.items() if ranges}
    if not drawn:
        return ""
    text = json.dumps(drawn, sort_keys=True)
    return f" on ids {hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _floored(plan: DevicePlan, runners: Mapping[str, ModelRunner]) -> DevicePlan:
    """The plan with a floor of those models that run."""
    return dataclasses.replace(
        plan, floor_keys=tuple(key for key in plan.floor_keys if key in runners)
    )


def run_job(
    folder: str, progress: Progress | None = None, asked: Mapping[str, Any] | None = None
) -> str:
    """Runs `job.json` of a folder, resuming its journal, and returns the result's path.

    One process at a time; a second one waits and finds the first one's result.

    Args:
        folder: Of the job.
        progress: See `measure_models`.
        asked: See `read_job`.

    Raises:
        LatencyError: The job is damaged, or a model cannot be measured.
        UnwrittenError: The result cannot be written; it stands on stdout.
    """
    path = os.path.join(folder, RESULT_FILE)
    with locked(os.path.join(folder, LOCK_FILE)):
        work, unknown = read_job(folder, asked)
        if _has_result(path, work.job_id):
            return path
        for key in unknown:
            print(f"warning: {visible(key, '')} is unknown here and has no effect", file=sys.stderr)
        journal_path = os.path.join(folder, JOURNAL_FILE)
        result = measure_models(work, journal_path=journal_path, progress=progress)
        for key, reason in result.failed.items():
            text = visible(f"model {key!r} does not run: {reason}", "")
            print(f"warning: {text}", file=sys.stderr)
        result = dataclasses.replace(result, unknown_keys=tuple(unknown))
        keep_text(path, strict_json.dumps(result, indent=None))
    return path


def _has_result(path: str, job_id: str) -> bool:
    try:
        return bool(strict_json.read_object(path).get("job_id") == job_id)
    except FileFormatError:
        return False
