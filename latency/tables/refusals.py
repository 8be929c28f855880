"""Whether a table may be used here: what is refused, and what is only said."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NoReturn

from latency.measurement.host import Host

MAX_AGE_DAYS = 30


class TableMismatchError(ValueError):
    """A table of another space, image size, precision, provider or host."""


def refuse_other(path: str | os.PathLike[str], pairs: Mapping[str, tuple[object, object]]) -> None:
    """Refuses a table of which a property differs from the expected one; None is unchecked.

    Args:
        path: Of the table's file.
        pairs: Property -> expected and found value.

    Raises:
        TableMismatchError: A property differs.
    """
    for name, (expected, found) in pairs.items():
        if expected is not None and expected != found:
            raise TableMismatchError(
                f"Expected a table of {name} {expected!r} in {path}. Received: {found!r}. "
                f"Fix: build a table for this {name}, or name another file."
            )


def refuse_host(path: str | os.PathLike[str], differences: Sequence[str]) -> NoReturn:
    """Refuses a table of another machine.

    Raises:
        TableMismatchError: Always.
    """
    raise TableMismatchError(
        f"Expected a table measured on this machine in {path}. Received: another host "
        f"({'; '.join(differences)}). Fix: build the table here, or say that the network is meant "
        "for the other device."
    )


def load_warnings(
    measured: Host,
    measured_threads: int,
    date: str,
    here: Host,
    differences: Sequence[str],
    threads: int | None,
) -> list[str]:
    """Says what makes a table doubtful here without making it wrong.

    Args:
        measured: The host that the table is of.
        measured_threads: That its sessions ran with.
        date: Of its measurement, ISO 8601.
        here: This host.
        differences: Between both, in words.
        threads: That networks will run with; None if unknown.
    """
    warnings = [f"the table is of another host: {text}" for text in differences]
    if measured.onnxruntime_minor != here.onnxruntime_minor:
        warnings.append(
            f"the table was measured with onnxruntime {measured.onnxruntime}, "
            f"here is {here.onnxruntime}: versions move latencies; build it again"
        )
    if threads is not None and threads != measured_threads:
        warnings.append(f"the table is for {measured_threads} threads, not for {threads}")
    age_days = (datetime.now(UTC) - datetime.fromisoformat(date)).days
    if age_days > MAX_AGE_DAYS:
        warnings.append(f"the table is {age_days} days old; build it again if anything changed")
    return warnings
