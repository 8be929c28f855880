"""Reading a run folder: every file may be missing, but one that is there must be well formed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from latency.device import strict_json
from latency.errors import FileFormatError
from latency.tables.table import LatencyTable
from nas.architecture import text as arch_text
from nas.architecture.lowering import lower_architecture
from nas.architecture.spec import Architecture
from nas.errors import ArchitectureError, InputError
from nas.methods.history import GateHistory, SearchRow
from nas.runs.config import CONFIG_FILE, AnyConfig, read_config
from nas.runs.data import DataRecord
from nas.runs.folder import FileRecord, RunFolder
from nas.runs.history import read_history
from nas.runs.records import Baselines, Certificate, RunWarnings
from nas.selection.goals import ResolvedTarget
from nas.training.history import TrainingRow

R = TypeVar("R", bound=FileRecord)


@dataclass(frozen=True)
class RunRecords:
    """What a run folder holds; None or empty where a stage has not run yet.

    Args:
        path: Of the folder.
        config: What the run was asked for.
        data: The images that were found.
        target: The goal in milliseconds.
        table: Its latency table.
        history: Rows of the search.
        gates: Probabilities over the search.
        architecture: The found network.
        certificate: That network and its company in figures.
        retrain_history: Rows of the found network's training.
        baselines: What was trained for comparison.
        warnings: Of the search.
    """

    path: Path
    config: AnyConfig | None
    data: DataRecord | None
    target: ResolvedTarget | None
    table: LatencyTable | None
    history: tuple[SearchRow, ...]
    gates: GateHistory | None
    architecture: Architecture | None
    certificate: Certificate | None
    retrain_history: tuple[TrainingRow, ...]
    baselines: Baselines | None
    warnings: tuple[str, ...]


def read_run(run_dir: Path) -> RunRecords:
    """Reads what there is in a run folder.

    Args:
        run_dir: Folder that `nas.py` writes.

    Raises:
        LatencyError: No run folder, or a malformed file in it, which is named.
    """
    folder = RunFolder(run_dir)
    warnings = _read(folder, RunWarnings)
    records = RunRecords(
        path=run_dir,
        config=read_config(run_dir) if folder.has(CONFIG_FILE) else None,
        data=_read(folder, DataRecord),
        target=_read(folder, ResolvedTarget),
        table=_read_table(folder),
        history=read_history(SearchRow, run_dir / SearchRow.FILE),
        gates=_read(folder, GateHistory),
        architecture=_read_architecture(folder),
        certificate=_read(folder, Certificate),
        retrain_history=read_history(TrainingRow, run_dir / TrainingRow.FILE),
        baselines=_read(folder, Baselines),
        warnings=warnings.warnings if warnings else (),
    )
    if not any((records.config, records.table, records.architecture, records.certificate)):
        raise InputError(
            f"a run folder with config.json at {run_dir}",
            "a folder without any record" if run_dir.is_dir() else "no such folder",
            "give the folder that `python nas.py` printed",
        )
    return records


def _read(folder: RunFolder, kind: type[R]) -> R | None:
    return folder.read(kind) if folder.has(kind) else None


def _read_table(folder: RunFolder) -> LatencyTable | None:
    """Of whatever machine: a report shows what was measured, it measures nothing."""
    path = folder.path / "table.json"
    return LatencyTable.load(path, allow_other_host=True) if path.is_file() else None


def _read_architecture(folder: RunFolder) -> Architecture | None:
    path = folder.path / "architecture.json"
    if not path.is_file():
        return None
    try:
        architecture = arch_text.from_json(strict_json.read_object(path))
        # Layers that do not fit each other are this file's fault too.
        lower_architecture(architecture)
        return architecture
    except ArchitectureError as error:
        raise FileFormatError(f"{error.expected} in {path}", error.received, error.fix) from None
