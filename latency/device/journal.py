"""The journal: finished rounds survive a kill, and a finished session stays as it was judged."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Optional, Union

from . import files, strict_json
from .errors import LatencyError, WorkerError
from .host import DeviceState, Host
from .speed import HostSpeed
from .statistics import Visit


@dataclass(frozen=True)
class Round:
    """A finished round.

    Args:
        round: Its number, from 0.
        visits: Model -> its visit; models that had stopped are absent.
        seconds: Time spent in all rounds up to the end of this one.
        state: Of the device after it; None where nobody looked.
        full_speed_us: The probe at full speed as it was known by then; None where nothing is
            gated. A session that goes on later judges by it.
    """

    round: int
    visits: Mapping[str, Visit]
    seconds: float
    state: Optional[DeviceState] = None
    full_speed_us: Optional[float] = None


@dataclass(frozen=True)
class End:
    """How a session ended. Its rounds are judged by this whenever they are read again.

    What a machine shows later says nothing of runs that were made before.

    Args:
        host: The device.
        started_at: Of the part of the session that ended it, ISO 8601 in UTC.
        finished_at: ISO 8601 in UTC.
        state_after: Of the device.
        speed: How fast the device was, and so which runs count.
    """

    host: Host
    started_at: str
    finished_at: str
    state_after: DeviceState
    speed: HostSpeed


@dataclass(frozen=True)
class Past:
    """What a journal holds.

    Args:
        rounds: Finished ones, in order.
        end: How the session ended; None where it goes on.
    """

    rounds: tuple[Round, ...] = ()
    end: Optional[End] = None


@dataclass(frozen=True)
class _Head:
    """The first line of a journal: which session it belongs to.

    Version 1 had no number, and no session in it ever ended: it goes on, and then ends.
    """

    SCHEMA_VERSION: ClassVar[int] = 2

    identity: str


def read_journal(path: str, identity: str) -> Past:
    """Reads the finished rounds of a session and its end, and cuts off a torn last line.

    Args:
        path: Of the journal; may be absent.
        identity: Of the session: its models, settings, plan and device.

    Raises:
        WorkerError: The journal is broken, or belongs to another session.
        FileFormatError: A link lies there, which is never written to.
    """
    if not os.path.lexists(path):
        return Past()
    fix = f"delete {path} to start over"
    lines = _whole_lines(path)
    try:
        values = [strict_json.loads(line.decode("utf-8"), path) for line in lines]
        found = _head(values[0], path).identity if values else identity
        records = [_record(value, path) for value in values[1:]]
    except UnicodeDecodeError as error:
        raise WorkerError("a journal of measured rounds", f"{path}: {error}", fix) from None
    except LatencyError as error:
        received = f"{error.received}, where {error.expected} was expected"
        raise WorkerError("a journal of measured rounds", received, fix) from None
    rounds = tuple(record for record in records if isinstance(record, Round))
    if found != identity or [entry.round for entry in rounds] != list(range(len(rounds))):
        raise WorkerError(
            f"a journal of the session {identity} with its rounds in order",
            f"{path} of the session {found} with {len(rounds)} rounds",
            fix,
        )
    # A model that failed in a session that ended may run now: the rounds go on behind such an end.
    last = records[-1] if records else None
    return Past(rounds, last if isinstance(last, End) else None)


def _head(value: Any, path: str) -> _Head:
    is_numbered = isinstance(value, dict) and strict_json.VERSION_KEY in value
    plain = strict_json.unversioned(_Head, value, path) if is_numbered else value
    return strict_json.decode(_Head, plain, path)


def _record(value: Any, path: str) -> Union[Round, End]:
    if isinstance(value, dict) and "round" not in value:
        return strict_json.decode(End, value, path)
    return strict_json.decode(Round, value, path)


def _whole_lines(path: str) -> list[bytes]:
    with files.open_own(path) as stream:
        content = stream.read(files.MOST_TEXT_BYTES + 1)
        if len(content) > files.MOST_TEXT_BYTES:
            raise WorkerError(
                f"at most {files.MOST_TEXT_BYTES} bytes in {path}", "more", f"delete {path}"
            )
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            stream.truncate(len(whole))
    return whole.splitlines()


def append_journal(path: str, identity: str, record: Union[Round, End]) -> bool:
    """Appends one finished round, or the end, and flushes it to disk.

    Args:
        path: Of the journal.
        identity: Of the session.
        record: The round, or the end.

    Returns:
        Whether rounds can be kept. Where the disk is full or the folder gone, that is said once,
        and a measurement of minutes need not end for it.

    Raises:
        FileFormatError: A link lies there, which is never written to.
    """
    try:
        with files.open_own(path) as stream:
            if stream.seek(0, os.SEEK_END) == 0:
                stream.write(_line(_Head(identity)))
            stream.write(_line(record))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        print(f"warning: finished rounds are no longer kept: {error}", file=sys.stderr)
        return False
    return True


def _line(record: object) -> bytes:
    return strict_json.dumps(record, indent=None).encode()
