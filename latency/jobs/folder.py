"""A job as a folder: written here, run on a device, its results read back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from latency import atomic, worker
from latency.jobs.job import Job, JobError, Subject
from latency.jobs.plans import RowPlan, WholePlan
from latency.measurement.measure import Model, write_job
from latency.measurement.plan import MeasurePlan
from latency.measurement.result import Result, merge_results, read_result
from latency.measurement.settings import SessionSettings

MANIFEST_SCHEMA_VERSION = 1


def export_job(job: Job, folder: Path) -> str:
    """Writes models, job.json, manifest.json and worker.py, and returns the job's id.

    Writing the same job again changes nothing, so that a measured folder keeps its journal.

    Raises:
        JobError: The folder holds something else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plain = [{"keys": list(q.keys), "weights": list(q.weights)} for q in job.quantities]
    data = {model.key: model.data for model in job.everything}
    job_id = worker.identity_of(data, job.settings.to_json(), job.worker_plan, plain)
    names = sorted(path.name for path in folder.iterdir())
    # job.json is written last: without it, our own files are those of a killed export.
    unfinished = set(names) <= {"models", "manifest.json", "worker.py"}
    if _job_id(folder) != job_id and not unfinished:
        raise JobError(
            f"Expected an empty folder, or one that holds job {job_id}, at {folder}. "
            f"Received: one with {', '.join(names[:3])}. Fix: name another folder."
        )
    atomic.write_bytes(folder / "worker.py", Path(worker.__file__).read_bytes())
    atomic.write_json(folder / "manifest.json", _manifest(job))
    write_job(folder, job.everything, job.settings, job.worker_plan, job.quantities, job.described)
    return job_id


def _job_id(folder: Path) -> str | None:
    try:
        value = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        return str(value["job_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _manifest(job: Job) -> dict[str, Any]:
    wholes = {whole.key: whole for whole in job.wholes}
    models = []
    for number, model in enumerate(job.models):
        entry = {"key": model.key, "file": f"models/{number:04d}.onnx", "group": model.group}
        whole = wholes.get(model.key)
        entry["role"] = whole.role if whole else "row"
        models.append({**entry, "row_keys": list(whole.row_keys)} if whole else entry)
    rows = [
        {"key": r.key, "long": r.long_key, "short": r.short_key, "divisor": r.divisor}
        for r in job.rows
    ]
    version = {"schema_version": MANIFEST_SCHEMA_VERSION}
    return {**version, **asdict(job.subject), "models": models, "rows": rows}


def read_job(
    folder: Path,
    settings: SessionSettings | None = None,
    plan: MeasurePlan | None = None,
) -> Job:
    """Reads a folder with a manifest, exported or written by hand.

    Args:
        folder: With manifest.json and the models that it names.
        settings: Of the sessions; those of job.json by default.
        plan: Rounds; that of job.json by default.

    Raises:
        JobError: The manifest is missing or broken, or names a file outside of the folder.
    """
    manifest = _read_json(folder / "manifest.json", "a manifest")
    if settings is None or plan is None:
        job = _read_json(folder / "job.json", "an exported job")
        known = {name: job["plan"][name] for name in MeasurePlan.__dataclass_fields__}
        settings = settings or SessionSettings.from_json(job["settings"])
        plan = plan or MeasurePlan(**known)
    try:
        if manifest["schema_version"] != MANIFEST_SCHEMA_VERSION:
            raise ValueError(f"schema version {manifest['schema_version']}")
        entries = manifest["models"]
        models = tuple(
            Model(e["key"], _model_bytes(folder, e["file"]), e.get("group", e["key"]))
            for e in entries
        )
        wholes = tuple(
            WholePlan(e["key"], tuple(e["row_keys"]), e["role"])
            for e in entries
            if e.get("role", "row") != "row"
        )
        names = Subject.__dataclass_fields__
        subject = Subject(**{name: manifest[name] for name in names if name in manifest})
        rows = _rows(manifest)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise JobError(
            f"Expected a manifest of schema version {MANIFEST_SCHEMA_VERSION} with space, models "
            f"(key, file, role) and rows in {folder / 'manifest.json'}. "
            f"Received: {type(error).__name__}: {error}. Fix: export the job again, or see "
            "docs/measuring.md for the form."
        ) from error
    return Job(subject, models, rows, wholes, settings, plan)


def _rows(manifest: Mapping[str, Any]) -> tuple[RowPlan, ...]:
    """Row plans; without any, every model that is no whole network is a row by itself."""
    if manifest.get("rows"):
        return tuple(
            RowPlan(r["key"], r["long"], r.get("short"), float(r.get("divisor", 1.0)))
            for r in manifest["rows"]
        )
    rows = [e["key"] for e in manifest["models"] if e.get("role", "row") == "row"]
    return tuple(RowPlan(key, key, None, 1.0) for key in rows)


def _model_bytes(folder: Path, name: str) -> bytes:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise ValueError(f"{name!r}, which is no file in the folder")
    return path.read_bytes()


def _read_json(path: Path, what: str) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
        if isinstance(value, dict):
            return value
        received = f"a {type(value).__name__}"
    except (OSError, ValueError) as error:
        received = str(error)
    raise JobError(
        f"Expected {what} in JSON at {path}. Received: {received}. "
        "Fix: name a folder made by --export_job, or copy it again."
    )


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text}, which is no number")


def read_results(job: Job, folder: Path, paths: Sequence[Path] = ()) -> Result:
    """Reads the results of a job, joined when there are several.

    Args:
        job: That was measured.
        folder: Its folder.
        paths: Of results; the folder's own by default.

    Raises:
        ValueError: A result is broken, of another job, or of another device than the first.
    """
    job_id = _job_id(folder)
    results = [read_result(path, job_id) for path in (paths or [folder / "result.json"])]
    return merge_results(results, job.quantities, job.worker_plan)
