"""Results that devices bring back: read with suspicion, joined where they belong together."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace

from latency.device import strict_json
from latency.device.plan import DevicePlan
from latency.device.records import Result
from latency.device.speed import HostSpeed
from latency.device.statistics import Quantity, certain_quantities
from latency.errors import FileFormatError, LatencyError, StandInError
from latency.measurement.repeats import refuse_repeats


class ResultError(LatencyError):
    """A result that is broken, of another job, or of another device."""


def read_result(path: str | os.PathLike[str], job_id: str | None = None) -> Result:
    """Reads `result.json` and refuses one of another job.

    Args:
        path: Of the file.
        job_id: Of the job that it must belong to; None for any.

    Raises:
        ResultError: The file is missing, broken or of another job.
    """
    try:
        result = strict_json.read(Result, path)
    except FileFormatError as error:
        raise ResultError(
            f"a device's result: {error.expected}",
            error.received,
            error.fix
            if isinstance(error, StandInError)
            else "run the job again as it was exported, or copy its result.json again",
        ) from None
    if job_id is not None and result.job_id != job_id:
        raise ResultError(
            f"a result of job {job_id} in {path}",
            f"one of job {result.job_id}",
            "name the result that belongs to this folder, or run the job again",
        )
    return result


def merge_results(
    results: Sequence[Result], quantities: Sequence[Quantity], plan: DevicePlan
) -> Result:
    """Joins sessions of one job on one device; every session adds its visits.

    Args:
        results: One or more.
        quantities: Of the job; judged again over all visits.
        plan: Of the job.

    Raises:
        ResultError: They are of different jobs or devices.
        RepeatError: Two are of the same session.
    """
    first = results[0]
    for other in results[1:]:
        _refuse_strangers(first, other)
    refuse_repeats(results)
    if len(results) == 1:
        return first
    visits = {
        key: tuple(visit for result in results for visit in result.visits[key])
        for key in first.visits
    }
    speed = _joined_speed([result.speed for result in results])
    return replace(
        first,
        visits=visits,
        speed=speed,
        certain=tuple(certain_quantities(visits, quantities, plan, speed.limit_us)),
        rounds=sum(result.rounds for result in results),
        seconds=sum(result.seconds for result in results),
        log=tuple(entry for result in results for entry in result.log),
        finished_at=results[-1].finished_at,
        state_after=results[-1].state_after,
    )


def _refuse_strangers(first: Result, other: Result) -> None:
    if other.job_id != first.job_id:
        raise ResultError(
            "results of one job", f"{first.job_id} and {other.job_id}", "import each job by itself"
        )
    lacking = sorted(set(first.visits) ^ set(other.visits))
    if lacking:
        raise ResultError(
            "results with visits of the same models",
            f"{lacking[0]!r} in one of them only ({len(lacking)} differ)",
            "copy both results again, or run the job again",
        )
    differences = first.host.differences(other.host)
    if differences or first.host.onnxruntime_minor != other.host.onnxruntime_minor:
        text = "; ".join(differences) or f"onnxruntime {other.host.onnxruntime}"
        raise ResultError(
            "results of one device",
            f"{first.host.hostname!r} and {other.host.hostname!r}, which differ ({text})",
            "make one table for each device",
        )


def _joined_speed(speeds: Sequence[HostSpeed]) -> HostSpeed:
    """The speed of sessions on one device: all are judged by the fastest of them."""
    fastest = min(speeds, key=lambda speed: speed.full_speed_us or math.inf)
    shares = [speed.share_full_speed for speed in speeds if speed.share_full_speed is not None]
    return replace(
        fastest,
        share_full_speed=sum(shares) / len(shares) if shares else None,
        waited_seconds=sum(speed.waited_seconds for speed in speeds),
    )
