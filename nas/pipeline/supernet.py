"""The supernet of a run: trained here or borrowed from another run, and what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.architecture.spec import Architecture
from nas.cost.additive import AdditiveCost
from nas.cost.constraints import excluded_options, quantities
from nas.cost.units import UNITS
from nas.data import Dataset, Split
from nas.errors import InputError
from nas.methods.config import gates_text
from nas.methods.evolution_config import EvolutionConfig
from nas.methods.history import SearchEnd, SearchRow
from nas.methods.registry import METHODS
from nas.pipeline.costs import kept_costs
from nas.pipeline.inputs import check_unchanged, space_of
from nas.pipeline.lending import Lent, lender
from nas.pipeline.orders import order_supernet
from nas.pipeline.stage_jobs import OnStep, tell_nobody
from nas.report.numbers import figure
from nas.runs.config import RunConfig
from nas.runs.folder import RunFolder
from nas.runs.history import read_history
from nas.runs.records import SupernetScore
from nas.runs.tensorboard import write_events
from nas.search_space.space import Space
from nas.selection.diagnostics import few_steps_warning, gradient_ratio
from nas.system import backend
from nas.system.console import bar, out
from nas.system.devices import over_all_hosts
from nas.system.interrupt import Interrupter
from nas.training.rates import cut_text, recipe_text

if TYPE_CHECKING:
    from nas.methods.gate_probabilities import GateProbabilities
    from nas.supernet.scoring import ForwardViews, SharedScorer
    from nas.supernet.trainer import SupernetTrainer
    from nas.training.loop import LoopState


def stage_of_run(
    folder: RunFolder,
    config: RunConfig,
    dataset: Dataset,
    interrupter: Interrupter,
    target: float | None,
) -> SupernetStage:
    """The supernet of a run whose folder has its table already; nothing is measured.

    Args:
        folder: Of the run.
        config: Of the run.
        dataset: Its images.
        interrupter: Asked whether to stop.
        target: Value to land on; None with a penalty, and while only warming up.

    Raises:
        InputError: The space is no longer the run's.
        LatencyError: The table is broken, or missing where the goal needs it.
    """
    space = space_of(config.space, dataset, bits=config.bits)
    check_unchanged(space, config.space, config.space_fingerprint)
    cost = kept_costs(folder, space, config).cost
    return SupernetStage(folder, space, cost, dataset, config, interrupter, target)


@dataclass
class SupernetStage:
    """Trains a supernet, with its gates where they learn; later calls read what is there.

    Args:
        folder: Of the run.
        space: Of the run.
        cost: Of its networks, in what the goal is asked in.
        dataset: Images.
        config: What was asked for.
        interrupter: Asked whether to stop.
        target: Value to land on; None with a penalty, and while only warming up.
    """

    folder: RunFolder
    space: Space
    cost: AdditiveCost
    dataset: Dataset
    config: RunConfig
    interrupter: Interrupter
    target: float | None = None
    _trainer: SupernetTrainer | None = field(default=None, repr=False)
    _is_trained: bool = field(default=False, repr=False)
    _views: ForwardViews | None = field(default=None, repr=False)

    def train(self, on_step: OnStep = tell_nobody) -> None:
        """Trains weights, and gates if they learn; writes search.json, history.csv, gates.json.

        Args:
            on_step: Told steps that are done, and how many there are.
        """
        if self.folder.has(SearchEnd) or self.config.supernet is not None:
            return
        out.print("Starting Keras and building the supernet ...")
        backend.start(self.config.compute, self.dataset.image_size)
        order_supernet(self.folder, self.target)
        with over_all_hosts():
            self._train(on_step)
        if self.config.compute.processes > 1:
            # Its weights are those of all processes, and what is asked of it from here on is not.
            self._trainer, self._is_trained = None, False
            backend.forget_models()

    def _train(self, on_step: OnStep) -> None:
        self._trainer = trainer = self._built(self._own())
        self._say_rates(trainer)
        with bar("Searching") as progress:

            def show(state: LoopState) -> None:
                note = search_note(state.history[-1])
                progress.update(state.step, trainer.total_steps, note=note)
                on_step(state.step, trainer.total_steps)

            history = trainer.train(show).history
        self._is_trained = True
        self.folder.write_csv(SearchRow.FILE, history)
        self._say_gradients()
        write_events(self.folder.path / "tensorboard", history, "search/")
        self._keep_gates(trainer)

    def warm_up(self, on_step: OnStep = tell_nobody) -> int:
        """Trains up to where the gates would begin to learn; leaves the checkpoint alone.

        Args:
            on_step: Told steps that are done, and how many there are.

        Returns:
            The steps.
        """
        trainer = self.trainer()
        with bar("Warming up") as progress:

            def show(state: LoopState) -> None:
                note = search_note(state.history[-1])
                progress.update(state.step, trainer.warmup_steps, note=note)
                on_step(state.step, trainer.warmup_steps)

            trainer.train(show, only_warm_up=True)
        return trainer.warmup_steps

    def _say_rates(self, trainer: SupernetTrainer) -> None:
        weights, gates = self.config.search.weights, self.config.search.gates
        images = len(trainer.weights_part)
        out.print(f"Shared weights by {recipe_text(weights, images)}.", markup=False)
        if METHODS[self.config.search.method].learns_gates:
            held_out = len(trainer.held_out_part)
            text = gates_text(gates, min(weights.batch_size, held_out))
            if cut := cut_text(weights.batch_size, held_out):
                text += f"; steps of {held_out} images{cut}"
            out.print(f"Gates by adam: {text}.", markup=False)
        for finding in few_steps_warning(weights, trainer.total_steps, "--search_epochs"):
            out.print(f"Warning: {finding.text}", markup=False)

    def _say_gradients(self) -> None:
        ratio = gradient_ratio(read_history(SearchRow, self.folder.path / SearchRow.FILE))
        unit = self.cost.unit
        noun, decide = unit.noun, "decides" if unit.is_measured else "decide"
        if ratio is not None:
            out.print(
                f"Gates: the {unit.penalty} pulled {ratio:.2g} times as hard as the "
                f"cross-entropy (median; above 1, {noun} {decide} alone)."
            )

    def _keep_gates(self, trainer: SupernetTrainer) -> None:
        """What the gates learned; search.json is there in any case and says that all is done."""
        from nas.methods.gradient import GradientSearch

        found = SearchEnd(trainer.total_steps)
        if isinstance(trainer, GradientSearch):
            result = trainer.result()
            self.folder.write(result.gates)
            decisions = result.probabilities.decisions(self.space)
            unit = self.cost.unit
            found = SearchEnd(trainer.total_steps, result.expected, decisions, unit.quantity)
        self.folder.write(found)

    def probabilities(self) -> tuple[GateProbabilities, float]:
        """Of the gates, and E[cost] under them."""
        from nas.methods.gate_probabilities import GateProbabilities

        found = self.folder.read(SearchEnd)
        if found.probabilities is None or found.expected is None:
            raise InputError(
                f"gates that learned in {self.folder.path}", "a search without any", "search again"
            )
        return GateProbabilities.of(found.probabilities), found.expected

    def trainer(self) -> SupernetTrainer:
        """What trains, built when it is first asked for; its weights may not be trained yet."""
        if self._trainer is None:
            lent = lender(self.config, self.dataset) if self.config.supernet else self._own()
            backend.start(self.config.compute, self.dataset.image_size)
            self._trainer = self._built(lent)
        return self._trainer

    def _built(self, lent: Lent) -> SupernetTrainer:
        from nas.methods.gradient import GradientSearch
        from nas.supernet.trainer import SupernetTrainer
        from nas.training.loop import Control

        search, seed = lent.config.search, lent.config.seed
        control = Control(lent.checkpoint, self.config.sizes.search_pace, self.interrupter)
        if not METHODS[search.method].learns_gates:
            return SupernetTrainer(self.space, self.dataset.train, search.supernet, control, seed)
        excluded = excluded_options(quantities(self.space, lent.config.bounds))
        return GradientSearch(
            self.space.without(excluded),
            self.cost,
            self.dataset.train,
            search,
            control,
            penalty=lent.penalty,
            target=lent.target,
            seed=seed,
        )

    def _own(self) -> Lent:
        goals = self.config.goals
        penalty = goals[0].penalty if len(goals) == 1 else None
        return Lent(self.config, penalty, self.target, self.folder.checkpoint("search"))

    def _trained(self) -> SupernetTrainer:
        trainer = self.trainer()
        if not self._is_trained:
            trainer.read_weights()  # that an earlier process, or another run, trained
            self._is_trained = True
        return trainer

    def weights_of(self, architecture: Architecture) -> dict[str, np.ndarray]:
        """Weights of one network of the space, cut out of the trained supernet.

        Args:
            architecture: A network of the space.

        Returns:
            Arrays under the names of `nas.architecture.weights`.
        """
        from nas.supernet.inherit import inherit_weights

        return inherit_weights(self._trained().network, architecture)

    def _forward(self) -> ForwardViews:
        if self._views is None:
            from nas.supernet.scoring import ForwardViews

            trainer = self.trainer()
            self._views = ForwardViews.of(trainer.network, trainer.settings.execution)
        return self._views

    def scorer(self, evolution: EvolutionConfig) -> SharedScorer:
        """Ranks networks on training images that the weights never learned from."""
        from nas.supernet.scoring import SharedScorer

        trainer = self._trained()
        seed = self.config.seed
        # Drawn, since images may lie class by class.
        judging = np.random.default_rng((seed, 14)).permutation(trainer.held_out_part)
        return SharedScorer(
            self._forward(),
            self.dataset.train,
            evolution.statistics_images,
            self.dataset.train,
            indices=np.sort(judging[: evolution.images]),
            statistics_indices=trainer.weights_part,
            seed=seed,
        )

    def evaluate(self, architecture: Architecture) -> SupernetScore:
        """Accuracy with shared weights on the evaluation split; kept in supernet.json."""
        if not self.folder.has(SupernetScore):
            from nas.supernet.scoring import SharedScorer

            trainer = self._trained()
            evaluation: Split = self.dataset.evaluation
            found = SharedScorer(
                self._forward(),
                self.dataset.train,
                self.config.evolution.statistics_images,
                evaluation,
                statistics_indices=trainer.weights_part,
            ).accuracy(self.space.encode(architecture))
            self.folder.write(SupernetScore(found.top1, found.top5))
        return self.folder.read(SupernetScore)


def search_note(row: Mapping[str, Any]) -> str:
    """A row of the history for a progress bar."""
    accuracy = row["accuracy"] or 0.0
    unit = next((unit for unit in UNITS.values() if unit.column in row), None)
    expected = f"E = {figure(unit, row[unit.column])}  " if unit else ""
    return (
        f"{row['stage']}  {expected}accuracy {accuracy:.1%}  {row['examples_per_s']:.0f} images/s"
    )
