"""Parts of a run that other processes can do: what they are told, and what they leave.

A part is the training of one network, of one candidate of a race, or of one supernet. A worker does
it in a folder of its own below `SCRATCH`, by the code that this program does it by. All that it
leaves there travels as one archive. The driver takes it over, so that it alone writes the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nas.data import Dataset
from nas.errors import InputError
from nas.metrics import AskedMetrics
from nas.runs.config import RunSettings
from nas.runs.data import DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.runs.records import ComparedNetwork
from nas.search_space import files as space_files
from nas.system.backend import Compute
from nas.training import schedule_files
from nas.training.recipe import Recipe

# Told the steps of a training that are done, and how many there are.
OnStep = Callable[[int, int], None]
TASK = "nas.pipeline.stage_work:work"
# Of the folder that an executor shares: where parts are done.
SCRATCH = "scratch"
Kind = Literal["training", "candidate", "supernet"]
# Of every run: what it was asked for, and its images.
OF_RUN = (RunSettings.FILE, DataRecord.FILE)


def tell_nobody(step: int, of: int) -> None:
    """Takes the progress of a training that nobody waits for."""


@dataclass(frozen=True)
class StageJob:
    """A part of a run, as a worker is told of it.

    Args:
        run_dir: Absolute path of the folder that the executor shares.
        name: Of the job, different from those of all others in that folder.
        kind: What is done.
        folder: Of the run below `run_dir`, empty for itself.
        source: The images, at the place where they are now.
        inputs: Names of files of the run that are read.
        checkpoint: Of the part, as `RunFolder.checkpoint` takes it.
        record: Name of the file that says that the part is done.
        details: A record of the kind as JSON data.
    """

    run_dir: str
    name: str
    kind: Kind
    folder: str
    source: DataSource
    inputs: tuple[str, ...]
    checkpoint: str
    record: str
    details: Mapping[str, Any]

    @property
    def run(self) -> RunFolder:
        """The run that it is a part of, where the job is read."""
        return RunFolder(Path(self.run_dir) / self.folder)

    @property
    def scratch(self) -> Path:
        """Where it is done."""
        return Path(self.run_dir) / SCRATCH / self.name

    @property
    def archive(self) -> Path:
        """What the part leaves."""
        return Path(self.run_dir) / f"{SCRATCH}/{self.name}.zip"


@dataclass(frozen=True)
class TrainingDetails:
    """One training of a network that `main.py` trains.

    Args:
        entry: The network, and its role.
        name: Of its architecture.
        label: Of the progress bar.
        seed: Of the training.
        first_seed: Of the network's first training.
        seeds: Trainings of the network.
        recipe: It is trained by.
        compute: What Keras computes with.
        scale: Name of the size of the job.
        title: What the found network is called.
        metrics: That the trained network is judged by.
        selection: The metric that chooses between the last weights and their average.
        start: Name of the run's file with the first weights; None for random ones.
        others_go_on: Whether the network's first training ends nothing where it loses its weights.
    """

    entry: ComparedNetwork
    name: str
    label: str
    seed: int
    first_seed: int
    seeds: int
    recipe: Recipe
    compute: Compute
    scale: str
    title: str
    metrics: AskedMetrics
    selection: AskedMetrics
    start: str | None = None
    others_go_on: bool = False


@dataclass(frozen=True)
class CandidateDetails:
    """One training of a candidate of a race.

    Args:
        key: Of its record.
        name: Of the candidate.
        network: Its architecture.
        label: Of the progress bar.
        rung: Number of the round.
        epochs: Of the training.
    """

    key: str
    name: str
    network: str
    label: str
    rung: int
    epochs: float


@dataclass(frozen=True)
class SupernetDetails:
    """The training of a supernet.

    Args:
        only_warm_up: Whether it ends where the gates would begin to learn.
    """

    only_warm_up: bool


def files_of(payload: Mapping[str, Any]) -> Sequence[str]:
    """The files below the shared folder that a job reads, goes on from and leaves.

    Args:
        payload: A `StageJob` as JSON data.
    """
    before = f"{payload['folder']}/" if payload["folder"] else ""
    names = [*payload["inputs"], f"checkpoints/{payload['checkpoint']}.npz"]
    return (*(before + name for name in names), f"{SCRATCH}/{payload['name']}.zip")


def paths_of(source: DataSource, config: RunSettings, recipe: Recipe) -> tuple[str, ...]:
    """What must lead to the same on every node: images, and files of a user's own.

    Args:
        source: The images.
        config: Of the run.
        recipe: That its networks train by.
    """
    space, schedule = getattr(config, "space", None), recipe.schedule
    named = [source.path, *config.blocks, recipe.distillation.teacher]
    named += [space] if space is not None and space_files.is_file(space) else []
    named += [schedule.rpartition(":")[0]] if schedule_files.is_file(schedule) else []
    return tuple(dict.fromkeys(path for path in named if path))


def check_travels(source: DataSource, dataset: Dataset | None) -> None:
    """Refuses images that workers cannot read.

    Args:
        source: The images.
        dataset: That a program handed over; None if they are read from files.

    Raises:
        InputError: They are in the memory of this program alone.
    """
    if dataset is not None or source.kind == "memory":
        raise InputError(
            "images in files, or an embedded sample, which workers read by themselves",
            "images that a program handed over",
            "name their folder or .npz file, or leave out what asks for workers",
        )
