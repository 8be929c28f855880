"""`nas.py`: table, supernet, choice, race, comparison, certificate; every stage resumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from latency.tables.table import LatencyTable
from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.cost.constraints import Bounds
from nas.data import Dataset
from nas.hardware.measurement import KnownNetworks
from nas.hardware.predictor import SpaceLatency
from nas.pipeline.certify import compared_networks, measured_ms, search_certificate
from nas.pipeline.inputs import scale_of
from nas.pipeline.race import RaceRun
from nas.pipeline.supernet import SupernetStage
from nas.pipeline.table import run_table
from nas.recipes.scales import Scale
from nas.report.page import write_report
from nas.report.terminal import terminal_table
from nas.runs.folder import RunFolder
from nas.runs.history import read_history
from nas.runs.records import Certificate, Comparison, RunWarnings, SupernetScore
from nas.search.evolution import EvolutionConfig, EvolutionMethod
from nas.search.history import GateHistory, SearchRow
from nas.search.method import Method, Scored
from nas.search.proposals import ProposalMethod, ScoreMethod
from nas.search.random import RandomMethod
from nas.search_space.space import Space
from nas.selection.choice import Choice, choose_network
from nas.selection.feasible import BoundedSpace
from nas.selection.goals import Goal
from nas.system.console import err, out
from nas.system.interrupt import Interrupter

if TYPE_CHECKING:
    from nas.supernet.scoring import SharedScorer


@dataclass
class SearchRun:
    """One run of `nas.py`; its methods are the stages, each skipped if its file is there.

    Args:
        folder: Run folder with config.json.
        space: With the data's classes.
        dataset: Images.
        config: What config.json holds; see `nas.cli.search`.
        interrupter: Asked whether to stop.
    """

    folder: RunFolder
    space: Space
    dataset: Dataset
    config: dict[str, Any]
    interrupter: Interrupter
    _known: KnownNetworks | None = field(default=None, init=False, repr=False)

    def run(self) -> Certificate:
        """All stages; returns the certificate."""
        table = run_table(self.folder, self.space, self.config)
        if self._scale.measuring.watches_known_networks and self.config["device"] is None:
            self._known = KnownNetworks.of(self.space, table)
        latency = SpaceLatency.from_table(self.space, table)
        bounded = BoundedSpace(self.space, latency, Bounds(**self.config.get("bounds", {})))
        self._resolve_target(bounded)
        supernet = SupernetStage(
            self.folder, self.space, latency, self.dataset, self.config, self.interrupter
        )
        has_supernet = self.config["search"]["method"] != "random"
        if has_supernet:
            supernet.train()
        choice = self._choose(bounded, supernet)
        architecture = self._race(bounded, supernet, choice)
        inherited = supernet.evaluate(architecture) if has_supernet else None
        warnings = self._warnings(table, latency, supernet, architecture)
        certificate = self._certify(bounded, architecture, inherited)
        report = write_report(self.folder.path)
        out.print(terminal_table(certificate, None))
        for warning in warnings:
            out.print(f"Warning: {warning}")
        out.print(f"Architecture: {certificate.text}", markup=False)
        out.print(f"Run folder: {self.folder.path}    Report: {report}", markup=False)
        out.print(f"Next: python main.py --run {self.folder.path}", markup=False)
        return certificate

    @property
    def _scale(self) -> Scale:
        return scale_of(self.config)

    # Stages.

    def _resolve_target(self, bounded: BoundedSpace) -> None:
        """Prints the range, and refuses a target that no network of the bounds can keep."""
        low, high = bounded.range_ms()
        within = " within the other bounds" if bounded.bounds else ""
        out.print(
            f"Space {self.space.name}: {self.space.size:.3g} networks; {low:.3f} to {high:.3f} ms "
            f"predicted{within}, 1 thread."
        )
        config = self.config
        goal = Goal(config["lambda"], config["target_ms"], config.get("target_percent"))
        target_ms = goal.resolved_ms(low, high)
        if target_ms is not None:
            bounded.check_target(target_ms)
        if goal.target_percent is not None:
            out.print(f"{goal.target_percent:g} % of the range: {target_ms:.4f} ms.")
            # main.py certifies against milliseconds and knows no range.
            self.config["target_ms"] = target_ms
            self.folder.write_json("config.json", self.config)

    def _methods(self, bounded: BoundedSpace, supernet: SupernetStage) -> dict[str, Method]:
        """The asked method as `search`, and what else a race may draw from."""
        method, seed = self.config["search"]["method"], int(self.config["seed"])
        found: dict[str, Method] = {"random": RandomMethod(bounded, seed)}
        if method == "random":
            return {"search": found["random"]}
        config = EvolutionConfig(**self.config.get("evolution", {}))
        score = _scored(supernet, config)
        found["evolution"] = EvolutionMethod(
            bounded, score, seed, config, partial(_progress, "Evolution")
        )
        if method == "evolution":
            return {"search": found["evolution"], "random": found["random"]}
        scores = supernet.probabilities()[0].scores(self.space)
        count = self.config.get("proposals", 0)  # runs of earlier versions have none
        own: Method = ScoreMethod(bounded, scores)
        if count:
            progress = partial(_progress, "Proposals of the gates")
            own = ProposalMethod(bounded, score, seed, scores, count, progress)
        return {"search": own, **found}

    def _choose(self, bounded: BoundedSpace, supernet: SupernetStage) -> Choice:
        if not self.folder.has(Choice):
            target_ms = self.config["target_ms"]
            asked = target_ms is not None and self.config["device"] is None
            aim_ms = target_ms
            if aim_ms is None:
                low, high = bounded.range_ms()
                aim_ms = min(max(supernet.probabilities()[1], low), high)
            choice = choose_network(
                bounded,
                self._methods(bounded, supernet)["search"],
                aim_ms,
                (lambda network: self._measure({"network": network})["network"]) if asked else None,
            )
            self.folder.write(choice)
        return self.folder.read(Choice)

    def _measure(self, networks: Mapping[str, Architecture]) -> dict[str, float]:
        return measured_ms(networks, self._scale.measuring.choice, self._known)

    def _race(self, bounded: BoundedSpace, supernet: SupernetStage, choice: Choice) -> Architecture:
        if not self.folder.has("architecture.json"):
            architecture = self.space.decode(choice.indices)
            if self.config.get("race"):
                race = RaceRun(
                    self.folder,
                    self.space,
                    bounded.latency,
                    self.dataset,
                    self.config,
                    self._measure if self.config["device"] is None else None,
                    self.interrupter,
                )
                architecture = race.run(choice, lambda: self._methods(bounded, supernet))
            named = replace(architecture, name="searched")
            self.folder.write_json("architecture.json", arch_text.to_json(named))
        return arch_text.from_json(self.folder.read_json("architecture.json"))

    def _warnings(
        self,
        table: LatencyTable,
        latency: SpaceLatency,
        supernet: SupernetStage,
        architecture: Architecture,
    ) -> list[str]:
        from nas.selection.diagnostics import kernel_warnings, search_warnings

        if self.config["search"]["method"] == "gradient":
            noise = sorted(row.noise for row in table.rows.values())
            found = search_warnings(
                self.space,
                latency,
                supernet.probabilities()[0],
                architecture,
                read_history(SearchRow, self.folder.path / SearchRow.FILE),
                self.config["lambda"],
                noise[len(noise) // 2] if noise else None,
                self.folder.read(GateHistory),
            )
        else:
            found = kernel_warnings(self.space, architecture)
        self.folder.write(RunWarnings(tuple(found)))
        return found

    def _certify(
        self,
        bounded: BoundedSpace,
        architecture: Architecture,
        inherited: SupernetScore | None,
    ) -> Certificate:
        if not self.folder.has(Comparison):
            found = compared_networks(bounded, architecture, self.config, self._measure)
            self.folder.write(found)
        if not self.folder.has(Certificate):
            certificate = search_certificate(
                self.space,
                bounded.latency,
                architecture,
                self.config["target_ms"],
                self.folder.read(Comparison),
                inherited,
                self.config,
                self._known.patient() if self._known else None,
            )
            self.folder.write(certificate)
        return self.folder.read(Certificate)


def _scored(supernet: SupernetStage, config: EvolutionConfig) -> Callable[[tuple[int, ...]], float]:
    """The supernet's score; the supernet is trained or restored when it is first asked."""
    scorer: list[SharedScorer] = []

    def score(network: tuple[int, ...]) -> float:
        if not scorer:
            scorer.append(supernet.scorer(config))
        return scorer[0].score(network)

    return score


def _progress(what: str, done: int, total: int, best: Scored) -> None:
    if done % 16 == 0 or done == total:
        err.print(
            f"{what}: {done} of at most {total} networks; least cross-entropy {-best.score:.4f}"
        )
