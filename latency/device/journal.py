"""The journal: finished rounds survive a kill."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from . import files, strict_json
from .errors import LatencyError, WorkerError
from .host import DeviceState
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
class _Head:
    """The first line of a journal: which session it belongs to."""

    identity: str


def read_journal(path: str, identity: str) -> list[Round]:
    """Reads the finished rounds of an interrupted session and cuts off a torn last line.

    Args:
        path: Of the journal; may be absent.
        identity: Of the session: its models, settings, plan and device.

    Raises:
        WorkerError: The journal is broken, or belongs to another session.
        FileFormatError: A link lies there, which is never written to.
    """
    if not os.path.lexists(path):
        return []
    fix = f"delete {path} to start over"
    lines = _whole_lines(path)
    try:
        values = [strict_json.loads(line.decode("utf-8"), path) for line in lines]
        found = strict_json.decode(_Head, values[0], path).identity if values else identity
        rounds = [strict_json.decode(Round, value, path) for value in values[1:]]
    except UnicodeDecodeError as error:
        raise WorkerError("a journal of measured rounds", f"{path}: {error}", fix) from None
    except LatencyError as error:
        received = f"{error.received}, where {error.expected} was expected"
        raise WorkerError("a journal of measured rounds", received, fix) from None
    if found != identity or [entry.round for entry in rounds] != list(range(len(rounds))):
        raise WorkerError(
            f"a journal of the session {identity} with its rounds in order",
            f"{path} of the session {found} with {len(rounds)} rounds",
            fix,
        )
    return rounds


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


def append_journal(path: str, identity: str, record: Round) -> bool:
    """Appends one finished round and flushes it to disk.

    Args:
        path: Of the journal.
        identity: Of the session.
        record: The round.

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
    return json.dumps(strict_json.encode(record), allow_nan=False).encode() + b"\n"
