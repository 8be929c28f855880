"""What the page about a search by trials tells of: its records, and each trial's standing."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

from nas.errors import InputError
from nas.report.bit_widths import LayerBits, bits_of_text, has_formats
from nas.report.plots import BLUE, GREEN, RED
from nas.runs.config import read_config
from nas.runs.data import DataRecord
from nas.runs.folder import RunFolder
from nas.runs.trials import TrialsConfig
from nas.runs.trials_later import asked_now
from nas.runs.trials_record import RungReached, Trial, TrialsRecord
from nas.tuning.objectives import Objective, parse_objective

Standing: TypeAlias = Literal["front", "whole", "part", "failed", "running"]
# Each has a mark of its own, so that colours are not needed to tell them apart.
WORDS: Mapping[Standing, str] = {
    "front": "on the front",
    "whole": "trained whole",
    "part": "stopped earlier",
    "failed": "failed",
    "running": "running",
}
# Quantities that follow from parameters and MACs where all numbers have 32 bits.
BIT_COUNTS = ("weight_bits", "bops")
GREY = "#7b8798"
COLOURS: Mapping[Standing, str] = {
    "front": GREEN,
    "whole": BLUE,
    "part": GREY,
    "failed": RED,
    "running": GREY,
}


@dataclass(frozen=True)
class ShownTrial:
    """A trial with how far it came.

    Args:
        trial: As it is recorded.
        standing: Among the others.
        last: The last rung that it has ended; None where there is none.
    """

    trial: Trial
    standing: Standing
    last: RungReached | None

    @property
    def number(self) -> int:
        """Of the trial."""
        return self.trial.number

    @property
    def epochs(self) -> float:
        """That it has trained."""
        return 0.0 if self.last is None else self.last.epochs

    def value(self, text: str) -> float | None:
        """A quantity after the longest training so far; None where it is not known.

        Args:
            text: Of an objective.
        """
        reached = {} if self.last is None else self.last.reached
        return {**self.trial.known, **reached}.get(text)


@dataclass(frozen=True)
class CurvePoint:
    """One row of a training's history.

    Args:
        epoch: Passes over the images done.
        loss: Mean since the row before; None where it is not known.
    """

    epoch: float
    loss: float | None


@dataclass(frozen=True)
class TrialFacts:
    """Everything that the page tells of.

    Args:
        name: Of the run's folder.
        config: What was asked for.
        record: What the trials came to.
        data: The images; None where they are not recorded.
        curves: Trial -> rows of its trainings.
    """

    name: str
    config: TrialsConfig
    record: TrialsRecord
    data: DataRecord | None
    curves: Mapping[int, Sequence[CurvePoint]]

    @cached_property
    def objectives(self) -> tuple[Objective, ...]:
        """What trials are judged by."""
        return tuple(map(parse_objective, self.record.objectives))

    @cached_property
    def trials(self) -> tuple[ShownTrial, ...]:
        """All trials, the best first: the front, then the longest trained, by the first objective.

        Trials that keep budgets and those that do not stand among each other: which is which has
        decided promotions already.
        """
        whole = self.config.scheduler.ladder.last
        shown = [_shown(trial, whole) for trial in self.record.trials]
        first = self.objectives[0]

        def order(one: ShownTrial) -> tuple[bool, float, float, int]:
            value = one.value(first.text)
            cost = float("inf") if value is None or one.last is None else first.cost(value)
            return one.standing != "front", -one.epochs, cost, one.number

        return tuple(sorted(shown, key=order))

    @cached_property
    def by_number(self) -> Mapping[int, ShownTrial]:
        """Number of a trial -> it."""
        return {one.number: one for one in self.trials}

    def bits(self, one: ShownTrial) -> tuple[LayerBits, ...]:
        """Layers of a trial's network with their bits; none where its blocks are unknown here.

        Args:
            one: Of the trials.
        """
        return bits_of_text(one.trial.network)

    @cached_property
    def has_formats(self) -> bool:
        """Whether any network multiplies other numbers than float32."""
        networks = {self.record.original.network, *(one.network for one in self.record.trials)}
        return any(has_formats(bits_of_text(network)) for network in networks)

    @cached_property
    def hidden(self) -> frozenset[str]:
        """Counts that say no more than another one: bits where all networks are float32."""
        asked = {*self.record.objectives, *(b.objective.text for b in self.config.parsed_budgets)}
        return frozenset() if self.has_formats else frozenset(BIT_COUNTS) - asked

    @property
    def judged(self) -> tuple[str, ...]:
        """Texts of the objectives that are known after a training alone."""
        return tuple(o.text for o in self.objectives if not o.quantity.before_training)


def epochs_text(epochs: float) -> str:
    """Epochs in words.

    Args:
        epochs: Any number.
    """
    return "1 epoch" if epochs == 1 else f"{epochs:.4g} epochs"


def _shown(trial: Trial, whole: int) -> ShownTrial:
    done = [rung for rung in trial.rungs if rung.state == "done"]
    last = done[-1] if done else None
    now = trial.rungs[-1].state
    standing: Standing = "part"
    if trial.is_on_front:
        standing = "front"
    elif now != "done":
        standing = "failed" if now == "failed" else "running"
    elif last is not None and last.rung == whole:
        standing = "whole"
    return ShownTrial(trial, standing, last)


def read_facts(path: Path) -> TrialFacts:
    """Reads what the page tells of.

    Args:
        path: Folder of the run.

    Raises:
        LatencyError: The folder is of something else, has come to no trial yet, or is broken.
    """
    config = read_config(path)
    folder = RunFolder(path)
    if not isinstance(config, TrialsConfig):
        raise InputError("a search by trials", f"{path}, of {config.kind!r}", "name its folder")
    if not folder.has(TrialsRecord):
        raise InputError(
            f"{TrialsRecord.FILE} in {path}",
            "a search that has come to no trial yet",
            "go on with it by --resume",
        )
    return TrialFacts(
        path.resolve().name,
        asked_now(folder, config),
        folder.read(TrialsRecord),
        folder.read(DataRecord) if folder.has(DataRecord) else None,
        _curves(path / "trial_curves.csv"),
    )


def _curves(path: Path) -> dict[int, list[CurvePoint]]:
    """Trial -> points of its curve, by epochs; empty where there is no file or no such column."""
    found: dict[int, list[CurvePoint]] = {}
    if not path.is_file():
        return found
    with open(path, encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            epoch = _number(row.get("epoch"))
            trial = _number(row.get("trial"))
            if epoch is not None and trial is not None:
                found.setdefault(int(trial), []).append(CurvePoint(epoch, _number(row.get("loss"))))
    return found


def _number(cell: str | None) -> float | None:
    try:
        return float(cell) if cell else None
    except ValueError:
        return None
