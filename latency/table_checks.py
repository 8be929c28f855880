"""Whether a table may be used here: what is refused, and what is only said."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from latency.host import Host

if TYPE_CHECKING:
    from latency.table import LatencyTable

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
    table: LatencyTable, here: Host, differences: Sequence[str], threads: int | None
) -> list[str]:
    """Says what makes a table doubtful here without making it wrong."""
    warnings = [f"the table is of another host: {text}" for text in differences]
    if table.host.onnxruntime_minor != here.onnxruntime_minor:
        warnings.append(
            f"the table was measured with onnxruntime {table.host.onnxruntime}, "
            f"here is {here.onnxruntime}: versions move latencies; build it again"
        )
    measured_threads = table.settings.intra_op_num_threads
    if threads is not None and threads != measured_threads:
        warnings.append(f"the table is for {measured_threads} threads, not for {threads}")
    age_days = (datetime.now(UTC) - datetime.fromisoformat(table.date)).days
    if age_days > MAX_AGE_DAYS:
        warnings.append(f"the table is {age_days} days old; build it again if anything changed")
    return warnings
