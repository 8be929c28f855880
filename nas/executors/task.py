"""What does a job: a function of its payload, which says how it goes on and why it failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nas.executors.messages import Cause
from nas.system.interrupt import Interrupter


class TaskError(Exception):
    """A job that failed in a way which its driver should know.

    Args:
        cause: Why.
        message: For people.
    """

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause: Cause = cause


@dataclass(frozen=True)
class Context:
    """What a task has beside its payload.

    Args:
        job_id: Of the job.
        interrupter: Asked whether to stop; a task that stops saves its state first.
        progress: Told JSON data now and then, so that nobody takes the job for hung.
    """

    job_id: str
    interrupter: Interrupter
    progress: Callable[[Mapping[str, Any]], None]


Task = Callable[[Mapping[str, Any], Context], Mapping[str, Any]]
