"""A search by trials: what it was asked for, and what its trials came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nas.cost.constraints import Bounds
from nas.errors import InputError
from nas.executors.needs import ExecutorConfig
from nas.metrics import METRICS, AskedMetrics, Metric
from nas.metrics.goals import parse_asked
from nas.ranges import check_count
from nas.registry import check_known
from nas.runs.settings import RunSettings
from nas.search_space.bits import BitWidths
from nas.tuning.asha import Asha
from nas.tuning.budgets import Budget, check_budgets, parse_budget
from nas.tuning.full_length import FullLength
from nas.tuning.hyperband import Hyperband
from nas.tuning.ladder import Ladder
from nas.tuning.objectives import QUANTITIES, Objective, check_different, parse_objective
from nas.tuning.parameters import Parameter
from nas.tuning.samplers import FIRST_TRIALS, SAMPLERS
from nas.tuning.scheduler import Scheduler
from nas.tuning.tune import check_fits, parse_tune

# Methods that train networks alone. `random` is one where a number of trials is given: all of them
# are trained whole, which is what the others have to be better than.
# A grid trains each configuration of a finite space whole.
TRIAL_METHODS = ("asha", "hyperband", "random", "grid")
# Those whose trials are all trained whole.
WHOLE = ("random", "grid")
# What every whole training is judged by at the end.
USUAL = ("top1", "top5", "cross_entropy")
STORAGES = {"sqlite": "trials.db", "journal": "trials.journal"}
# Which weights rungs are judged by, the usual ones first.
RUNG_WEIGHTS = ("average", "last")
# Names of `Bounds` -> the objectives that they bound.
BOUNDED = {
    "max_params": "params",
    "max_macs": "macs",
    "max_size_bytes": "bytes",
    "max_memory_bytes": "memory_bytes",
    "max_weight_bits": "weight_bits",
    "max_bops": "bops",
}


def can_be_told(of_networks: bool = True) -> tuple[str, ...]:
    """Names of the quantities that trials can be judged by.

    Args:
        of_networks: Whether trials differ in their networks; what all have alike judges none.
    """
    known = (*BOUNDED.values(), "ms") if of_networks else ()
    return tuple(name for name in QUANTITIES if name in METRICS or name in known)


@dataclass(frozen=True, kw_only=True)
class TrialsConfig(RunSettings):
    """What a search by trials was asked for.

    Args:
        method: One of `TRIAL_METHODS`.
        space: Name of the search space, or absolute path of a Python file that defines it; None
            where all trials have one network.
        space_fingerprint: Of the space, to tell whether such files have changed since.
        bits: That blocks of the space choose from, and those of what is no choice; None for the
            space as it is.
        network: Architecture of all trials; None where each has a network of the space.
        tune: Knobs of the recipe that trials differ in, as `--tune` writes them; None for none.
        space_tune: Those that the space brings, likewise; `tune` has others of the same names.
        space_recipe: Name of the recipe that the space brings; None for the images' usual one.
        table: Absolute path of the latency table; None for this host's cache.
        device: Name of another device that the table is of; None for this one.
        bounds: Of a network's counts.
        budgets: Further ones, as `--budgets` writes them.
        objectives: As `--objectives` writes them, in the order of a trial's values.
        signal_class: Name or index of the class that metrics such as `auc` look for; None for the
            second of two classes.
        background_rate_hz: Background images that come a second; None where no metric asks.
        max_trials: Trials in all, 1 or more.
        max_epochs: Of a whole training, above 0.
        reduction: One trial in so many goes on to the next rung, 2 or more.
        rungs: Lengths that trials are compared at, 1 or more.
        sampler: Where configurations come from, one of `SAMPLERS`.
        first_trial: What the first trial is, one of `FIRST_TRIALS`.
        workers: Processes that train at a time, 1 or more; None for as many as a cluster has room
            for.
        executor: Where they run.
        storage: One of `STORAGES`.
        seeds: Whole trainings of the best trial at the end, its own among them, 1 or more.
        metrics: What whole trainings are judged by on the evaluation images beside objectives,
            with what they shall reach, such as `auc` and `top1>=0.9`; they choose nothing.

    Raises:
        InputError: A value is out of its range, or they contradict each other.
    """

    kind: Literal["trials"] = "trials"
    method: str
    space: str | None = None
    space_fingerprint: str | None = None
    bits: BitWidths | None = None
    network: str | None = None
    tune: str | None = None
    space_tune: str | None = None
    space_recipe: str | None = None
    table: str | None = None
    device: str | None = None
    bounds: Bounds = field(default_factory=Bounds)
    budgets: tuple[str, ...] = ()
    objectives: tuple[str, ...] = ("top1",)
    signal_class: str | None = None
    background_rate_hz: float | None = None
    max_trials: int
    max_epochs: float
    reduction: int = 4
    rungs: int = 1
    sampler: str = "random"
    first_trial: str = FIRST_TRIALS[0]
    workers: int | None = 1
    executor: ExecutorConfig = field(default_factory=ExecutorConfig)
    storage: str = "sqlite"
    seeds: int = 1
    metrics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_known("method", self.method, TRIAL_METHODS)
        check_known("sampler", self.sampler, SAMPLERS)
        check_known("first_trial", self.first_trial, FIRST_TRIALS)
        check_known("storage", self.storage, STORAGES)
        if self.workers is not None or self.executor.kind == "local":
            check_count("workers", self.workers or 0)
        check_count("seeds", self.seeds)
        if (self.space is None) == (self.network is None):
            raise InputError(
                "a space, or one network with --tune", "both or neither", "name one of them"
            )
        check_fits(self.knobs, self.recipe)
        _ = self.judged
        check_different(self.parsed_objectives)
        check_budgets(self.parsed_budgets)
        _ = self.scheduler

    @property
    def parsed_objectives(self) -> tuple[Objective, ...]:
        """What trials are judged by."""
        return tuple(map(parse_objective, self.objectives))

    @property
    def parsed_budgets(self) -> tuple[Budget, ...]:
        """All budgets: the bounds of a network's counts, and the further ones."""
        bounds = {name: getattr(self.bounds, bound) for bound, name in BOUNDED.items()}
        return (
            *(Budget(Objective(name), most) for name, most in bounds.items() if most is not None),
            *map(parse_budget, self.budgets),
        )

    @property
    def named(self) -> tuple[Objective, ...]:
        """Objectives, and quantities with a budget."""
        return (*self.parsed_objectives, *(budget.objective for budget in self.parsed_budgets))

    @property
    def asks_for_ms(self) -> bool:
        """Whether milliseconds are an objective or have a budget."""
        return any(objective.name == "ms" for objective in self.named)

    @property
    def trained(self) -> tuple[Objective, ...]:
        """What of these is known after a training alone."""
        return tuple(dict.fromkeys(o for o in self.named if o.name in METRICS))

    @property
    def trained_metrics(self) -> AskedMetrics:
        """The same as metrics, with what stands beside them."""
        texts = tuple(objective.text for objective in self.trained)
        parsed = [Metric.parse(text) for text in texts]
        # Metrics of the end may look for a class or a rate where no objective does.
        signal = self.signal_class if any(m.kind.needs_signal for m in parsed) else None
        rate_hz = self.background_rate_hz if any(m.needs_rate for m in parsed) else None
        return AskedMetrics(texts, signal, rate_hz)

    @property
    def judged(self) -> AskedMetrics:
        """What whole trainings are judged by on the evaluation images, with their goals."""
        asked = [parse_asked(word) for word in self.metrics]
        _refuse_twice([metric.text for metric, _ in asked])
        known = [Metric.parse(objective.text) for objective in self.trained]
        texts = (*USUAL, *(m.text for m in known), *(m.text for m, _ in asked))
        goals = tuple(goal for _, goal in asked if goal is not None)
        whole = tuple(dict.fromkeys(texts))
        return AskedMetrics(whole, self.signal_class, self.background_rate_hz, goals)

    @property
    def knobs(self) -> tuple[Parameter, ...]:
        """Knobs of the recipe that trials differ in: those of the space, and those of `--tune`."""
        texts = [text for text in (self.space_tune, self.tune) if text is not None]
        named = [{knob.name: knob for knob in parse_tune(text)} for text in texts]
        return tuple({name: knob for knobs in named for name, knob in knobs.items()}.values())

    @property
    def scheduler(self) -> Scheduler:
        """Decides what trains next."""
        if self.method in WHOLE:
            return FullLength(self.max_epochs, self.max_trials)
        ladder = Ladder(self.max_epochs, self.reduction, self.rungs)
        kind = Asha if self.method == "asha" else Hyperband
        return kind(ladder, self.max_trials)


def _refuse_twice(texts: Sequence[str]) -> None:
    for text in texts:
        if texts.count(text) > 1:
            raise InputError(
                "each metric once", f"{text}, twice", "leave one of them out of --metrics"
            )


def refuse_trials(run_dir: Path, config: RunSettings) -> None:
    """Refuses the folder of a search by trials, whose networks have no runs of their own.

    Args:
        run_dir: Folder of a run.
        config: Of the run.

    Raises:
        InputError: It is one.
    """
    if isinstance(config, TrialsConfig):
        raise InputError(
            "a run of one network",
            f"{run_dir}, a search by trials",
            "give a network of its front by --arch, as it stands in trials.json",
        )
