"""What one run of `main.py` trains and certifies: its networks, recipe, seeds and images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.cost.units import MILLISECONDS, QuantityName
from nas.data import Dataset
from nas.deployment.formats import AskedExports
from nas.hardware.measurement import KnownNetworks
from nas.metrics import AskedMetrics
from nas.pipeline.inherit import Weights
from nas.pipeline.metrics import MetricJudge
from nas.pipeline.stage_workers import StageWorkers
from nas.pipeline.teaching import Teaching
from nas.recipes.scales import Scale
from nas.runs.folder import RunFolder
from nas.runs.records import ComparedNetwork, SeededRecipe, TrainedRecord, values_of
from nas.runs.trainings import LostRecord, is_over
from nas.selection.diagnostics import few_steps_warning
from nas.selection.goals import Target
from nas.system.interrupt import Interrupter
from nas.training.last_or_average import divided
from nas.training.recipe import Recipe

# Name of the found network among those of its run.
FOUND = "searched"


@dataclass
class RetrainJob:
    """What one run of `main.py` trains and certifies, and by what.

    Args:
        folder: Run folder.
        architecture: The network to retrain.
        dataset: Images.
        recipe: The same for every network.
        seed: Of each network's first training, whose weights are exported.
        others: Baselines, as in comparison.json.
        asked: Of the search; None with `--lambda`.
        device: The search's `--device`: nothing is measured here.
        scale: The size of the job.
        interrupter: Asked whether to stop.
        known: Measured beside them, so that a busy machine is noticed.
        initial_weights: Name of a network -> what it starts from; others start at random.
        seeds: Trainings of each network, 1 or more; every network gets the same seeds, `seed` and
            those that follow it.
        said_again: Words that a command with more seeds needs beside the run's name.
        teaching: Teacher of the recipe; None where it has none, or where all is trained.
        goal_top1: Share of the evaluation images to reach, 0 to 1; None where nobody asked.
        inherits: Whether networks start from a supernet's weights, also where all are trained and
            none of these weights is needed any more.
        exports: Files that are asked for.
        title: What the found network is called while it trains.
        metrics: What every trained network is judged by beside top-1 and top-5.
        selection: The metric on held-out images that chooses between last and averaged weights;
            top-1 where it is empty.
        quantity: What the search was asked in; milliseconds where nothing was searched.
        workers: That train; None where this program does.
        others_go_on: Whether networks in runs of their own go on where this one's first training
            loses its weights; else that ends the program.
    """

    folder: RunFolder
    architecture: Architecture
    dataset: Dataset
    recipe: Recipe
    seed: int
    others: Sequence[ComparedNetwork]
    asked: Target | None
    device: str | None
    scale: Scale
    interrupter: Interrupter
    known: KnownNetworks | None = None
    initial_weights: Mapping[str, Weights] = field(default_factory=dict)
    seeds: int = 1
    said_again: Sequence[str] = ()
    teaching: Teaching | None = None
    goal_top1: float | None = None
    inherits: bool = False
    exports: AskedExports = AskedExports()
    title: str = "searched"
    metrics: AskedMetrics = AskedMetrics()
    selection: AskedMetrics = AskedMetrics()
    quantity: QuantityName = MILLISECONDS.quantity
    workers: StageWorkers | None = None
    others_go_on: bool = False

    @property
    def entries(self) -> list[ComparedNetwork]:
        """The found network and those beside it."""
        found = ComparedNetwork(FOUND, "searched", arch_text.to_text(self.architecture))
        return [found, *self.others]

    @property
    def networks(self) -> dict[str, Architecture]:
        """Name -> network of the found one, which is the first, and of those beside it."""
        return {entry.name: self.network_of(entry) for entry in self.entries}

    @property
    def is_trained(self) -> bool:
        """Whether every training is over, so that `train` only reads."""
        if self.loss is not None:
            return True
        names = [entry.name for entry in self.entries]
        keys = TrainedRecord.keys(names, self.seed, self.seeds)
        return all(is_over(self.folder, key) for key in keys)

    @property
    def lost(self) -> tuple[LostRecord, ...]:
        """Trainings of the run whose weights were lost, first seed first."""
        names = [entry.name for entry in self.entries]
        keys = TrainedRecord.keys(names, self.seed, self.seeds)
        return tuple(
            self.folder.read(LostRecord, name=key)
            for key in keys
            if self.folder.has(LostRecord, name=key)
        )

    @property
    def loss(self) -> LostRecord | None:
        """The found network's first training where it lost its weights: no file can be made."""
        key = TrainedRecord.key(FOUND, self.seed, self.seed)
        has_lost = self.folder.has(LostRecord, name=key)
        return self.folder.read(LostRecord, name=key) if has_lost else None

    @property
    def lost_warnings(self) -> tuple[str, ...]:
        """Each training whose weights were lost, in words."""
        return tuple(
            f"The weights of {one.name} were lost with seed {one.seed}: {one.reason}. Means are of "
            "its other trainings; where a goal is asked for, this one did not reach it."
            for one in self.lost
        )

    @property
    def seeded_recipe(self) -> SeededRecipe:
        """What all networks of the run are trained by."""
        return SeededRecipe(
            **values_of(self.recipe),
            seed=self.seed,
            inherits=self.inherits or bool(self.initial_weights),
            seeds=self.seeds,
        )

    def network_of(self, entry: ComparedNetwork | TrainedRecord) -> Architecture:
        """The network that is meant.

        Args:
            entry: The found one, or one beside it.
        """
        is_found = entry.role == "searched"
        return self.architecture if is_found else arch_text.parse(entry.text)

    def title_of(self, entry: ComparedNetwork) -> str:
        """What a network is called while it trains.

        Args:
            entry: The found one, or one beside it.
        """
        return self.title if entry.role == "searched" else entry.name

    @property
    def judge(self) -> MetricJudge:
        """What judges every trained network beside top-1 and top-5."""
        return MetricJudge(self.folder, self.metrics, self.dataset)

    @property
    def learned_images(self) -> int:
        """Training images but for those that are held out."""
        return len(divided(self.recipe, self.dataset.train.labels)[0])

    @property
    def early_warnings(self) -> tuple[str, ...]:
        """What is known before anything trains."""
        findings = few_steps_warning(self.recipe, self.recipe.steps(self.learned_images))
        teaching = self.teaching.warnings if self.teaching else ()
        return (*(finding.text for finding in findings), *teaching, *self.judge.warnings)
