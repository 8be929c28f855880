"""Table of rows: keys -> milliseconds on one host, with what it was measured and judged by."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar, Unpack

from latency import atomic
from latency.device import strict_json
from latency.device.host import DeviceState, Host, current_host
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.device.speed import HostSpeed
from latency.errors import LatencyError
from latency.tables import storage
from latency.tables.consistency import check_consistency
from latency.tables.predictor import Audit, Calibration
from latency.tables.row_model import RowModel
from latency.tables.rows import Network, Row
from latency.tables.storage import Expected, TableFileError, TableMismatchError

__all__ = ["LatencyTable", "MissingRowError", "TableFileError", "TableMismatchError"]


class MissingRowError(LatencyError):
    """A row that was not measured; it is never taken as 0 ms."""


@dataclass(frozen=True, kw_only=True)
class LatencyTable:
    """Milliseconds of rows, measured on one host under one set of settings.

    Example:
        >>> table = LatencyTable.load(path)
        >>> table.predict_ms(["stem", "block", "block"]) > table.predict_ms(["stem", "block"])
        True

    Args:
        space: Name of the search space, or of whatever the keys stand for.
        space_hash: Of the space's definition.
        image_size: Side of the input in pixels; None where the models have several.
        precision: Such as 'fp32'.
        scheme: How int8 was made, such as 'u8s8'; empty otherwise.
        batch: Images in one run.
        host: Where it was measured.
        settings: Of the sessions.
        statistic: Such as 'p10'.
        plan: Rounds, runs and seed.
        job_id: Of the models, settings and plan.
        date: When the measurement began, ISO 8601 in UTC.
        duration_seconds: Time spent measuring.
        rounds: Interleaved rounds.
        run_overhead_ms: One run of an empty model.
        load_average_after: Runnable processes when the measurement ended; before is in `host`.
        warnings: Said when it was measured.
        calibration: Affine correction for whole networks, or None.
        audit: Its judgement on held-out networks, or None.
        row_model: Predictor for rows that were not measured, or None with too few rows.
        rows: Key -> row.
        networks: Key -> whole network with its samples.
        anchors: Network key -> its graph without weights, for `check`.
        speed: How fast the host was, and what counts as its full speed.
        state_log: Load, frequency and temperature after each round.
        load_warnings: Said when it was read; not stored.

    Raises:
        TableFileError: A figure is not finite, the date has no time zone, or a row has two keys.
    """

    SCHEMA_VERSION: ClassVar[int] = storage.SCHEMA_VERSION
    KEYS: ClassVar[tuple[str, ...]] = (
        *("space", "space_hash", "image_size", "precision", "scheme", "batch", "host", "settings"),
        *("statistic", "plan", "job_id", "date", "duration_seconds", "rounds", "run_overhead_ms"),
        *("load_average_after", "warnings", "calibration", "audit", "row_model", "rows"),
        *("networks", "anchors", "speed", "state_log"),
    )

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
    run_overhead_ms: float
    load_average_after: float | None = None
    warnings: tuple[str, ...] = ()
    calibration: Calibration | None
    audit: Audit | None
    row_model: RowModel | None
    rows: dict[str, Row]
    networks: dict[str, Network]
    speed: HostSpeed
    anchors: dict[str, str] = field(default_factory=dict)
    state_log: tuple[DeviceState, ...] = ()
    load_warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("run_overhead_ms", "duration_seconds"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise TableFileError(
                    f"a finite {name} of 0 or more", str(value), "build the table again"
                )
        if not _has_time_zone(self.date):
            raise TableFileError(
                "a date in ISO 8601 with a time zone", repr(self.date), "build the table again"
            )
        for key, row in self.rows.items():
            if row.key != key:
                raise TableFileError(
                    "each row stored under its own key",
                    f"row {row.key!r} stored under {key!r}",
                    "build the table again",
                )

    def _row(self, key: str) -> Row:
        if key not in self.rows:
            raise MissingRowError(
                f"a measured row for {key!r} in the table of {self.space!r} "
                f"({len(self.rows)} rows, {self.image_size} px, {self.precision})",
                "none",
                "build the table of the space that has this row",
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

    @property
    def identity(self) -> Expected:
        """What it is a table of: what has to agree with the networks that it predicts."""
        return {
            "space": self.space,
            "space_hash": self.space_hash,
            "image_size": self.image_size,
            "precision": self.precision,
            "scheme": self.scheme,
            "batch": self.batch,
            "provider": self.settings.provider,
            "settings": self.settings,
        }

    def check_consistency(self, source: str | os.PathLike[str]) -> None:
        """Refuses a table whose figures are not those of its samples.

        Args:
            source: Where it comes from, for the message.

        Raises:
            TableFileError: As said.
        """
        quantile, limit_us = self.plan.quantile, self.speed.limit_us
        try:
            check_consistency(
                self.rows, self.networks, self.calibration, self.audit, quantile, limit_us
            )
        except LatencyError as error:
            expected = f"{error.expected} in {source}"
            raise TableFileError(expected, error.received, error.fix) from None

    def to_json(self) -> dict[str, Any]:
        """Returns plain values, units in the names."""
        return {strict_json.VERSION_KEY: self.SCHEMA_VERSION, **strict_json.encode(self)}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the table as JSON, whole or not at all.

        Raises:
            UnwrittenError: The disk is full, or the folder is gone; the table stands on stdout.
        """
        atomic.keep_text(path, storage.text(self.to_json()))

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Writes one line a row for spreadsheets, without the samples."""
        storage.write_csv(self.rows, path)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        allow_other_host: bool = False,
        host: Host | None = None,
        **expected: Unpack[Expected],
    ) -> LatencyTable:
        """Reads a table and refuses one that does not fit.

        Args:
            path: Of the JSON file.
            allow_other_host: Accepts a table of another machine, with a warning.
            host: The machine to compare with; this one by default.
            **expected: What the table has to be of: space, space_hash, image_size (pixels),
                precision, scheme, batch, provider and settings (all of the sessions that networks
                will run with); None leaves a property unchecked.

        Raises:
            TableFileError: The file is broken, edited, of another schema version, or its figures
                are not those of its samples.
            TableMismatchError: The table is of another space, size, precision or host, or of other
                settings.
        """
        table = storage.read(cls, path)
        table.check_consistency(path)
        storage.refuse_other(path, expected, table.identity)
        here = host or current_host()
        if not allow_other_host:
            storage.refuse_other_host(path, here.differences(table.host))
        doubts = storage.doubts(table.host, here, table.date)
        return replace(table, load_warnings=doubts)


def _has_time_zone(date: str) -> bool:
    try:
        return datetime.fromisoformat(date).tzinfo is not None
    except ValueError:
        return False
