"""Reading a run folder: every file may be missing, but one that is there must be well formed."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latency.table_file import SCHEMA_VERSION as TABLE_SCHEMA_VERSION
from nas import arch_text
from nas.errors import ArchitectureError
from nas.lower import lower_architecture
from nas.report_json import Record, ReportError
from nas.spec import Architecture

SCHEMA_VERSION = 1
TEXT_COLUMNS = ("stage",)
HistoryRow = Mapping[str, float | str | None]


@dataclass(frozen=True)
class Gates:
    """Probabilities of the options over the search.

    Args:
        tags: Name of each choice.
        options: Architecture tokens of each choice.
        steps: Recorded steps, ascending.
        probabilities: step -> choice -> option, each from 0 to 1.
    """

    tags: tuple[str, ...]
    options: tuple[tuple[str, ...], ...]
    steps: tuple[float, ...]
    probabilities: tuple[tuple[tuple[float, ...], ...], ...]


@dataclass(frozen=True)
class RunRecords:
    """What a run folder holds; None or empty where a stage has not run yet."""

    path: Path
    config: Record | None
    table: Record | None
    history: tuple[HistoryRow, ...]
    gates: Gates | None
    architecture: Architecture | None
    certificate: Record | None
    retrain_history: tuple[HistoryRow, ...]
    baselines: Record | None
    warnings: tuple[str, ...]


def read_run(run_dir: Path) -> RunRecords:
    """Reads what there is in a run folder.

    Args:
        run_dir: Folder that `nas.py` writes.

    Raises:
        ReportError: No run folder, or a file in it is malformed; names the file.
    """
    records = RunRecords(
        path=run_dir,
        config=_read_object(run_dir / "config.json", SCHEMA_VERSION),
        table=_read_object(run_dir / "table.json", TABLE_SCHEMA_VERSION),
        history=_read_csv(run_dir / "history.csv"),
        gates=_read_gates(run_dir / "gates.json"),
        architecture=_read_architecture(run_dir / "architecture.json"),
        certificate=_read_object(run_dir / "certificate.json", SCHEMA_VERSION),
        retrain_history=_read_csv(run_dir / "retrain_history.csv"),
        baselines=_read_object(run_dir / "baselines.json", SCHEMA_VERSION),
        warnings=_read_warnings(run_dir / "warnings.json"),
    )
    if not any((records.config, records.table, records.architecture, records.certificate)):
        raise ReportError(
            f"a run folder with config.json at {run_dir}",
            "a folder without any record" if run_dir.is_dir() else "no such folder",
            "give the folder that `python nas.py` printed",
        )
    return records


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"a readable text file {path}", f"{error}", "repair the file") from None


def _reject_constant(name: str) -> float:
    raise ValueError(f"{name}, which JSON does not have")


def _read_json(path: Path) -> Any:
    text = _read_text(path)
    if text is None:
        return None
    try:
        return json.loads(text, parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise ReportError(
            f"whole JSON in {path}", f"{error}", "repair the file, or run that stage again"
        ) from None


def _read_object(path: Path, newest: int) -> Record | None:
    value = _read_json(path)
    if value is None and not path.exists():
        return None
    if not isinstance(value, dict):
        raise ReportError(
            f"a JSON object in {path}", f"{type(value).__name__}", "run that stage again"
        )
    version = value.get("schema_version", 1)
    if type(version) is not int or not 1 <= version <= newest:
        raise ReportError(
            f"schema_version from 1 to {newest} in {path}",
            repr(version),
            "update the program, or run that stage again with this version",
        )
    return Record(str(path), value)


def _read_csv(path: Path) -> tuple[HistoryRow, ...]:
    text = _read_text(path)
    if not text:
        return ()
    reader = csv.DictReader(io.StringIO(text))
    if "step" not in (reader.fieldnames or ()):
        raise ReportError(
            f"a column `step` in {path}",
            f"columns {reader.fieldnames}",
            "repair the file, or run that stage again",
        )
    return tuple(_history_row(path, reader.line_num, row) for row in reader)


def _history_row(path: Path, line: int, row: Mapping[str, str | None]) -> HistoryRow:
    values: dict[str, float | str | None] = {}
    for name, cell in row.items():
        if name is None:
            raise ReportError(
                f"as many cells as columns in line {line} of {path}", "more", "repair the file"
            )
        if name in TEXT_COLUMNS or not cell:
            values[name] = cell or None
            continue
        try:
            values[name] = float(cell)
        except ValueError:
            raise ReportError(
                f"a number or nothing as `{name}` in line {line} of {path}",
                repr(cell)[:80],
                "repair the file, or run that stage again",
            ) from None
    if not isinstance(values["step"], float) or not math.isfinite(values["step"]):
        raise ReportError(f"a step in line {line} of {path}", "none", "repair the file")
    return values


def _read_gates(path: Path) -> Gates | None:
    record = _read_object(path, SCHEMA_VERSION)
    if record is None:
        return None
    try:
        choices = [(str(c["tag"]), tuple(map(str, c["options"]))) for c in record.items("choices")]
        gates = Gates(
            tags=tuple(tag for tag, _ in choices),
            options=tuple(options for _, options in choices),
            steps=tuple(float(step) for step in record.items("steps")),
            probabilities=tuple(
                tuple(tuple(float(p) for p in choice) for choice in step)
                for step in record.items("probabilities")
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, ReportError):
            raise
        raise _gates_error(path, f"{type(error).__name__}: {error}") from None
    _check_gates(path, gates)
    return gates if gates.steps and gates.tags else None


def _check_gates(path: Path, gates: Gates) -> None:
    sizes = [len(options) for options in gates.options]
    if not all(sizes):
        raise _gates_error(path, "a choice without options")
    if len(gates.steps) != len(gates.probabilities):
        received = f"{len(gates.steps)} steps and {len(gates.probabilities)} records"
        raise _gates_error(path, received)
    for step, record in zip(gates.steps, gates.probabilities, strict=True):
        if [len(choice) for choice in record] != sizes:
            raise _gates_error(path, f"another number of probabilities at step {step:g}")
        if not all(0 <= p <= 1 + 1e-6 for choice in record for p in choice):
            raise _gates_error(path, f"a probability outside 0 to 1 at step {step:g}")


def _gates_error(path: Path, received: str) -> ReportError:
    return ReportError(
        f"choices, steps, and one probability an option at every step in {path}",
        received,
        "repair the file, or run the search again",
    )


def _read_architecture(path: Path) -> Architecture | None:
    value = _read_json(path)
    if value is None and not path.exists():
        return None
    try:
        architecture = arch_text.from_json(value)
        # Layers that do not fit each other are this file's fault too.
        lower_architecture(architecture)
        return architecture
    except ArchitectureError as error:
        raise ReportError(f"{error.expected} in {path}", error.received, error.fix) from None


def _read_warnings(path: Path) -> tuple[str, ...]:
    record = _read_object(path, SCHEMA_VERSION)
    return () if record is None else tuple(str(text) for text in record.items("warnings"))


def column(rows: Sequence[HistoryRow], name: str) -> tuple[list[float], list[float]]:
    """Steps and values of one column where it is known and finite."""
    steps, values = [], []
    for row in rows:
        value = row.get(name)
        if isinstance(value, float) and math.isfinite(value):
            steps.append(float(row["step"] or 0.0))
            values.append(value)
    return steps, values
