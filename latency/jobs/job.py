"""A measuring job: what is timed and what it means; written as a folder for any device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latency.jobs.plans import RowPlan, WholePlan, check_plans, row_quantity
from latency.measurement.measure import Model, run_models
from latency.measurement.plan import MeasurePlan, Progress
from latency.measurement.result import Result
from latency.measurement.settings import SessionSettings
from latency.onnx_files.graphs import empty_model
from latency.worker import Quantity

OVERHEAD_KEY = "run_overhead"
# A row this certain, relative to the median network, cannot spoil a whole network's sum.
FLOOR_SHARE = 0.001


class JobError(ValueError):
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
    def worker_plan(self) -> dict[str, Any]:
        """The plan with the floor that whole networks set for rows."""
        floor_keys = [whole.key for whole in self.wholes]
        return {**self.plan.to_json(), "floor_share": FLOOR_SHARE, "floor_keys": floor_keys}

    @property
    def described(self) -> list[str]:
        """Models whose optimized graphs a table keeps: one for each row."""
        return list(dict.fromkeys(row.long_key for row in self.rows))


def run_here(job: Job, progress: Progress | None = None, resume_path: Path | None = None) -> Result:
    """Measures a job in this process.

    Raises:
        ValueError: A model does not run, or the journal is another session's.
    """
    return run_models(
        job.everything,
        job.settings,
        job.worker_plan,
        job.quantities,
        describe=job.described,
        progress=progress,
        resume_path=resume_path,
    )


# --- the folder -------------------------------------------------------------------------------
