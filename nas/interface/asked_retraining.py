"""What a retraining is asked for, and what of it is refused before any folder is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas.architecture.spec import Architecture
from nas.data import Dataset
from nas.deployment.formats import AskedExports
from nas.deployment.records import ExportedFile
from nas.errors import InputError
from nas.interface import recipe_options, rules
from nas.interface.asked import compute_of
from nas.interface.metric_options import judging_of
from nas.interface.retrain_rules import RETRAIN_RULES
from nas.ranges import check_count
from nas.runs.data import DataSource
from nas.runs.folder import RunFolder
from nas.selection.success_rate import check_goal


@dataclass(frozen=True)
class AskedRetraining:
    """A retraining as it was asked for.

    Args:
        options: As `RetrainOptions`, with `run`, `arch`, `network`, `run_dir` and `data_dir` if
            they were given: what the rules look at.
        source: The images, if they were named; None for those of the run, or the sample.
        architecture: A network that was given; None for that of a run.
        run: Folder of the run; None for the newest, or with an architecture.
        command: Command line, for the record.
        dataset: Images that a program handed over; None if they are to be read.
        notes: What of a given network is not as it was given or published, in sentences.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    source: DataSource | None = None
    architecture: Architecture | None = None
    run: Path | None = None
    command: str = ""
    dataset: Dataset | None = None
    notes: tuple[str, ...] = ()


def check_options(options: Mapping[str, Any]) -> None:
    """Refuses what no training takes, before any folder is opened.

    Args:
        options: As `RetrainOptions`.

    Raises:
        InputError: Options that contradict each other, or a value that is out of its range.
    """
    rules.check(options, RETRAIN_RULES)
    recipe_options.check(options)
    check_count("--seeds", options.get("seeds", 1))
    check_count("--networks", options.get("networks", 1))
    if "goal_top1" in options:
        check_goal(options["goal_top1"])
    judging_of(options)
    compute_of(options).check()
    exports_of(options).check()


EXPORTING = ("export", "calibration_images", "int8_blocks")


def exports_of(options: Mapping[str, Any]) -> AskedExports:
    """The files that are asked for.

    Args:
        options: As `RetrainOptions`.

    Raises:
        InputError: An unknown format.
    """
    return AskedExports.of(*(options.get(name) for name in EXPORTING))


def exports_gone_on_with(
    options: Mapping[str, Any], began: AskedExports, folders: Sequence[RunFolder] = ()
) -> AskedExports:
    """The files of trainings that have begun: those that are asked for now, else those of before.

    Args:
        options: As `RetrainOptions`.
        began: That were asked for before.
        folders: Of the trainings' runs. What all of them have is not made again unless it is asked
            for now, since it may have been made on a machine that can make more than this one.

    Raises:
        InputError: An unknown format.
    """
    if any(rules.says(options, name) for name in EXPORTING):
        return exports_of(options)
    if not folders:
        return began
    return began.without(lambda name: all(one.has(ExportedFile, name=name) for one in folders))


def check_image_size(options: Mapping[str, Any], architecture: Architecture) -> None:
    """Refuses another image size than the network's.

    Args:
        options: As `RetrainOptions`.
        architecture: The network.

    Raises:
        InputError: Another one is asked for.
    """
    size = options.get("image_size")
    if size is not None and size != architecture.image_size:
        raise InputError(
            f"--image_size {architecture.image_size}, the network's", f"{size}", "leave it out"
        )
