"""`nas.py`: table, supernet, choice, race, comparison, certificate; every stage resumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.data import Dataset
from nas.hardware.measurement import (
    KnownNetworks,
    TimedNetworks,
    is_undisturbed,
    measure_networks,
    network_bytes,
)
from nas.hardware.plans import ONE_PROCESS
from nas.hardware.tables import DEPLOYED
from nas.methods.history import GateHistory, SearchEnd, SearchRow
from nas.methods.method import Method
from nas.methods.registry import METHODS
from nas.pipeline.certify import compared_networks, search_certificate
from nas.pipeline.costs import RunCosts, begun_costs, range_text
from nas.pipeline.lending import check_lender
from nas.pipeline.method_inputs import method_inputs
from nas.pipeline.race import RaceRun
from nas.pipeline.stage_jobs import StageJob, SupernetDetails
from nas.pipeline.stage_workers import StageWorkers
from nas.pipeline.supernet import SupernetStage
from nas.pipeline.table import TABLE_FILE, build_command
from nas.report.page import write_report
from nas.report.seeds import MoreSeeds
from nas.report.terminal import terminal_table, verdict_lines
from nas.runs.config import RunConfig
from nas.runs.folder import RunFolder
from nas.runs.history import read_history
from nas.runs.outcome import Outcome
from nas.runs.records import Certificate, Comparison, RunWarnings, SupernetScore
from nas.search_space.space import Space
from nas.selection.choice import Choice, choose_network
from nas.selection.feasible import BoundedSpace
from nas.selection.goals import ResolvedTarget, Target
from nas.system.console import out
from nas.system.interrupt import Interrupter
from nas.system.program import go_on_command


@dataclass
class SearchRun:
    """One run of `nas.py`; its methods are the stages, each skipped if its file is there.

    Args:
        folder: Run folder with config.json.
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
    _known: KnownNetworks | None = field(default=None, init=False, repr=False)
    _processes: int = field(default=0, init=False, repr=False)
    _told: set[str] = field(default_factory=set, init=False, repr=False)

    def run(self) -> Certificate:
        """All stages; returns the certificate."""
        # Before the minutes of a table, and before any backend starts.
        check_lender(self.folder, self.config, self.dataset)
        costs = self._begun_costs()
        watches = self.config.sizes.measuring.watches_known_networks
        if watches and costs.table is not None and self.config.device is None:
            size, classes = self.space.image_size, self.space.num_classes
            self._known = KnownNetworks.of(costs.table, build_command(self.config, size, classes))
        bounded = BoundedSpace(self.space, costs.cost, self.config.bounds)
        target = self._resolved_target(bounded, costs)
        if self.workers is not None and (job := self._supernet_job(self.workers)) is not None:
            self.workers.do([job], "Training the supernet")
        supernet = SupernetStage(
            self.folder,
            self.space,
            costs.cost,
            self.dataset,
            self.config,
            self.interrupter,
            target.target,
        )
        has_supernet = METHODS[self.config.search.method].trains_supernet
        if has_supernet:
            supernet.train()
        choice = self._choose(bounded, supernet, target.target)
        architecture = self._race(bounded, costs, supernet, choice)
        inherited = supernet.evaluate(architecture) if has_supernet else None
        warnings = self._warnings(costs, supernet, architecture)
        certificate = self._certify(bounded, costs, architecture, inherited, target.asked)
        self._say(certificate, warnings)
        return certificate

    def _begun_costs(self) -> RunCosts:
        measuring = None if self.workers is None else self.workers.measuring
        return begun_costs(self.folder, self.space, self.config, measuring)

    def supernet_job(self, workers: StageWorkers) -> StageJob | None:
        """The training of the supernet as a job; None where there is none to come.

        Args:
            workers: That shall do it.
        """
        check_lender(self.folder, self.config, self.dataset)
        costs = self._begun_costs()
        self._kept_target(BoundedSpace(self.space, costs.cost, self.config.bounds))
        return self._supernet_job(workers)

    def _supernet_job(self, workers: StageWorkers) -> StageJob | None:
        trains = METHODS[self.config.search.method].trains_supernet
        if not trains or self.config.supernet is not None or self.folder.has(SearchEnd):
            return None
        return workers.job(
            self.folder,
            "supernet",
            SupernetDetails(only_warm_up=False),
            checkpoint="search",
            record=SearchEnd.FILE,
            inputs=(TABLE_FILE, ResolvedTarget.FILE),
        )

    def _say(self, certificate: Certificate, warnings: Sequence[str]) -> None:
        """Writes the report and prints the end of the run."""
        report = write_report(self.folder.path)
        out.print(terminal_table(certificate, None))
        for line in verdict_lines(certificate, None, MoreSeeds(self.folder.path)):
            out.print(line, markup=False)
        for warning in warnings:
            out.print(f"Warning: {warning}")
        out.print(f"Architecture: {certificate.text}", markup=False)
        out.print(f"Run folder: {self.folder.path}    Report: {report}", markup=False)
        out.print(f"Next: {go_on_command('retrain', self.folder.path)}", markup=False)

    # Stages.

    def _resolved_target(self, bounded: BoundedSpace, costs: RunCosts) -> ResolvedTarget:
        """The goal as a value; refuses one that no network of the bounds can keep."""
        low, high = bounded.range()
        within = " within the other bounds" if bounded.bounds else ""
        reach = range_text(costs, low, high, within)
        out.print(f"Space {self.space.name}: {self.space.size:.3g} networks; {reach}", markup=False)
        target = self._kept_target(bounded)
        if target.goal.percent is not None and target.target is not None:
            resolved = target.goal.unit.written(target.target, digits=4)
            out.print(f"{target.goal.percent:g} % of the range: {resolved}.")
        return target

    def _kept_target(self, bounded: BoundedSpace) -> ResolvedTarget:
        if not self.folder.has(ResolvedTarget):
            found = ResolvedTarget.of(self.config.goal, *bounded.range())
            if found.target is not None:
                bounded.check_target(found.target)
            # Whoever certifies a network of this run asks for this.
            self.folder.write(found)
        return self.folder.read(ResolvedTarget)

    def _methods(self, bounded: BoundedSpace, supernet: SupernetStage) -> dict[str, Method]:
        """The asked method as `search`, and what else a race may draw from."""
        asked = self.config.search.method
        inputs = method_inputs(bounded, supernet, self.config)
        found = {"search": METHODS[asked].of(inputs)}
        for name in ("random", "evolution"):
            # Only what the asked method trains is there to be asked.
            trained = METHODS[asked].trains_supernet or not METHODS[name].trains_supernet
            if name != asked and trained:
                found[name] = METHODS[name].of(inputs)
        return found

    def _choose(
        self, bounded: BoundedSpace, supernet: SupernetStage, target: float | None
    ) -> Choice:
        if not self.folder.has(Choice):
            is_read = bounded.cost.unit.is_measured and self.config.device is None
            aim = target
            if aim is None:
                low, high = bounded.range()
                aim = min(max(supernet.probabilities()[1], low), high)
            choice = choose_network(
                bounded,
                self._methods(bounded, supernet)["search"],
                aim,
                self._reading if is_read and target is not None else None,
            )
            self.folder.write(choice)
        return self.folder.read(Choice)

    def _timed(self, networks: Mapping[str, Architecture]) -> TimedNetworks:
        """Whole networks in one new process; a user is told once what the table is wrong about."""
        self._processes += 1  # each has inputs and an order of its own
        timed = measure_networks(
            {name: network_bytes(network) for name, network in networks.items()},
            DEPLOYED,
            replace(self.config.sizes.measuring.choice, seed=self._processes),
            ONE_PROCESS,
            self._known,
        )
        if timed.doubt is not None and timed.doubt.fix not in self._told:
            self._told.add(timed.doubt.fix)
            out.print(f"Warning: {timed.doubt.reason}. Fix: {timed.doubt.fix}.", markup=False)
        return timed

    def _measure(self, networks: Mapping[str, Architecture]) -> dict[str, float]:
        return {name: timing.latency_ms for name, timing in self._timed(networks).items()}

    def _reading(self, network: Architecture) -> float | None:
        """Milliseconds of one network; None where the machine showed too little full speed."""
        timing = self._timed({"network": network})["network"]
        # A run of toy size takes every reading as it is.
        return timing.latency_ms if self._known is None or is_undisturbed(timing) else None

    def _race(
        self, bounded: BoundedSpace, costs: RunCosts, supernet: SupernetStage, choice: Choice
    ) -> Architecture:
        if not self.folder.has("architecture.json"):
            architecture = self.space.decode(choice.indices)
            if self.config.race is not None:
                is_read = costs.cost.unit.is_measured and self.config.device is None
                race = RaceRun(
                    self.folder,
                    self.space,
                    costs,
                    self.dataset,
                    self.config,
                    self._measure if is_read else None,
                    self.interrupter,
                    self.workers,
                )
                architecture = race.run(choice, lambda: self._methods(bounded, supernet))
            named = replace(architecture, name="searched")
            self.folder.write_json("architecture.json", arch_text.to_json(named))
        path = self.folder.path / "architecture.json"
        return arch_text.from_json(self.folder.read_json(path.name), str(path))

    def _warnings(
        self,
        costs: RunCosts,
        supernet: SupernetStage,
        architecture: Architecture,
    ) -> tuple[str, ...]:
        from nas.selection.diagnostics import (
            few_steps_warning,
            kernel_warnings,
            search_warnings,
        )

        if METHODS[self.config.search.method].learns_gates:
            # Only milliseconds are as close as their noise.
            rows = costs.table.rows if costs.table and costs.cost.unit.is_measured else {}
            noise = sorted(row.noise for row in rows.values())
            found = search_warnings(
                self.space,
                costs.cost,
                supernet.probabilities()[0],
                architecture,
                read_history(SearchRow, self.folder.path / SearchRow.FILE),
                self.config.goal.penalty,
                noise[len(noise) // 2] if noise else None,
                self.folder.read(GateHistory),
            )
        else:
            found = kernel_warnings(architecture)
        if self.folder.has(SearchEnd):  # a borrowed supernet was trained by another run
            steps, weights = self.folder.read(SearchEnd).steps, self.config.search.weights
            found += few_steps_warning(weights, steps, "--search_epochs")
        warnings = RunWarnings.of(found)
        self.folder.write(warnings)
        return warnings.warnings

    def _certify(
        self,
        bounded: BoundedSpace,
        costs: RunCosts,
        architecture: Architecture,
        inherited: SupernetScore | None,
        asked: Target | None,
    ) -> Certificate:
        if not self.folder.has(Comparison):
            found = compared_networks(bounded, architecture, self.config, self._measure)
            self.folder.write(found)
        if not self._is_certified():
            certificate = search_certificate(
                costs,
                architecture,
                asked,
                self.folder.read(Comparison),
                inherited,
                self.config,
                self._known,
                go_on_command("search", self.folder.path.absolute()),
            )
            self.folder.write(certificate)
        return self.folder.read(Certificate)

    def _is_certified(self) -> bool:
        """Whether the certificate stays as it is."""
        if not self.folder.has(Certificate):
            return False
        found = self.folder.read(Certificate)
        # A miss stays a miss; what could not be told may be told by now.
        if found.outcome is not Outcome.CANNOT_TELL:
            return True
        if found.recipe is None:
            return False
        # What a training reached, and its files, stand in no certificate of a search.
        out.print("The certificate of the trained network stays: main.py measures again.")
        return True
