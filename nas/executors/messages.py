"""What a driver and its workers say to each other: one JSON object a line, nothing pickled.

A driver writes jobs; a worker answers with what becomes of them. An executor of another kind needs
the same messages and no others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from latency.device import strict_json
from nas.errors import InputError

# Why a job failed: a defect or bad input, a loss that is no number, memory, a process that ended,
# one that said nothing for too long, a disk without room.
Cause = Literal["error", "diverged", "memory", "died", "hung", "disk"]
CAUSES: tuple[Cause, ...] = get_args(Cause)


@dataclass(frozen=True)
class Job:
    """Something to do.

    Args:
        id: That messages name it by.
        payload: JSON data for the task.
    """

    id: str
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class Ready:
    """A worker takes jobs from now on.

    Args:
        pid: Number of its process.
    """

    pid: int


@dataclass(frozen=True)
class Progress:
    """A job goes on; also the sign that it does not hang.

    Args:
        id: Of the job.
        fields: JSON data.
    """

    id: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Done:
    """A job is done.

    Args:
        id: Of the job.
        result: JSON data.
    """

    id: str
    result: Mapping[str, Any]


@dataclass(frozen=True)
class Failed:
    """A job failed.

    Args:
        id: Of the job.
        cause: One of `CAUSES`.
        message: For people.
    """

    id: str
    cause: Cause
    message: str


@dataclass(frozen=True)
class Stopped:
    """A job was told to stop and has saved its state.

    Args:
        id: Of the job.
    """

    id: str


Message = Job | Ready | Progress | Done | Failed | Stopped
# What becomes of a job; a worker that is ready says nothing of any.
Event = Progress | Done | Failed | Stopped
_KINDS: dict[str, type[Message]] = {
    kind.__name__.lower(): kind for kind in (Job, Ready, Progress, Done, Failed, Stopped)
}


def to_line(message: Message) -> bytes:
    """A message as a line.

    Args:
        message: With finite numbers only.

    Raises:
        ValueError: A number is NaN or infinite, which JSON does not have.
    """
    value = {"kind": type(message).__name__.lower(), **vars(message)}
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def from_line(line: bytes, source: str) -> Message:
    """The message of a line.

    Args:
        line: As `to_line` gives it.
        source: Who wrote it, for the error.

    Raises:
        FileFormatError: It is no whole JSON.
        InputError: It is no message.
    """
    value = strict_json.loads(line.decode("utf-8", "replace"), source)
    kind = _KINDS.get(value.pop("kind", "")) if isinstance(value, dict) else None
    if kind is None or set(value) != set(kind.__annotations__) or not _fits(kind, value):
        raise InputError(
            f"a message ({', '.join(_KINDS)}) of {source}",
            line.decode("utf-8", "replace").strip()[:200],
            "use the same version of the program for the driver and its workers",
        )
    return kind(**value)


def _fits(kind: type[Message], value: Mapping[str, Any]) -> bool:
    """Whether the values of a message have their types; there are three."""
    types = {"pid": int, "payload": dict, "fields": dict, "result": dict}
    if not all(isinstance(part, types.get(name, str)) for name, part in value.items()):
        return False
    return kind is not Failed or value["cause"] in CAUSES
