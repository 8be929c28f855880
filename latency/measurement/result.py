"""What a worker brings back: raw samples, the device, and what really ran there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from latency.measurement.host import Host
from latency.worker import JOB_SCHEMA_VERSION, Quantity, Visits, certain_quantities


class ResultError(ValueError):
    """A result that is broken, of another job, or of another device."""


@dataclass(frozen=True)
class Result:
    """One measuring session, as `worker.measure_models` returns it.

    Args:
        job_id: Of the models, settings and plan that were measured.
        host: The device.
        samples_ms: Model key -> visit -> run, in ms.
        certain: Whether each quantity of the job became certain.
        rounds: Interleaved rounds.
        seconds: Time spent in them, over all resumed parts.
        log: Device state after each round.
        described: Model key -> `op_counts` and `node_share`.
        started_at: ISO 8601 in UTC.
        finished_at: ISO 8601 in UTC.
        state_after: Device state at the end.
        unknown_keys: Settings that the device's worker or onnxruntime did not know.
    """

    job_id: str
    host: Host
    samples_ms: Mapping[str, Visits]
    certain: tuple[bool, ...]
    rounds: int
    seconds: float
    log: tuple[Mapping[str, Any], ...]
    described: Mapping[str, Mapping[str, Any]]
    started_at: str
    finished_at: str
    state_after: Mapping[str, Any]
    unknown_keys: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, value: Mapping[str, Any], source: str = "a worker's result") -> Result:
        """Reads the worker's form.

        Raises:
            ResultError: A field is missing, or of another schema version.
        """
        if not isinstance(value, dict) or value.get("schema_version") != JOB_SCHEMA_VERSION:
            version = value.get("schema_version") if isinstance(value, dict) else "no object"
            raise ResultError(
                f"Expected a result of schema version {JOB_SCHEMA_VERSION} in {source}. "
                f"Received: {version}. Fix: run the job again with the worker.py exported with it."
            )
        try:
            return cls(
                job_id=str(value["job_id"]),
                host=Host.from_json(value["host"]),
                samples_ms={key: list(visits) for key, visits in value["samples_ms"].items()},
                certain=tuple(bool(entry) for entry in value["certain"]),
                rounds=int(value["rounds"]),
                seconds=float(value["seconds"]),
                log=tuple(dict(entry) for entry in value["log"]),
                described={key: dict(entry) for key, entry in value["described"].items()},
                started_at=str(value["started_at"]),
                finished_at=str(value["finished_at"]),
                state_after=dict(value["state_after"]),
                unknown_keys=tuple(value.get("unknown_keys", ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ResultError(
                f"Expected a whole result in {source}. Received: {type(error).__name__}: {error}. "
                "Fix: run the job again."
            ) from error


def read_result(path: str | os.PathLike[str], job_id: str | None = None) -> Result:
    """Reads `result.json` and refuses one of another job.

    Args:
        path: Of the file.
        job_id: Of the job that it must belong to; None for any.

    Raises:
        ResultError: The file is missing, broken or of another job.
    """
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=_refuse)
    except (OSError, ValueError) as error:
        raise ResultError(
            f"Expected a worker's result in JSON at {path}. Received: {error}. "
            "Fix: run the job, or copy its result.json again."
        ) from error
    result = Result.from_json(value, str(path))
    if job_id is not None and result.job_id != job_id:
        raise ResultError(
            f"Expected a result of job {job_id} in {path}. Received: one of job {result.job_id}. "
            "Fix: name the result that belongs to this folder, or run the job again."
        )
    return result


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text}, which is no number")


def merge_results(
    results: Sequence[Result], quantities: Sequence[Quantity], plan: Mapping[str, Any]
) -> Result:
    """Joins sessions of one job on one device; every session adds its visits.

    Args:
        results: One or more.
        quantities: Of the job; judged again over all visits.
        plan: The worker's plan.

    Raises:
        ResultError: They are of different jobs or devices, or name different models.
    """
    first = results[0]
    for other in results[1:]:
        if other.job_id != first.job_id:
            raise ResultError(
                f"Expected results of one job. Received: {first.job_id} and {other.job_id}. "
                "Fix: import each job by itself."
            )
        differences = first.host.differences(other.host)
        if differences or first.host.onnxruntime_minor != other.host.onnxruntime_minor:
            text = "; ".join(differences) or f"onnxruntime {other.host.onnxruntime}"
            raise ResultError(
                f"Expected results of one device. Received: {first.host.hostname!r} and "
                f"{other.host.hostname!r}, which differ ({text}). "
                "Fix: make one table for each device."
            )
    if len(results) == 1:
        return first
    samples = {
        key: [visit for result in results for visit in result.samples_ms[key]]
        for key in first.samples_ms
    }
    return Result(
        **{
            **first.__dict__,
            "samples_ms": samples,
            "certain": tuple(certain_quantities(samples, quantities, plan)),
            "rounds": sum(result.rounds for result in results),
            "seconds": sum(result.seconds for result in results),
            "log": tuple(entry for result in results for entry in result.log),
            "finished_at": results[-1].finished_at,
            "state_after": results[-1].state_after,
        }
    )
