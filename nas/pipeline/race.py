"""The race of a run: who takes part, their trainings, and who wins; every training is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from nas.architecture.spec import Architecture
from nas.architecture.text import to_text
from nas.data import Dataset, split_holdout
from nas.errors import InputError
from nas.hardware.predictor import SpaceLatency
from nas.methods.method import Method, Network, several
from nas.runs.config import RaceConfig, RunConfig
from nas.runs.folder import RunFolder
from nas.search_space.space import Space
from nas.selection.choice import Choice
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
        latency: Its predictor.
        dataset: Images.
        config: What the run was asked for, with `race`.
        measure: Name -> architecture to name -> milliseconds; None for another device.
        interrupter: Asked whether to stop.
    """

    folder: RunFolder
    space: Space
    latency: SpaceLatency
    dataset: Dataset
    config: RunConfig
    measure: Callable[[Mapping[str, Architecture]], dict[str, float]] | None
    interrupter: Interrupter

    @property
    def _race(self) -> RaceConfig:
        race = self.config.race
        if race is None:
            raise InputError("a run with a race", "none", "give --race")
        return race

    def run(self, choice: Choice, methods: Callable[[], Mapping[str, Method]]) -> Architecture:
        """The winner; writes race.json.

        Args:
            choice: The first candidate, whose milliseconds all others have.
            methods: Where the others come from: `search`, `random`, perhaps `evolution`; asked
                only where the field is not drawn yet.
        """
        if not self.folder.has(RaceResult):
            field = self._field(choice, methods)
            if len(field) < 2:
                out.print("No other network has the chosen one's milliseconds: no race is run.")
                found = RaceResult(field, field[0].name)
            else:
                backend.start(self.config.compute)
                found = run_race(field, self._race.epochs, self._train)
            self.folder.write(found)
        result = self.folder.read(RaceResult)
        if result.rungs:
            out.print(
                f"Race: {result.winner} won among {len(result.candidates)} candidates; it cost "
                f"{result.images_seen:,} training images, {result.seconds / 60:.1f} min."
            )
        return self.space.decode(result.winning.indices)

    def _field(
        self, choice: Choice, methods: Callable[[], Mapping[str, Method]]
    ) -> tuple[Candidate, ...]:
        if not self.folder.has(Field):
            self.folder.write(Field(tuple(self._drawn_field(choice.indices, methods()))))
        return self.folder.read(Field).candidates

    def _drawn_field(self, chosen: Network, methods: Mapping[str, Method]) -> list[Candidate]:
        aim_ms = self.latency.predict_ms(chosen)
        wanted = shares(self._race.candidates, "evolution" in methods)
        wanted["search"] -= 1  # the choice itself
        proposed: dict[str, list[Network]] = {}
        known = [chosen]
        for origin, method in methods.items():
            low, high = (1 - WINDOW) * aim_ms, (1 + WINDOW) * aim_ms
            # Twice as many, since some will miss when they are measured whole.
            proposed[origin] = several(method, low, high, 2 * wanted[origin], known)
            known += proposed[origin]
        measured = self._measured(known)
        # The choice beside them, not the target: a whole session may be slower than the last one.
        reference = measured[chosen]
        field = [self._candidate(chosen, "search", 1, measured)]
        for origin, count in wanted.items():
            fitting = [
                network
                for network in proposed.get(origin, [])
                if self._is_equal(measured[network], reference)
            ]
            first = 2 if origin == "search" else 1
            field += [
                self._candidate(network, origin, first + i, measured)
                for i, network in enumerate(fitting[:count])
            ]
        return field

    def _is_equal(self, measured_ms: float | None, reference_ms: float | None) -> bool:
        if measured_ms is None or reference_ms is None:
            return True  # another device: the window of predictions is all there is
        return abs(measured_ms / reference_ms - 1) <= self.config.sizes.equal_margin

    def _measured(self, networks: Sequence[Network]) -> dict[Network, float | None]:
        if self.measure is None:
            return dict.fromkeys(networks)
        out.print(f"Measuring {len(networks)} candidates of the race ...")
        found = self.measure({f"{i}": self.space.decode(n) for i, n in enumerate(networks)})
        return {network: found[f"{i}"] for i, network in enumerate(networks)}

    def _candidate(
        self, network: Network, origin: str, number: int, measured: Mapping[Network, float | None]
    ) -> Candidate:
        return Candidate(
            f"{origin} {number}",
            origin,
            network,
            to_text(self.space.decode(network)),
            measured[network],
            self.latency.predict_ms(network),
        )

    def _train(self, candidate: Candidate, rung: int, epochs: float) -> CandidateScore:
        """Trains one candidate, or reads what an earlier call reached."""
        from nas.training.loop import Control
        from nas.training.trainer import train_network

        key = f"{rung}-{candidate.name.replace(' ', '_')}"
        if not self.folder.has(CandidateScore, name=key):
            labels, seed = self.dataset.train.labels, self.config.seed
            checkpoint = self.folder.checkpoint(f"race_{key}")
            with bar(f"Race, round {rung + 1}, {candidate.name}") as progress:
                result = train_network(
                    self.space.decode(candidate.indices),
                    self.dataset,
                    replace(self.config.recipe, epochs=epochs),
                    Control(
                        checkpoint,
                        self.config.sizes.pace,
                        self.interrupter,
                        lambda state, total: progress.update(state.step, total),
                    ),
                    seed=seed + rung,
                    division=split_holdout(len(labels), labels, JUDGING_SHARE, seed),
                )
            found = result.evaluation
            score = CandidateScore(
                found.top1, found.cross_entropy, result.images_seen, result.seconds
            )
            self.folder.write(score, name=key)
            checkpoint.unlink(missing_ok=True)
            out.print(f"{candidate.name}: {found.top1:.2%} after {epochs:g} epochs")
        return self.folder.read(CandidateScore, name=key)
