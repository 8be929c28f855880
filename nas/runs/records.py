"""Networks in figures, as frozen records: the files of certificates, comparisons and trainings.

Records of a choice, a race, a recipe, gates or a machine are defined where they are made.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from latency.measurement.timing import Timing
from latency.measurement.verdict import Verdict
from nas.architecture.spec import Architecture
from nas.cost.counts import architecture_cost
from nas.cost.units import MILLISECONDS, UNITS, QuantityName, Unit
from nas.deployment.records import Exports, Parity
from nas.metrics import MetricResults, MetricSpread, Smoothness
from nas.runs.measured import Conditions, FileHashes, MeasuredRecord, measured_values
from nas.selection.diagnostics import Finding
from nas.selection.goals import Target
from nas.selection.seed_spread import SearchVerdict, SeedSpread
from nas.selection.success_rate import SuccessRate
from nas.system.environment import Environment
from nas.training.last_or_average import HeldOutScore, LastAndAverage
from nas.training.recipe import Recipe


def values_of(record: Any) -> dict[str, Any]:
    """Field -> value of a record, for a record that has these fields and more.

    Args:
        record: Dataclass instance.
    """
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


@dataclass(frozen=True, kw_only=True)
class NetworkRecord(MeasuredRecord):
    """A network in figures; None where one is not known.

    Args:
        params: Trainable numbers.
        macs: Multiply-adds for one image.
        size_bytes: Of the weights with normalisations folded, each tensor in its format.
        top1: Share of the evaluation images, 0 to 1, after the network's own training.
        top5: Likewise with five guesses.
        memory_bytes: Peak activation memory of one image; None where an earlier version wrote the
            file.
        weight_bits: Bits of the kernels, each number in its format; None likewise.
        bops: Bit operations of one image: each multiply-add times the bits of its weight and of
            what it reads; None likewise.
    """

    params: int
    macs: int
    size_bytes: int
    top1: float | None = None
    top5: float | None = None
    memory_bytes: int | None = None
    weight_bits: int | None = None
    bops: int | None = None

    @classmethod
    def of(
        cls,
        architecture: Architecture,
        timing: Timing | None,
        predicted_ms: float | None,
        asked_ms: float | None,
        verdict: Verdict | None = None,
        **others: Any,
    ) -> Self:
        """From a network and its measurement.

        Args:
            architecture: The network, which is counted.
            timing: Its measurement; None with `--device`.
            predicted_ms: Milliseconds by the table; None where it lacks a row, or there is none.
            asked_ms: Target in milliseconds; None where none was asked.
            verdict: Whether it meets the target, milliseconds or a count; None where nothing was
                asked or measured.
            **others: Fields that this class adds.
        """
        cost = architecture_cost(architecture)
        return cls(
            asked_ms=asked_ms,
            predicted_ms=predicted_ms,
            **measured_values(timing, verdict),
            params=cost.params,
            macs=cost.macs,
            size_bytes=cost.size_bytes,
            memory_bytes=cost.memory_bytes,
            weight_bits=cost.weight_bits,
            bops=cost.bops,
            **others,
        )


@dataclass(frozen=True)
class ComparedNetwork:
    """A network to compare the found one with.

    Args:
        role: `largest`, `uniform` or `random`.
        name: For people; different for each.
        text: The architecture.
    """

    role: str
    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """comparison.json: networks that cost what the found one does, chosen and not yet trained.

    Args:
        uniform_over_searched: What the uniformly scaled network has of the goal's quantity over
            what the found one has: measured milliseconds, or a count. None with `--device`.
        random_asked: How many random networks were wanted; fewer may have been found.
        networks: The largest, the uniform and the random ones; none with `--device`, unless the
            goal is a count.
        quantity: That they have as much of as the found one.
    """

    FILE: ClassVar[str] = "comparison.json"
    SCHEMA_VERSION: ClassVar[int] = 2
    OLDER_VERSIONS: ClassVar[tuple[int, ...]] = (1,)
    # Version 1 knew milliseconds alone.
    OLDER_KEYS: ClassVar[Mapping[str, str]] = {
        "uniform_over_searched_ms": "uniform_over_searched",
    }

    uniform_over_searched: float | None = None
    random_asked: int | None = None
    networks: tuple[ComparedNetwork, ...] = ()
    quantity: QuantityName = MILLISECONDS.quantity


@dataclass(frozen=True, kw_only=True)
class SeededRecipe(Recipe):
    """What all networks of a run are trained by.

    Args:
        seed: Of weights, dropout and data order, of each network's first training.
        inherits: Whether trainings begin with the supernet's weights.
        seeds: Trainings of each network; the others have the seeds that follow.
    """

    seed: int
    inherits: bool = False
    seeds: int = 1


@dataclass(frozen=True, kw_only=True)
class TrainedRecord:
    """retrained/*.json: one network after one training.

    Args:
        name: `searched`, or as in comparison.json.
        role: `searched`, `largest`, `uniform` or `random`.
        text: The architecture.
        top1: Share of the evaluation images, 0 to 1.
        top5: Likewise with five guesses.
        evaluation_images: How many these are.
        train_top1: Share of training images, without augmentation.
        running_accuracy: Mean top-1 of the last training steps, on augmented images; None where
            they were mixed.
        images_seen: Images trained on.
        seconds: Of training and evaluation.
        parity: Of the exported files; None for networks that are not exported.
        seed: Of this training, which is the first one's in NAME.json, and another one's in
            NAME-seed-SEED.json; None where an earlier version trained, whose recipe.json has it.
        weights: The last weights beside their average, and which of them `top1` is of; None where
            an earlier version trained, which took the average.
        held_out: Scores on held-out training images along the way; none where none were held out.
        smoothness: Of these scores, of the last weights and of their average; none where there
            were fewer than two evaluations, or an earlier version trained.
        metrics: Of `--metrics` on the evaluation images; None where nobody asked.
    """

    FILE: ClassVar[str] = "retrained/{name}.json"
    SCHEMA_VERSION: ClassVar[int] = 3
    OLDER_VERSIONS: ClassVar[tuple[int, ...]] = (1, 2)

    name: str
    role: str
    text: str
    top1: float
    top5: float
    evaluation_images: int
    train_top1: float
    running_accuracy: float | None
    images_seen: int
    seconds: float
    parity: Parity | None
    seed: int | None = None
    weights: LastAndAverage | None = None
    held_out: tuple[HeldOutScore, ...] = ()
    smoothness: tuple[Smoothness, ...] = ()
    metrics: MetricResults | None = None

    @staticmethod
    def key(name: str, seed: int, first_seed: int) -> str:
        """What tells the file of a training from others of its run.

        Args:
            name: Of the network.
            seed: Of the training.
            first_seed: Of the network's first training.
        """
        plain = name.replace(" ", "_")
        return plain if seed == first_seed else f"{plain}-seed-{seed}"

    @staticmethod
    def keys(names: Iterable[str], first_seed: int, seeds: int) -> list[str]:
        """Those of all trainings of some networks.

        Args:
            names: Of the networks.
            first_seed: Of each network's first training.
            seeds: Trainings of each network, 1 or more.
        """
        numbers = range(first_seed, first_seed + seeds)
        return [TrainedRecord.key(n, seed, first_seed) for n in names for seed in numbers]

    @staticmethod
    def by_seed(records: Iterable[TrainedRecord], first_seed: int) -> dict[int, TrainedRecord]:
        """Seed -> training of one network; seeds whose training was lost are left out.

        Args:
            records: Of the network.
            first_seed: Of its first training.
        """
        return {first_seed if one.seed is None else one.seed: one for one in records}

    @property
    def curve(self) -> tuple[tuple[float, float], ...]:
        """Epochs and top-1 on held-out images, of the kind of weights that was kept."""
        kept = self.weights.exported if self.weights is not None else "average"
        pairs = ((score.epoch, score.of(kept)) for score in self.held_out)
        return tuple((epoch, top1) for epoch, top1 in pairs if top1 is not None)


@dataclass(frozen=True, kw_only=True)
class CertifiedNetwork(NetworkRecord):
    """A network in figures with its name, and what its training reached; None before that.

    Where it was trained several times, the figures here are those of the first training, whose
    weights are exported; `trainings` has all of them.

    Args:
        name: `searched`, or as in comparison.json.
        role: `searched`, `largest`, `uniform` or `random`.
        text: The architecture.
        evaluation_images: How many images `top1` and `top5` are shares of.
        train_top1: Share of training images, without augmentation.
        running_accuracy: Mean top-1 of the last training steps, on augmented images; None where
            they were mixed.
        images_seen: Images trained on.
        seconds: Of training and evaluation.
        parity: Of the exported files; None for networks that are not exported.
        weights: The last weights beside their average, of the first training; None where it was
            not trained, or by a version that looked at the average alone.
        trainings: Top-1 over seeds; None where it was not trained, or by a version that trained
            once.
        success: How often it reached `--goal_top1`; None where nobody asked.
        smoothness: Of the scores on held-out images along the first training; none where there
            were fewer than two, or an earlier version trained.
        metrics: Of `--metrics` on the evaluation images, after the first training; None where
            nobody asked.
        metric_spreads: Each of these metrics over seeds; none where nobody asked.
        asked_count: Target in a count, such as bit operations; None where milliseconds or nothing
            was asked.
    """

    name: str
    role: str
    text: str
    evaluation_images: int | None = None
    train_top1: float | None = None
    running_accuracy: float | None = None
    images_seen: int | None = None
    seconds: float | None = None
    parity: Parity | None = None
    weights: LastAndAverage | None = None
    trainings: SeedSpread | None = None
    success: SuccessRate | None = None
    smoothness: tuple[Smoothness, ...] = ()
    metrics: MetricResults | None = None
    metric_spreads: tuple[MetricSpread, ...] = ()
    asked_count: Target | None = None

    @property
    def known_trainings(self) -> SeedSpread | None:
        """What its trainings reached; of a version that trained once, one with the usual seed."""
        if self.trainings is None and self.top1 is not None:
            return SeedSpread.of({0: self.top1})
        return self.trainings


@dataclass(frozen=True, kw_only=True)
class Certificate(CertifiedNetwork):
    """certificate.json: the found network and its company; main.py fills in what it trains.

    Args:
        method: `gradient`, `evolution` or `random`; None for a network given by `--arch`.
        supernet_top1: Share of the evaluation images with the supernet's weights, not retrained.
        supernet_top5: Likewise with five guesses.
        largest: Largest network of the space.
        uniform: Uniformly scaled network of equal milliseconds, or of an equal count where that
            was asked for.
        random: Random networks, likewise.
        device: `--device`; None where this machine measured.
        date: When it was certified, ISO 8601 in UTC.
        environment: What it was certified with.
        conditions: How all of it was measured; None with `--device`.
        hashes: Of model.onnx and its outputs; None before main.py wrote that file.
        file_bytes: Size of model.onnx.
        onnx_max_abs_difference: Greatest difference of a score of model.onnx and model.keras.
        recipe: All of its networks were trained by.
        warnings: Of the training, for people.
        run_id: Of the run, as the metadata of exported files have it; None before main.py.
        exports: The files that the network was exported to; None before main.py wrote them.
        search_verdict: Whether the search paid; None where single trainings, or no random
            networks, cannot tell.
        quantity: What the goal was asked in, which its company has as much of.
    """

    FILE: ClassVar[str] = "certificate.json"
    SCHEMA_VERSION: ClassVar[int] = 6
    OLDER_VERSIONS: ClassVar[tuple[int, ...]] = (3, 4, 5)

    method: str | None
    supernet_top1: float | None
    supernet_top5: float | None
    largest: CertifiedNetwork | None
    uniform: CertifiedNetwork | None
    random: tuple[CertifiedNetwork, ...]
    device: str | None
    date: str
    environment: Environment
    conditions: Conditions | None = None
    hashes: FileHashes | None = None
    file_bytes: int | None = None
    onnx_max_abs_difference: float | None = None
    recipe: SeededRecipe | None = None
    warnings: tuple[str, ...] = ()
    search_verdict: SearchVerdict | None = None
    run_id: str | None = None
    exports: Exports | None = None
    quantity: QuantityName = MILLISECONDS.quantity

    @property
    def lost_trainings(self) -> int:
        """How many trainings of the found network lost their weights; 0 before it was trained."""
        if self.recipe is None or self.known_trainings is None:
            return 0
        return max(0, self.recipe.seeds - self.known_trainings.count)

    @property
    def unit(self) -> Unit:
        """Names of what the goal was asked in."""
        return UNITS[self.quantity]


@dataclass(frozen=True)
class Baselines:
    """baselines.json: the networks that main.py trained for comparison, the found one first.

    Args:
        recipe: All of them were trained by.
        networks: Each in figures.
    """

    FILE: ClassVar[str] = "baselines.json"
    SCHEMA_VERSION: ClassVar[int] = 6
    OLDER_VERSIONS: ClassVar[tuple[int, ...]] = (3, 4, 5)

    recipe: SeededRecipe
    networks: tuple[CertifiedNetwork, ...]


@dataclass(frozen=True)
class SupernetScore:
    """supernet.json: the found network with weights taken from the supernet.

    Args:
        top1: Share of the evaluation images, 0 to 1.
        top5: Likewise with five guesses.
        note: What these shares are not.
    """

    FILE: ClassVar[str] = "supernet.json"
    SCHEMA_VERSION: ClassVar[int] = 1

    top1: float
    top5: float
    note: str = "shared weights, not retrained"


@dataclass(frozen=True)
class RunWarnings:
    """warnings.json: what went wrong in a search without stopping it.

    Args:
        warnings: For people, with their numbers.
        findings: The same for programs.
    """

    FILE: ClassVar[str] = "warnings.json"
    SCHEMA_VERSION: ClassVar[int] = 1

    warnings: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, findings: Sequence[Finding]) -> RunWarnings:
        """From what was found."""
        return cls(tuple(finding.text for finding in findings), tuple(findings))
