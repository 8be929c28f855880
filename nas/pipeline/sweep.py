"""A sweep: several goals from one warmed-up supernet, and one table, and their Pareto front."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from latency import atomic
from nas.cost.additive import AdditiveCost
from nas.data import Dataset
from nas.methods.history import SearchEnd
from nas.methods.registry import METHODS
from nas.pipeline.costs import RunCosts, begun_costs, range_text
from nas.pipeline.inputs import keep_data
from nas.pipeline.lending import check_lender
from nas.pipeline.search import SearchRun
from nas.pipeline.stage_jobs import StageJob, SupernetDetails
from nas.pipeline.stage_workers import StageWorkers
from nas.pipeline.supernet import SupernetStage
from nas.pipeline.table import TABLE_FILE
from nas.report.pareto import print_pareto, write_pareto
from nas.report.seeds import MoreSeeds
from nas.runs.config import CONFIG_FILE, RunConfig, read_search_config
from nas.runs.folder import RunFolder
from nas.runs.front import network_names
from nas.runs.lender import LentSupernet
from nas.runs.outcome import Outcome
from nas.runs.records import Certificate
from nas.runs.sweep import Pareto, SharedWarmUp
from nas.search_space.space import Space
from nas.selection.feasible import BoundedSpace
from nas.selection.goals import Goal
from nas.system import backend
from nas.system.console import out
from nas.system.interrupt import Interrupter
from nas.system.program import go_on_command


@dataclass
class SweepRun:
    """Runs one search a goal below one folder; each can go on alone and be retrained.

    Args:
        folder: Of the sweep, with config.json.
        space: With the data's classes.
        dataset: Images.
        config: What was asked for.
        interrupter: Asked whether to stop.
        workers: That train; None where this program does.
    """

    folder: RunFolder
    space: Space
    dataset: Dataset
    config: RunConfig
    interrupter: Interrupter
    workers: StageWorkers | None = None

    def run(self) -> Outcome:
        """Everything; what all goals together came to."""
        if not self.folder.has(TABLE_FILE):
            check_lender(self.folder, self.config, self.dataset)
        measuring = None if self.workers is None else self.workers.measuring
        costs = begun_costs(self.folder, self.space, self.config, measuring)
        self._check_goals(costs)
        if METHODS[self.config.search.method].trains_supernet:
            self._warm_up(costs.cost)
            self._train_ahead()
        certificates = [self._one(goal) for goal in self.config.goals]
        page = write_pareto(self.folder.path, network_names(self.folder, self.config.goals))
        print_pareto(self.folder.read(Pareto), MoreSeeds(self.folder.path))
        out.print(f"Sweep: {self.folder.path}    Pareto front: {page}", markup=False)
        out.print(f"Next: {go_on_command('retrain', self.folder.path)}", markup=False)
        return Outcome.of_all(certificate.outcome for certificate in certificates)

    def _check_goals(self, costs: RunCosts) -> None:
        """Refuses, before any training, a goal that cannot be reached."""
        bounded = BoundedSpace(self.space, costs.cost, self.config.bounds)
        low, high = bounded.range()
        out.print(f"Space {self.space.name}: {range_text(costs, low, high)}", markup=False)
        for goal in self.config.goals:
            target = goal.resolved(low, high)
            if target is not None:
                bounded.check_target(target)

    def _warm_up(self, cost: AdditiveCost) -> None:
        """What all searches of the sweep have in common: no goal matters before the gates learn."""
        if self.folder.has(SharedWarmUp) or self.config.supernet is not None:
            return
        out.print("Warming up the supernet for all goals ...")
        if self.workers is not None:
            job = self.workers.job(
                self.folder,
                "supernet",
                SupernetDetails(only_warm_up=True),
                checkpoint="search",
                record=SharedWarmUp.FILE,
                inputs=(TABLE_FILE,),
            )
            self.workers.do([job], "Warming up")
            return
        stage = SupernetStage(
            self.folder, self.space, cost, self.dataset, self.config, self.interrupter
        )
        self.folder.write(SharedWarmUp(stage.warm_up()))

    def _train_ahead(self) -> None:
        """Has the supernets of all goals trained by workers, where there are any."""
        if self.workers is None:
            return
        jobs: list[StageJob] = []
        with ExitStack() as locks:
            for goal in self.config.goals:
                folder, config = self._opened(goal)
                locks.enter_context(folder.alone())
                job = self._search(folder, config).supernet_job(self.workers)
                jobs += [] if job is None else [job]
            self.workers.do(jobs, f"Training {len(jobs)} supernets")

    def _search(self, folder: RunFolder, config: RunConfig) -> SearchRun:
        return SearchRun(folder, self.space, self.dataset, config, self.interrupter, self.workers)

    def _begun(self, path: Path, goal: Goal) -> tuple[RunFolder, RunConfig]:
        """A new run of one goal, with its own copy of what the whole sweep uses."""
        # A sweep whose goals are counts may have no table.
        own = self.folder.path / TABLE_FILE
        table = str(own.absolute()) if own.is_file() else None
        config = replace(self.config, goals=(goal,), table=table)
        folder = RunFolder.create(path, config, goal.label)
        # The paths of a sweep that is moved lead nowhere.
        for name in (TABLE_FILE, LentSupernet.FILE):
            if self.folder.has(name):
                atomic.write_bytes(folder.path / name, (self.folder.path / name).read_bytes())
        return folder, config

    def _at_their_places(self, config: RunConfig) -> RunConfig:
        """The configuration of one goal, with the files of the sweep where they lie now."""
        return replace(
            config,
            blocks=self.config.blocks,
            space=self.config.space,
            supernet=self.config.supernet,
        )

    def _one(self, goal: Goal) -> Certificate:
        """The run of one goal, as if it had been started alone; returns its certificate."""
        out.print(f"\n{goal.label}", style="bold", markup=False)
        folder, config = self._opened(goal)
        with folder.alone():
            certificate = self._search(folder, config).run()
        backend.forget_models()  # the next goal builds a supernet of its own
        return certificate

    def _opened(self, goal: Goal) -> tuple[RunFolder, RunConfig]:
        """The run of one goal, with what the whole sweep has for it."""
        path = self.folder.path / goal.label
        if (path / CONFIG_FILE).is_file():
            folder, config = RunFolder.open(path), self._at_their_places(read_search_config(path))
        else:
            folder, config = self._begun(path, goal)
        keep_data(folder, self.dataset)
        warm, own = self.folder.checkpoint("search"), folder.checkpoint("search")
        if warm.is_file() and not own.is_file() and not folder.has(SearchEnd):
            atomic.write_bytes(own, warm.read_bytes())
        return folder, config
