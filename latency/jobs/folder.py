"""A job as a folder: written here, run on a device, its results read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

import latency.device
from latency import atomic
from latency.device import strict_json
from latency.device.files import MOST_MODEL_BYTES, own_folder, read_inside
from latency.device.inputs import MOST_FILE_BYTES
from latency.device.job import Model, read_job_file
from latency.device.plan import MeasurePlan
from latency.device.records import ModelEntry, Result
from latency.device.settings import SessionSettings
from latency.errors import FileFormatError, LatencyError
from latency.jobs.job import Job, JobError, Subject
from latency.jobs.plans import RowPlan, WholePlan
from latency.measurement.measure import write_job
from latency.measurement.result import merge_results, read_result

MANIFEST_SCHEMA_VERSION = 2
DEVICE_FOLDER = "device"
ROW_ROLE = "row"


@dataclass(frozen=True)
class ManifestModel:
    """A model of a manifest; written by hand, key and file are enough.

    Args:
        key: Its name in every result.
        file: Path below the folder.
        group: Models of one group are timed next to each other; its key by default.
        role: 'row', 'calibration' or 'held_out'.
        row_keys: Rows that a whole network consists of.
        inputs: Path below the folder of an .npz file with arrays of your own; empty where all
            inputs are drawn.
    """

    key: str
    file: str
    group: str | None = None
    role: str = ROW_ROLE
    row_keys: tuple[str, ...] | None = None
    inputs: str = ""

    def needed_row_keys(self) -> tuple[str, ...]:
        """Returns the rows of a whole network.

        Raises:
            JobError: It names none.
        """
        if self.row_keys is None:
            raise JobError(
                f"row_keys of the {self.role} network {self.key!r} in the manifest",
                "none",
                "list the keys of its rows, or give it the role 'row'",
            )
        return self.row_keys


@dataclass(frozen=True)
class ManifestRow:
    """A row of a manifest: (long - short) / divisor; see `latency.jobs.plans.RowPlan`."""

    key: str
    long: str
    short: str | None = None
    divisor: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The content of manifest.json: what the models of a folder mean.

    Args:
        space: See `latency.jobs.job.Subject`, for the fields up to `batch`.
        models: Every graph.
        rows: How rows are made of them; without any, each model of role 'row' is one.
    """

    SCHEMA_VERSION: ClassVar[int] = MANIFEST_SCHEMA_VERSION
    OLDER_VERSIONS: ClassVar[tuple[int, ...]] = (1,)

    space: str
    space_hash: str = ""
    image_size: int | None = None
    precision: str = "fp32"
    scheme: str = ""
    batch: int = 1
    models: tuple[ManifestModel, ...]
    rows: tuple[ManifestRow, ...] = ()

    @property
    def subject(self) -> Subject:
        """What a table of the folder is of."""
        return Subject(**{field.name: getattr(self, field.name) for field in fields(Subject)})

    def row_plans(self) -> tuple[RowPlan, ...]:
        """Row plans; without any, every model that is no whole network is a row by itself."""
        if self.rows:
            return tuple(RowPlan(r.key, r.long, r.short, r.divisor) for r in self.rows)
        alone = [model.key for model in self.models if model.role == ROW_ROLE]
        return tuple(RowPlan(key, key, None, 1.0) for key in alone)

    def whole_plans(self) -> tuple[WholePlan, ...]:
        """Whole networks, for calibration and audit."""
        return tuple(
            WholePlan(model.key, model.needed_row_keys(), model.role)
            for model in self.models
            if model.role != ROW_ROLE
        )


def export_job(job: Job, folder: Path) -> str:
    """Writes models, job.json, manifest.json and the device's program, and returns the job's id.

    Writing the same job again changes nothing, so that a measured folder keeps its journal.

    Args:
        job: What is measured.
        folder: New, empty, or of the same job.

    Raises:
        JobError: The folder holds something else.
    """
    work = job.workload
    if folder.exists() and not folder.is_dir():
        raise JobError(f"a folder at {folder}", "a file", "name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted(path.name for path in folder.iterdir())
    # job.json is written last: without it, our own files are those of a killed export.
    unfinished = set(names) <= {"models", "manifest.json", DEVICE_FOLDER}
    if _job_id(folder) != work.job_id and not unfinished:
        raise JobError(
            f"an empty folder, or one that holds job {work.job_id}, at {folder}",
            f"one with {', '.join(names[:3])}",
            "name another folder",
        )
    own_folder(folder / DEVICE_FOLDER)
    for name, path in device_program().items():
        atomic.write_bytes(folder / name, path.read_bytes())
    files = {entry.key: entry for entry in work.job_file().models}
    atomic.write_text(folder / "manifest.json", strict_json.dumps(_manifest(job, files)))
    write_job(folder, work)
    return work.job_id


def device_program() -> dict[str, Path]:
    """Returns name in a job's folder -> file of this package, of what a device runs."""
    sources = sorted(Path(latency.device.__file__).parent.glob("*.py"))
    return {f"{DEVICE_FOLDER}/{path.name}": path for path in sources}


def _job_id(folder: Path) -> str | None:
    try:
        return str(strict_json.read_object(folder / "job.json").get("job_id"))
    except FileFormatError:
        return None


def _manifest(job: Job, files: Mapping[str, ModelEntry]) -> Manifest:
    wholes = {whole.key: whole for whole in job.wholes}
    models = []
    for model in job.models:
        whole = wholes.get(model.key)
        role, row_keys = (whole.role, whole.row_keys) if whole else (ROW_ROLE, None)
        entry = files[model.key]
        models.append(
            ManifestModel(model.key, entry.file, model.group, role, row_keys, entry.inputs)
        )
    rows = tuple(ManifestRow(r.key, r.long_key, r.short_key, r.divisor) for r in job.rows)
    return Manifest(**vars(job.subject), models=tuple(models), rows=rows)


def read_job(
    folder: Path,
    settings: SessionSettings | None = None,
    plan: MeasurePlan | None = None,
) -> Job:
    """Reads a folder with a manifest, exported or written by hand.

    Args:
        folder: With manifest.json and the models that it names.
        settings: Of the sessions; those of job.json by default.
        plan: Rounds; that of job.json by default.

    Raises:
        JobError: The manifest is missing or broken, or names a file outside of the folder.
    """
    try:
        manifest = strict_json.read(Manifest, folder / "manifest.json")
        if settings is None or plan is None:
            exported = read_job_file(str(folder / "job.json"))
            settings = settings or exported.settings
            plan = plan or exported.plan.plain()
        models = tuple(
            Model(
                entry.key,
                read_inside(folder, entry.file, MOST_MODEL_BYTES),
                entry.group or entry.key,
                read_inside(folder, entry.inputs, MOST_FILE_BYTES) if entry.inputs else b"",
            )
            for entry in manifest.models
        )
        wholes, rows = manifest.whole_plans(), manifest.row_plans()
        return Job(manifest.subject, models, rows, wholes, settings, plan)
    except LatencyError as error:
        fix = f"{error.fix}; docs/measuring.md tells the form of a manifest"
        raise JobError(error.expected, error.received, fix) from error


def read_results(job: Job, folder: Path, paths: Sequence[Path] = ()) -> Result:
    """Reads the results of a job, joined when there are several.

    Args:
        job: That was measured.
        folder: Its folder.
        paths: Of results; the folder's own by default.

    Raises:
        ResultError: A result is broken, of another job, or of another device than the first.
    """
    job_id = _job_id(folder)
    results = [read_result(path, job_id) for path in (paths or [folder / "result.json"])]
    return merge_results(results, job.quantities, job.device_plan)
