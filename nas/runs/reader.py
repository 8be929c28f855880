"""Reading a run folder: every file may be missing, but one that is there must be well formed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from latency.tables.storage import SCHEMA_VERSION as TABLE_SCHEMA_VERSION
from nas.architecture import text as arch_text
from nas.architecture.lowering import lower_architecture
from nas.architecture.spec import Architecture
from nas.errors import ArchitectureError
from nas.runs.config import DataRecord, RunSettings
from nas.runs.history import HistoryRow, read_csv_rows
from nas.runs.strict_json import Record, ReportError, read_json_value, read_record
from nas.selection.goals import ResolvedTarget

SCHEMA_VERSION = 1


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
        config=_read_config(run_dir),
        table=read_record(run_dir / "table.json", TABLE_SCHEMA_VERSION),
        history=read_csv_rows(run_dir / "history.csv"),
        gates=_read_gates(run_dir / "gates.json"),
        architecture=_read_architecture(run_dir / "architecture.json"),
        certificate=read_record(run_dir / "certificate.json", SCHEMA_VERSION),
        retrain_history=read_csv_rows(run_dir / "retrain_history.csv"),
        baselines=read_record(run_dir / "baselines.json", SCHEMA_VERSION),
        warnings=_read_warnings(run_dir / "warnings.json"),
    )
    if not any((records.config, records.table, records.architecture, records.certificate)):
        raise ReportError(
            f"a run folder with config.json at {run_dir}",
            "a folder without any record" if run_dir.is_dir() else "no such folder",
            "give the folder that `python nas.py` printed",
        )
    return records


def _read_config(run_dir: Path) -> Record | None:
    """Configuration, images and target as the page shows them."""
    record = read_record(run_dir / "config.json", RunSettings.SCHEMA_VERSION)
    if record is None or record.values.get("schema_version") != RunSettings.SCHEMA_VERSION:
        return record
    values = dict(record.values)
    data = read_record(run_dir / "data.json", DataRecord.SCHEMA_VERSION)
    if data is not None:
        found = dict(data.values)
        values["num_classes"] = len(found.pop("class_names"))
        values["image_size"] = found["image_size"]
        values["data"] = {**values["data"], **found}
    target = read_record(run_dir / "target.json", ResolvedTarget.SCHEMA_VERSION)
    if target is not None:
        values["target_ms"] = target.values["target_ms"]
    goals = values.get("goals", [])
    values["lambda"] = goals[0]["penalty"] if len(goals) == 1 else None
    return Record(record.source, values)


def _read_gates(path: Path) -> Gates | None:
    record = read_record(path, SCHEMA_VERSION)
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
    value = read_json_value(path)
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
    record = read_record(path, SCHEMA_VERSION)
    return () if record is None else tuple(str(text) for text in record.items("warnings"))
