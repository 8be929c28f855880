"""A measuring job: what is timed and what it means; written as a folder for any device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from latency.device.job import Model, Workload, measure_models
from latency.device.meter import Progress
from latency.device.plan import DevicePlan, MeasurePlan
from latency.device.records import Result
from latency.device.settings import SessionSettings
from latency.device.statistics import Quantity
from latency.errors import LatencyError
from latency.jobs.plans import RowPlan, WholePlan, check_plans, row_quantity
from latency.onnx_files.graphs import empty_model

OVERHEAD_KEY = "run_overhead"
# A row this certain, relative to the median network, cannot spoil a whole network's sum.
FLOOR_SHARE = 0.001


class JobError(LatencyError):
    """A job folder that cannot be written, read or run."""


@dataclass(frozen=True)
class Subject:
    """What a table is of; a table of another subject is refused.

    Args:
        space: Name of the search space, or of whatever the keys stand for.
        space_hash: Of its definition; empty without one.
        image_size: Side of the input in pixels; None where the models have several.
        precision: Such as 'fp32'.
        scheme: How int8 was made, such as 'u8s8'; empty otherwise.
        batch: Images in one run.
    """

    space: str
    space_hash: str = ""
    image_size: int | None = None
    precision: str = "fp32"
    scheme: str = ""
    batch: int = 1


@dataclass(frozen=True)
class Job:
    """Everything that one table needs.

    Args:
        subject: What the table is of.
        models: Every graph that a plan names, with unique keys.
        rows: How rows are made of them.
        wholes: Networks for calibration and audit.
        settings: Of the sessions.
        plan: Rounds, runs and when to stop.
    """

    subject: Subject
    models: tuple[Model, ...]
    rows: tuple[RowPlan, ...]
    wholes: tuple[WholePlan, ...]
    settings: SessionSettings
    plan: MeasurePlan

    def __post_init__(self) -> None:
        keys = [model.key for model in self.models]
        check_plans([*keys, OVERHEAD_KEY], self.rows, self.wholes)

    @property
    def everything(self) -> list[Model]:
        """The models and the empty one that gives a run's overhead."""
        return [*self.models, Model(OVERHEAD_KEY, empty_model(), OVERHEAD_KEY)]

    @property
    def quantities(self) -> list[Quantity]:
        """Rows in order, then whole networks in order."""
        rows = [row_quantity(row, OVERHEAD_KEY) for row in self.rows]
        return rows + [Quantity((whole.key,), (1.0,)) for whole in self.wholes]

    @property
    def device_plan(self) -> DevicePlan:
        """The plan with the floor that whole networks set for rows."""
        floor_keys = tuple(whole.key for whole in self.wholes)
        return DevicePlan(**vars(self.plan), floor_share=FLOOR_SHARE, floor_keys=floor_keys)

    @property
    def workload(self) -> Workload:
        """What a device measures; the optimized graph is kept of one model for each row."""
        described = tuple(dict.fromkeys(row.long_key for row in self.rows))
        return Workload(
            tuple(self.everything),
            tuple(self.quantities),
            self.settings,
            self.device_plan,
            described,
        )


def run_here(job: Job, progress: Progress | None = None, resume_path: Path | None = None) -> Result:
    """Measures a job in this process.

    Args:
        job: What is measured.
        progress: Called after each visit with visits done, visits at most, seconds left.
        resume_path: Journal of finished rounds, continued when it exists; the caller deletes it.

    Raises:
        WorkerError: A model does not run, or the journal is another session's.
    """
    journal_path = str(resume_path) if resume_path else None
    return measure_models(job.workload, journal_path=journal_path, progress=progress)
