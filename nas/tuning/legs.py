"""What is stored of a search by trials: legs, each a trial's training up to the end of a rung.

A *trial* is a configuration with a number. It trains in *legs*: one up to the end of its first
rung, and one more with each promotion, which goes on from the checkpoint of the last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from nas.executors.messages import Cause
from nas.tuning.objectives import Objective
from nas.tuning.parameters import Configuration, key_of
from nas.tuning.scores import RungValue, Running
from nas.tuning.table import RungTable

State = Literal["running", "done", "failed"]


@dataclass(frozen=True)
class Lease:
    """Who trains a leg, and until when it is taken for alive.

    Args:
        worker: Name of the worker.
        pid: Number of its process.
        deadline_s: Seconds since 1970 by which it has to say something.
    """

    worker: str
    pid: int
    deadline_s: float


@dataclass(frozen=True)
class Plan:
    """What a leg trains, known before it begins.

    Args:
        trial: Number of the trial.
        rung: The rung whose end it trains to.
        epochs: Of the trial in all when it gets there.
        bracket: Number of the bracket that the trial is in.
        configuration: Of the trial.
        known: Quantities of it that are known without training, by name.
        margins: Budget -> how far the configuration is above it, 0 or less: it is kept.
        refused: Configurations that were drawn before it and break a budget or another condition.
        refusals: Condition -> how many of them break it; empty in files of earlier versions.
    """

    trial: int
    rung: int
    epochs: float
    bracket: int
    configuration: Configuration
    known: Mapping[str, float]
    margins: Mapping[str, float] = field(default_factory=dict)
    refused: int = 0
    refusals: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Leg:
    """One leg as it is stored.

    Args:
        number: Of the leg, from 0 in the order in which they began.
        plan: What it trains.
        state: Whether it runs, is done or has failed for good.
        values: Of each objective, as measured; NaN of a leg that failed, empty while it runs.
        reached: All quantities that the training came to, by name, also those that are no
            objectives.
        violation: By how much budgets of such quantities are missed, 0 or more.
        curve: Rows of the training's history, in their order.
        facts: What else the training said.
        attempts: Trainings that failed, by their causes in order.
        lease: Who trains it; None where nobody does.
        message: Of its last failure.
    """

    number: int
    plan: Plan
    state: State = "running"
    values: tuple[float, ...] = ()
    reached: Mapping[str, float] = field(default_factory=dict)
    violation: float = 0.0
    curve: tuple[Mapping[str, Any], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    attempts: tuple[Cause, ...] = ()
    lease: Lease | None = None
    message: str = ""


class SearchState:
    """All legs of a search, kept beside their file by whoever alone writes it.

    It holds nothing but what the file holds: the state of `store.legs()` is equal at any moment.

    Args:
        objectives: In the order of the values.
        legs: In the order of their numbers.
    """

    def __init__(self, objectives: Sequence[Objective], legs: Iterable[Leg] = ()) -> None:
        self.legs: dict[int, Leg] = {}
        # Trial -> its legs' numbers, the last one being that of its highest rung.
        self.trials: dict[int, list[int]] = {}
        self.table = RungTable(objectives)
        self.running: dict[int, Running] = {}
        self.refused = 0
        self.refusals: Counter[str] = Counter()
        # Those behind the last trial, once the whole list of a grid has been gone through; they
        # are found again when a search goes on.
        self.refused_at_end: Mapping[str, int] = {}
        self.keys: set[str] = set()
        for leg in legs:
            self.begin(leg)
            if leg.state != "running":
                self.end(leg)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SearchState):
            return NotImplemented
        # The rest follows from the legs; by their texts, in which NaN is the same as NaN.
        return repr(self.legs) == repr(other.legs) and self.running == other.running

    __hash__ = None  # type: ignore[assignment]

    def begin(self, leg: Leg) -> None:
        """Adds a leg that runs from now on.

        Args:
            leg: With the next number.
        """
        plan = leg.plan
        self.legs[leg.number] = leg
        if plan.trial not in self.trials:
            self.trials[plan.trial] = []
            self.refused += plan.refused
            self.refusals.update(plan.refusals)
            self.keys.add(key_of(plan.configuration))
        self.trials[plan.trial].append(leg.number)
        self.running[leg.number] = Running(plan.trial, plan.rung, plan.bracket)

    def change(self, leg: Leg) -> None:
        """Replaces a leg that runs.

        Args:
            leg: With the number of one that is there.
        """
        self.legs[leg.number] = leg

    def end(self, leg: Leg) -> None:
        """Replaces a leg that ran by the same one, done or failed.

        Args:
            leg: With its values.
        """
        self.legs[leg.number] = leg
        del self.running[leg.number]
        plan = leg.plan
        self.table.add(RungValue(plan.trial, plan.rung, leg.values, leg.violation, plan.bracket))

    def last_leg(self, trial: int) -> Leg:
        """The leg of a trial's highest rung.

        Args:
            trial: Its number.
        """
        return self.legs[self.trials[trial][-1]]

    def values_at(self, rung: int) -> list[RungValue]:
        """Values of all trials at the end of a rung, whichever bracket they are in.

        Args:
            rung: Its number.
        """
        brackets = sorted(set(self.table.brackets.values()))
        return [v for b in brackets for v in self.table.values(rung, b).values()]
