"""Table of rows: keys -> milliseconds on one host, with what it was measured and judged by."""

from __future__ import annotations

import csv
import io
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from latency import atomic
from latency.measurement.host import Host, current_host
from latency.measurement.plan import MeasurePlan
from latency.measurement.settings import SessionSettings
from latency.tables.predictor import Audit, Calibration
from latency.tables.refusals import TableMismatchError, load_warnings, refuse_host, refuse_other
from latency.tables.row_model import RowModel
from latency.tables.rows import Network, Row
from latency.tables.storage import SCHEMA_VERSION, TableFileError, document_text, read_document

__all__ = ["LatencyTable", "MissingRowError", "TableFileError", "TableMismatchError"]

NUMBER = (int, float)
FIELD_TYPES: dict[str, type | tuple[type, ...]] = {
    "space": str,
    "space_hash": str,
    "image_size": (int, type(None)),
    "precision": str,
    "scheme": str,
    "batch": int,
    "host": dict,
    "settings": dict,
    "statistic": str,
    "plan": dict,
    "job_id": str,
    "date": str,
    "duration_seconds": NUMBER,
    "rounds": int,
    "run_overhead_ms": NUMBER,
    "load_average_after": (int, float, type(None)),
    "warnings": list,
    "calibration": (dict, type(None)),
    "audit": (dict, type(None)),
    "row_model": (dict, type(None)),
    "rows": dict,
    "networks": dict,
    "anchors": dict,
    "state_log": list,
}


class MissingRowError(ValueError):
    """A row that was not measured; it is never taken as 0 ms."""


