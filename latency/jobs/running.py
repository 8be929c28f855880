"""The part of a job that could be measured, where some of its models do not run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import compress

from latency.device.records import Result
from latency.jobs.job import Job, JobError


def running_part(job: Job, result: Result) -> tuple[Job, Result]:
    """Returns a job and its result without the models that failed, and all that rests on them.

    Args:
        job: That was measured.
        result: Of the job; `failed` says which models do not run, and why.

    Raises:
        JobError: No row is left.
    """
    failed = result.failed
    if not failed:
        return job, result
    rows = [not {row.long_key, row.short_key} & set(failed) for row in job.rows]
    known = {row.key for row in compress(job.rows, rows)}
    wholes = [whole.key not in failed and set(whole.row_keys) <= known for whole in job.wholes]
    if not known:
        key, reason = next(iter(failed.items()))
        raise JobError(
            f"models that run, {key!r} among them",
            reason,
            "mend this model, or give arrays that it takes: --input FILE.npz",
        )
    left = replace(
        job,
        models=tuple(model for model in job.models if model.key not in failed),
        rows=tuple(compress(job.rows, rows)),
        wholes=tuple(compress(job.wholes, wholes)),
    )
    certain = tuple(compress(result.certain, [*rows, *wholes]))
    return left, replace(result, certain=certain, failed={})


def left_out(job: Job, left: Job, failed: Mapping[str, str]) -> list[str]:
    """Says what does not run, and which rows and networks a table lacks for it.

    Args:
        job: That was measured.
        left: Of `running_part`.
        failed: Model key -> why it does not run.
    """
    if not failed:
        return []
    said = [f"model {key!r} does not run: {reason}" for key, reason in failed.items()]
    kept = {row.key for row in left.rows} | {whole.key for whole in left.wholes}
    every = [row.key for row in job.rows] + [whole.key for whole in job.wholes]
    lacking = [key for key in every if key not in kept]
    return [*said, f"left out for it: {', '.join(map(repr, lacking))}"]
