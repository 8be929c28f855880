"""Table of rows: keys -> milliseconds on one host, with what it was measured and judged by."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from latency import atomic
from latency.build import measure_parts
from latency.host import Host, current_host, load_average
from latency.measure import Model
from latency.predictor import Audit, Calibration
from latency.rows import Network, Row, RowPlan, WholePlan
from latency.session import SessionSettings
from latency.table_checks import TableMismatchError, load_warnings, refuse_host, refuse_other
from latency.table_file import SCHEMA_VERSION, TableFileError, document_text, read_document
from latency.timer import MeasurePlan, Progress

__all__ = [
    "LatencyTable",
    "MissingRowError",
    "Row",
    "RowPlan",
    "TableFileError",
    "TableMismatchError",
    "WholePlan",
    "build_table",
]

NUMBER = (int, float)
FIELD_TYPES: dict[str, type | tuple[type, ...]] = {
    "space": str,
    "space_hash": str,
    "image_size": int,
    "precision": str,
    "host": dict,
    "settings": dict,
    "statistic": str,
    "seed": int,
    "date": str,
    "duration_seconds": NUMBER,
    "run_overhead_ms": NUMBER,
    "load_average_after": (int, float, type(None)),
    "warnings": list,
    "calibration": (dict, type(None)),
    "audit": (dict, type(None)),
    "rows": dict,
    "networks": dict,
}


class MissingRowError(ValueError):
    """A row that was not measured; it is never taken as 0 ms."""


@dataclass(frozen=True)
class LatencyTable:
    """Milliseconds of rows, measured on one host under one set of settings.

    Args:
        space: Name of the search space, or of whatever the keys stand for.
        space_hash: Of the space's definition.
        image_size: Side of the input in pixels.
        precision: Such as 'fp32'.
        host: Where it was measured.
        settings: Of the sessions.
        statistic: Such as 'p25'.
        seed: Of inputs, order and resampling.
        date: ISO 8601 in UTC.
        duration_seconds: Time spent measuring.
        rows: Key -> row.
        calibration: Affine correction for whole networks, or None.
        audit: Its judgement on held-out networks, or None.
        run_overhead_ms: One run of an empty model.
        networks: Key -> whole network with its samples.
        load_average_after: Runnable processes when the measurement ended; before is in `host`.
        warnings: Said when it was measured.
        load_warnings: Said when it was read; not stored.
    """

    space: str
    space_hash: str
    image_size: int
    precision: str
    host: Host
    settings: SessionSettings
    statistic: str
    seed: int
    date: str
    duration_seconds: float
    rows: dict[str, Row]
    calibration: Calibration | None
    audit: Audit | None
    run_overhead_ms: float
    networks: dict[str, Network]
    load_average_after: float | None = None
    warnings: tuple[str, ...] = ()
    load_warnings: tuple[str, ...] = ()
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        for name in ("run_overhead_ms", "duration_seconds"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise TableFileError(
                    f"Expected a finite {name} of 0 or more. Received: {value}. "
                    "Fix: build the table again."
                )

    def row_ms(self, key: str) -> float:
        """Returns a row's latency in ms, before calibration.

        Raises:
            MissingRowError: The row was not measured.
        """
        if key not in self.rows:
            raise MissingRowError(
                f"Expected a measured row for {key!r} in the table of {self.space!r} "
                f"({len(self.rows)} rows, {self.image_size} px, {self.precision}). "
                "Received: none. Fix: build the table of the space that has this row."
            )
        return self.rows[key].latency_ms

    @property
    def affine(self) -> tuple[float, float]:
        """Slope and intercept in ms from a sum of rows to a whole network.

        Without a calibration these are 1 and the overhead of one run.
        """
        if self.calibration is None:
            return 1.0, self.run_overhead_ms
        return self.calibration.a, self.calibration.b_ms

    def predict_ms(self, row_keys: Iterable[str]) -> float:
        """Returns a whole network's latency in ms: a * (sum of its rows) + b.

        Args:
            row_keys: Its rows; a key may repeat.

        Raises:
            MissingRowError: A row was not measured.
        """
        slope, intercept_ms = self.affine
        return slope * sum(self.row_ms(key) for key in row_keys) + intercept_ms

    def to_json(self) -> dict[str, Any]:
        """Returns plain values, units in the names."""
        return {
            "schema_version": self.schema_version,
            "space": self.space,
            "space_hash": self.space_hash,
            "image_size": self.image_size,
            "precision": self.precision,
            "host": self.host.to_json(),
            "settings": self.settings.to_json(),
            "statistic": self.statistic,
            "seed": self.seed,
            "date": self.date,
            "duration_seconds": self.duration_seconds,
            "run_overhead_ms": self.run_overhead_ms,
            "load_average_after": self.load_average_after,
            "warnings": list(self.warnings),
            "calibration": self.calibration.to_json() if self.calibration else None,
            "audit": self.audit.to_json() if self.audit else None,
            "rows": {key: row.to_json() for key, row in self.rows.items()},
            "networks": {key: value.to_json() for key, value in self.networks.items()},
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the table as JSON, whole or not at all."""
        atomic.write_text(path, document_text(self.to_json()))

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Writes one line a row for spreadsheets, without the samples."""
        stream = io.StringIO()
        names = ["key", "latency_ms", "low_ms", "high_ms", "count", "stable", "noise"]
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(names)
        for row in self.rows.values():
            writer.writerow([getattr(row, name) for name in names])
        atomic.write_text(path, stream.getvalue())

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        space: str | None = None,
        space_hash: str | None = None,
        image_size: int | None = None,
        precision: str | None = None,
        provider: str | None = None,
        allow_other_host: bool = False,
        threads: int | None = None,
        host: Host | None = None,
    ) -> LatencyTable:
        """Reads a table and refuses one that does not fit; None leaves a property unchecked.

        Args:
            path: Of the JSON file.
            space: Expected name.
            space_hash: Expected definition.
            image_size: Expected side in pixels.
            precision: Expected precision.
            provider: Expected execution provider.
            allow_other_host: Accepts a table of another machine, with a warning.
            threads: Threads that networks will run with; another number is a warning.
            host: The machine to compare with; this one by default.

        Raises:
            TableFileError: The file is broken or of another schema version.
            TableMismatchError: The table is of another space, size, precision, provider or host.
        """
        table = _parse(Path(path))
        pairs = {
            "space": (space, table.space),
            "space_hash": (space_hash, table.space_hash),
            "image_size": (image_size, table.image_size),
            "precision": (precision, table.precision),
            "provider": (provider, table.settings.provider),
        }
        refuse_other(path, pairs)
        here = host or current_host()
        differences = here.differences(table.host)
        if differences and not allow_other_host:
            refuse_host(path, differences)
        warnings = load_warnings(table, here, differences, threads)
        return replace(table, load_warnings=tuple(warnings))


def _parse(path: Path) -> LatencyTable:
    document = read_document(path, FIELD_TYPES)
    try:
        if datetime.fromisoformat(document["date"]).tzinfo is None:
            raise ValueError(f"date {document['date']!r} without a time zone")
        calibration, audit = document["calibration"], document["audit"]
        known = {name: document[name] for name in FIELD_TYPES}
        table = LatencyTable(
            **{
                **known,
                "host": Host.from_json(document["host"]),
                "settings": SessionSettings.from_json(document["settings"]),
                "warnings": tuple(document["warnings"]),
                "calibration": Calibration.from_json(calibration) if calibration else None,
                "audit": Audit.from_json(audit) if audit else None,
                "rows": {key: Row.from_json(row) for key, row in document["rows"].items()},
                "networks": {k: Network.from_json(v) for k, v in document["networks"].items()},
            }
        )
        for key, row in table.rows.items():
            if row.key != key:
                raise ValueError(f"row {row.key!r} stored under {key!r}")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TableFileError(
            f"Expected a whole latency table in {path}. "
            f"Received: {type(error).__name__}: {error}. Fix: build the table again."
        ) from error
    return table


def build_table(
    models: Sequence[Model],
    rows: Sequence[RowPlan],
    wholes: Sequence[WholePlan],
    *,
    space: str,
    space_hash: str,
    image_size: int,
    precision: str,
    settings: SessionSettings,
    plan: MeasurePlan,
    seed: int,
    progress: Progress | None = None,
    resume_path: Path | None = None,
) -> LatencyTable:
    """Measures rows, calibration and held-out networks in one interleaved session.

    Args:
        models: Every graph that a plan names.
        rows: How rows are made of them.
        wholes: Networks for calibration and audit.
        space: Name stored with the table.
        space_hash: Stored with the table.
        image_size: Side of the input in pixels.
        precision: Such as 'fp32'.
        settings: Of the sessions.
        plan: Rounds, runs and when to stop.
        seed: Replaces the plan's.
        progress: Called after each visit with visits done, visits at most, seconds left.
        resume_path: Journal of finished rounds, continued when it exists; the caller deletes it.

    Raises:
        ValueError: A plan names a missing model or row, or a model cannot be measured.
    """
    host = current_host()
    plan = MeasurePlan(**{**plan.to_json(), "seed": seed})
    parts = measure_parts(models, rows, wholes, settings, plan, progress, resume_path)
    warnings = list(parts.warnings)
    if settings.intra_op_num_threads > 1:
        warnings.append("more than one thread: repeatable only on a machine that does nothing else")
    return LatencyTable(
        space=space,
        space_hash=space_hash,
        image_size=image_size,
        precision=precision,
        host=host,
        settings=settings,
        statistic=f"p{100 * plan.quantile:g}",
        seed=seed,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        duration_seconds=parts.duration_seconds,
        rows=parts.rows,
        calibration=parts.calibration,
        audit=parts.audit,
        run_overhead_ms=parts.run_overhead_ms,
        networks=parts.networks,
        load_average_after=load_average(),
        warnings=tuple(warnings),
    )
