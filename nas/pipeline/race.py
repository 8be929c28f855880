"""The race of a run: who takes part, their trainings, and who wins; every training is kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np

from nas.architecture.spec import Architecture
from nas.architecture.text import parse, to_text
from nas.data import Dataset, split_holdout
from nas.errors import InputError
from nas.methods.method import Method, Network, several
from nas.pipeline.costs import RunCosts
from nas.pipeline.stage_jobs import CandidateDetails, OnStep, tell_nobody
from nas.pipeline.stage_workers import StageWorkers
from nas.report.seeds import race_text
from nas.runs.config import RaceConfig, RunConfig
from nas.runs.folder import RunFolder
from nas.search_space.space import Space
from nas.selection.baselines import EQUAL_MARGIN
from nas.selection.choice import Choice
from nas.selection.race_field import READINGS, admitted
from nas.selection.successive_halving import (
    Candidate,
    CandidateScore,
    Field,
    RaceResult,
    run_race,
    shares,
)
from nas.system import backend
from nas.system.console import bar, out
from nas.system.interrupt import Interrupter

# Candidates are drawn from this share around the choice's prediction, then measured.
WINDOW = 0.01
# Share of the training images that judges; the evaluation split must not choose.
JUDGING_SHARE = 0.2


@dataclass
class RaceRun:
    """One race.

    Args:
        folder: Of the run; trainings are kept below race/.
        space: Of the run.
        costs: Of its networks.
        dataset: Images.
        config: What the run was asked for, with `race`.
        measure: Name -> architecture to name -> milliseconds; None for another device, and where
            the goal is a count.
        interrupter: Asked whether to stop.
        workers: That train; None where this program does.
    """

    folder: RunFolder
    space: Space
    costs: RunCosts
    dataset: Dataset
    config: RunConfig
    measure: Callable[[Mapping[str, Architecture]], dict[str, float]] | None
    interrupter: Interrupter
    workers: StageWorkers | None = None

    @property
    def _race(self) -> RaceConfig:
        race = self.config.race
        if race is None:
            raise InputError("a run with a race", "none", "give --race")
        return race

    def run(self, choice: Choice, methods: Callable[[], Mapping[str, Method]]) -> Architecture:
        """The winner; writes race.json.

        Args:
            choice: The first candidate; all others keep the same budget.
            methods: Where the others come from: `search`, `random`, perhaps `evolution`; asked
                only where the field is not drawn yet.
        """
        if not self.folder.has(RaceResult):
            field = self._field(choice, methods)
            if len(field) < 2:
                unit = self.costs.cost.unit
                budget = "these milliseconds" if unit.is_measured else f"these {unit.text}"
                out.print(f"No other network is sure to keep {budget}: no race is run.")
                found = RaceResult(field, field[0].name)
            else:
                backend.start(self.config.compute, self.dataset.image_size)
                with nullcontext() if self.workers is None else self.workers.kept():
                    found = run_race(field, self._race.epochs, self._train, self._ahead)
            self.folder.write(found)
        result = self.folder.read(RaceResult)
        if result.rungs:
            out.print(
                f"Race: {result.winner} won among {len(result.candidates)} candidates; it cost "
                f"{result.images_seen:,} training images, {result.seconds / 60:.1f} min."
            )
            out.print(f"Race: {race_text(result)}")
        return self.space.decode(result.winning.indices)

    def _field(
        self, choice: Choice, methods: Callable[[], Mapping[str, Method]]
    ) -> tuple[Candidate, ...]:
        if not self.folder.has(Field):
            self.folder.write(Field(tuple(self._drawn_field(choice, methods()))))
        return self.folder.read(Field).candidates

    def _drawn_field(self, choice: Choice, methods: Mapping[str, Method]) -> list[Candidate]:
        chosen = choice.indices
        aim = self.costs.cost.of(chosen)
        wanted = shares(self._race.candidates, "evolution" in methods)
        wanted["search"] -= 1  # the choice itself
        proposed: dict[str, list[Network]] = {}
        known = [chosen]
        for origin, method in methods.items():
            low, high = (1 - WINDOW) * aim, (1 + WINDOW) * aim
            # Three times as many, since some will miss when they are measured whole.
            proposed[origin] = several(method, low, high, 3 * wanted[origin], known)
            known += proposed[origin]
        readings = self._readings(known)
        fitting = self._fitting(choice, readings)
        measured = {n: float(np.median(ms)) if ms else None for n, ms in readings.items()}
        field = [self._candidate(chosen, "search", 1, measured)]
        for origin, count in wanted.items():
            found = [network for network in proposed.get(origin, []) if network in fitting]
            first = 2 if origin == "search" else 1
            field += [
                self._candidate(network, origin, first + i, measured)
                for i, network in enumerate(found[:count])
            ]
        # A choice that misses the target is there for want of a better one only.
        has_better = choice.accepted is False and chosen not in fitting and len(field) > 1
        return field[1:] if has_better else field

    def _fitting(
        self, choice: Choice, readings: Mapping[Network, Sequence[float]]
    ) -> Collection[Network]:
        """Who may take part: whom a certificate would call met, or who is equal to the choice."""
        cost = self.costs.cost
        if not cost.unit.is_measured and self.config.goal.penalty is None:
            target = choice.target
            return [n for n in readings if abs(cost.of(n) / target - 1) <= EQUAL_MARGIN]
        if not readings[choice.indices]:
            return readings  # another device: the window of predictions is all there is
        margin = self.config.sizes.equal_margin
        if choice.accepted is not None:
            return admitted(readings, choice.target, margin)
        # Nothing was asked, so nothing can be missed: they are compared with the choice.
        reference_ms = float(np.median(readings[choice.indices]))
        return [
            network
            for network, ms in readings.items()
            if abs(float(np.median(ms)) / reference_ms - 1) <= margin
        ]

    def _readings(self, networks: Sequence[Network]) -> dict[Network, list[float]]:
        """Milliseconds in each of a few fresh processes; none where nothing is measured."""
        if self.measure is None:
            return {network: [] for network in networks}
        out.print(f"Measuring {len(networks)} candidates of the race ...")
        named = {f"{i}": self.space.decode(network) for i, network in enumerate(networks)}
        found = [self.measure(named) for _ in range(READINGS)]
        return {network: [ms[f"{i}"] for ms in found] for i, network in enumerate(networks)}

    def _candidate(
        self, network: Network, origin: str, number: int, measured: Mapping[Network, float | None]
    ) -> Candidate:
        return Candidate(
            f"{origin} {number}",
            origin,
            network,
            to_text(self.space.decode(network)),
            measured[network],
            self.costs.predicted_ms(self.space.decode(network)),
        )

    def _train(self, candidate: Candidate, rung: int, epochs: float) -> CandidateScore:
        """Trains one candidate, or reads what an earlier call reached."""
        details = _details(candidate, rung, epochs)
        if not self.folder.has(CandidateScore, name=details.key):
            lines = train_candidate(
                self.folder, self.dataset, self.config, details, self.interrupter
            )
            self.folder.checkpoint(_checkpoint(details)).unlink(missing_ok=True)
            for line in lines:
                out.print(line, markup=False)
        return self.folder.read(CandidateScore, name=details.key)

    def _ahead(self, candidates: Sequence[Candidate], rung: int, epochs: float) -> None:
        """Has the trainings of a round done by workers, where there are any."""
        if self.workers is None:
            return
        jobs = []
        for candidate in candidates:
            details = _details(candidate, rung, epochs)
            record = CandidateScore.FILE.format(name=details.key)
            checkpoint = _checkpoint(details)
            jobs.append(
                self.workers.job(
                    self.folder, "candidate", details, checkpoint=checkpoint, record=record
                )
            )
        self.workers.do(jobs, f"Race, round {rung + 1}")


def _details(candidate: Candidate, rung: int, epochs: float) -> CandidateDetails:
    key = f"{rung}-{candidate.name.replace(' ', '_')}"
    label = f"Race, round {rung + 1}, {candidate.name}"
    return CandidateDetails(key, candidate.name, candidate.text, label, rung, epochs)


def _checkpoint(details: CandidateDetails) -> str:
    return f"race_{details.key}"


def train_candidate(
    folder: RunFolder,
    dataset: Dataset,
    config: RunConfig,
    details: CandidateDetails,
    interrupter: Interrupter,
    on_step: OnStep = tell_nobody,
) -> list[str]:
    """Trains a candidate alone and writes what it reached on images held out for that.

    Args:
        folder: Of the run, or of a part of it.
        dataset: Images.
        config: Of the run.
        details: Which candidate, and for how long.
        interrupter: Asked whether to stop.
        on_step: Told steps that are done, and how many there are.

    Returns:
        Lines for people.
    """
    from nas.training.loop import Control, LoopState
    from nas.training.trainer import train_network

    labels, seed = dataset.train.labels, config.seed
    with bar(details.label) as progress:

        def show(state: LoopState, total: int) -> None:
            progress.update(state.step, total)
            on_step(state.step, total)

        result = train_network(
            parse(details.network),
            dataset,
            replace(config.recipe, epochs=details.epochs),
            Control(folder.checkpoint(_checkpoint(details)), config.sizes.pace, interrupter, show),
            seed=seed + details.rung,
            division=split_holdout(len(labels), labels, JUDGING_SHARE, seed),
        )
    found = result.evaluation
    score = CandidateScore(found.top1, found.cross_entropy, result.images_seen, result.seconds)
    folder.write(score, name=details.key)
    return [f"{details.name}: {found.top1:.2%} after {details.epochs:g} epochs"]