@dataclass(frozen=True)
class LatencyTable:
    """Milliseconds of rows, measured on one host under one set of settings.

    Args:
        space: Name of the search space, or of whatever the keys stand for.
        space_hash: Of the space's definition.
        image_size: Side of the input in pixels; None where the models have several.
        precision: Such as 'fp32'.
        scheme: How int8 was made, such as 'u8s8'; empty otherwise.
        batch: Images in one run.
        host: Where it was measured.
        settings: Of the sessions.
        statistic: Such as 'p25'.
        plan: Rounds, runs and seed.
        job_id: Of the models, settings and plan.
        date: When the measurement began, ISO 8601 in UTC.
        duration_seconds: Time spent measuring.
        rounds: Interleaved rounds.
        rows: Key -> row.
        calibration: Affine correction for whole networks, or None.
        audit: Its judgement on held-out networks, or None.
        row_model: Predictor for rows that were not measured, or None with too few rows.
        run_overhead_ms: One run of an empty model.
        networks: Key -> whole network with its samples.
        anchors: Network key -> its graph without weights, for `check`.
        state_log: Load, frequency and temperature after each round.
        load_average_after: Runnable processes when the measurement ended; before is in `host`.
        warnings: Said when it was measured.
        load_warnings: Said when it was read; not stored.
    """

    space: str
    space_hash: str
    image_size: int | None
    precision: str
    scheme: str
    batch: int
    host: Host
    settings: SessionSettings
    statistic: str
    plan: MeasurePlan
    job_id: str
    date: str
    duration_seconds: float
    rounds: int
    rows: dict[str, Row]
    calibration: Calibration | None
    audit: Audit | None
    row_model: RowModel | None
    run_overhead_ms: float
    networks: dict[str, Network]
    anchors: dict[str, str] = field(default_factory=dict)
    state_log: tuple[Mapping[str, Any], ...] = ()
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
        return self._row(key).latency_ms

    def _row(self, key: str) -> Row:
        if key not in self.rows:
            raise MissingRowError(
                f"Expected a measured row for {key!r} in the table of {self.space!r} "
                f"({len(self.rows)} rows, {self.image_size} px, {self.precision}). "
                "Received: none. Fix: build the table of the space that has this row."
            )
        return self.rows[key]

    @property
    def affine(self) -> tuple[float, float]:
        """Slope and intercept in ms from a sum of `effective_row_ms` to a whole network.

        Without a calibration these are 1 and the overhead of one run.
        """
        if self.calibration is None:
            return 1.0, self.run_overhead_ms
        return self.calibration.a, self.calibration.b_ms

    def effective_row_ms(self, key: str) -> float:
        """Returns a row's ms with its part of the calibration's extra feature.

        A whole network is `a * (sum of these) + b` exactly, with `affine`'s a and b.

        Raises:
            MissingRowError: The row was not measured.
        """
        row = self._row(key)
        calibration = self.calibration
        if calibration is None or not calibration.feature:
            return row.latency_ms
        share_ms = calibration.c_ms * row.features[calibration.feature]
        return row.latency_ms + share_ms / calibration.a

    def predict_ms(self, row_keys: Iterable[str]) -> float:
        """Returns a whole network's latency in ms: calibrated sum of its rows.

        Args:
            row_keys: Its rows; a key may repeat.

        Raises:
            MissingRowError: A row was not measured.
        """
        slope, intercept_ms = self.affine
        return slope * sum(self.effective_row_ms(key) for key in row_keys) + intercept_ms

    def op_counts(self) -> dict[str, int]:
        """Returns operator -> nodes over all rows' optimized graphs."""
        total: Counter[str] = Counter()
        for row in self.rows.values():
            total.update(row.op_counts)
        return dict(sorted(total.items()))

    def to_json(self) -> dict[str, Any]:
        """Returns plain values, units in the names."""
        return {
            "schema_version": self.schema_version,
            "space": self.space,
            "space_hash": self.space_hash,
            "image_size": self.image_size,
            "precision": self.precision,
            "scheme": self.scheme,
            "batch": self.batch,
            "host": self.host.to_json(),
            "settings": self.settings.to_json(),
            "statistic": self.statistic,
            "plan": self.plan.to_json(),
            "job_id": self.job_id,
            "date": self.date,
            "duration_seconds": self.duration_seconds,
            "rounds": self.rounds,
            "run_overhead_ms": self.run_overhead_ms,
            "load_average_after": self.load_average_after,
            "warnings": list(self.warnings),
            "calibration": self.calibration.to_json() if self.calibration else None,
            "audit": self.audit.to_json() if self.audit else None,
            "row_model": self.row_model.to_json() if self.row_model else None,
            "rows": {key: row.to_json() for key, row in self.rows.items()},
            "networks": {key: value.to_json() for key, value in self.networks.items()},
            "anchors": dict(self.anchors),
            "state_log": [dict(entry) for entry in self.state_log],
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the table as JSON, whole or not at all."""
        atomic.write_text(path, document_text(self.to_json()))

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Writes one line a row for spreadsheets, without the samples."""
        stream = io.StringIO()
        names = ["key", "latency_ms", "low_ms", "high_ms", "count", "stable", "noise"]
        features = sorted({name for row in self.rows.values() for name in row.features})
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*names, *features])
        for row in self.rows.values():
            figures = [getattr(row, name) for name in names]
            writer.writerow([*figures, *(row.features.get(name, 0) for name in features)])
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
        batch: int | None = None,
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
            batch: Expected images in one run.
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
            "batch": (batch, table.batch),
            "provider": (provider, table.settings.provider),
        }
        refuse_other(path, pairs)
        here = host or current_host()
        differences = here.differences(table.host)
        if differences and not allow_other_host:
            refuse_host(path, differences)
        measured_threads = table.settings.intra_op_num_threads
        warnings = load_warnings(
            table.host, measured_threads, table.date, here, differences, threads
        )
        return replace(table, load_warnings=tuple(warnings))


def _parse(path: Path) -> LatencyTable:
    document = read_document(path, FIELD_TYPES)
    try:
        if datetime.fromisoformat(document["date"]).tzinfo is None:
            raise ValueError(f"date {document['date']!r} without a time zone")
        calibration, audit = document["calibration"], document["audit"]
        row_model = document["row_model"]
        known = {name: document[name] for name in FIELD_TYPES}
        table = LatencyTable(
            **{
                **known,
                "host": Host.from_json(document["host"]),
                "settings": SessionSettings.from_json(document["settings"]),
                "plan": MeasurePlan(**document["plan"]),
                "warnings": tuple(document["warnings"]),
                "state_log": tuple(document["state_log"]),
                "row_model": RowModel.from_json(row_model) if row_model else None,
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
