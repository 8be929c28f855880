"""What a comparison found: compared.json and compared.csv."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from nas.metrics import MetricResults, MetricSpread
from nas.runs.measured import Conditions
from nas.runs.records import NetworkRecord, SeededRecipe
from nas.selection.seed_spread import SeedSpread
from nas.selection.success_rate import SuccessRate
from nas.system.environment import Environment
from nas.training.history import TrainingRow


@dataclass(frozen=True, kw_only=True)
class ComparedRow(NetworkRecord):
    """One network of a comparison.

    `asked_ms`, `predicted_ms` and what is said of a budget are not known here: a comparison asks
    for no milliseconds.

    Args:
        name: For people; different for each.
        text: The architecture.
        run: Folder of the run that trained it, absolute or below the comparison's folder.
        is_trained_here: Whether the comparison trained it.
        trained_on: Fingerprint of the machine that trained it.
        recipe: It was trained by.
        file_bytes: Size of its model.onnx.
        train_top1: Share of training images, without augmentation.
        evaluation_images: How many images `top1` and `top5` are shares of.
        trainings: Top-1 of all its trainings.
        success: How often it reached a goal; None where nobody asked.
        seconds_per_epoch: Of training alone, by the rows of its history but the first, in which
            the graph is compiled; None where there is no history.
        metrics: Of `--metrics`, after its first training; None where its run was not judged so.
        metric_spreads: Each of these metrics over its trainings.
    """

    name: str
    text: str
    run: str
    is_trained_here: bool
    trained_on: str
    recipe: SeededRecipe | None
    file_bytes: int
    train_top1: float | None
    evaluation_images: int | None
    trainings: SeedSpread | None
    success: SuccessRate | None
    seconds_per_epoch: float | None
    metrics: MetricResults | None = None
    metric_spreads: tuple[MetricSpread, ...] = ()

    @property
    def mean_top1(self) -> float | None:
        """Mean over its trainings, however many there are."""
        return self.top1 if self.trainings is None else self.trainings.mean


@dataclass(frozen=True, kw_only=True)
class ComparedNetworks:
    """compared.json: the networks of `main.py --compare` in figures, measured in one session.

    Args:
        date: When it was made, ISO 8601 in UTC.
        environment: What it was measured with.
        conditions: How all of them were measured; None where none of them was.
        warnings: What makes the figures less comparable, for people.
        networks: In the order in which they were named.
    """

    FILE: ClassVar[str] = "compared.json"
    SCHEMA_VERSION: ClassVar[int] = 2
    OLDER_VERSIONS: ClassVar[tuple[int, ...]] = (1,)

    date: str
    environment: Environment
    conditions: Conditions | None
    warnings: tuple[str, ...]
    networks: tuple[ComparedRow, ...]


@dataclass(frozen=True, kw_only=True)
class ComparedCells:
    """One row of compared.csv: the figures of one network that are single numbers.

    Args:
        network: Its name.
        top1: Share of the evaluation images, 0 to 1: the mean over its trainings.
        top1_sd: Standard deviation between seeds; empty for one training.
        seeds: Trainings.
        goal_top1: Share that was to be reached; empty where nobody asked.
        reached: Trainings that reached it.
        top5: Share with five guesses, after the first training.
        train_top1: Share of training images, without augmentation.
        params: Trainable numbers.
        macs: Multiply-adds for one image.
        file_bytes: Size of its model.onnx.
        memory_bytes: Most bytes of maps that are alive at once, without weights.
        weight_bits: Bits of the kernels, each number in its format.
        bops: Bit operations of one image: multiply-adds times the bits of both factors.
        measured_ms: Milliseconds at the machine's own full speed.
        measured_low_ms: Lower end of the 95 % interval.
        measured_high_ms: Upper end.
        seen_p50_ms: Median of all runs as they came.
        seconds_per_epoch: Of training.
        metrics: Of `--metrics`, the mean over its trainings, as `auc: 0.93; top5: 0.99`; empty
            where its run was not judged so.
        text: The architecture.
    """

    FILE: ClassVar[str] = "compared.csv"

    network: str
    top1: float | None
    top1_sd: float | None
    seeds: int
    goal_top1: float | None
    reached: int | None
    top5: float | None
    train_top1: float | None
    params: int
    macs: int
    file_bytes: int
    memory_bytes: int | None
    weight_bits: int | None
    bops: int | None
    measured_ms: float | None
    measured_low_ms: float | None
    measured_high_ms: float | None
    seen_p50_ms: float | None
    seconds_per_epoch: float | None
    metrics: str | None
    text: str

    @classmethod
    def of(cls, row: ComparedRow) -> ComparedCells:
        """From a network of the JSON file."""
        names = {field.name for field in dataclasses.fields(cls)}
        same = {f.name: getattr(row, f.name) for f in dataclasses.fields(row) if f.name in names}
        seeds = row.trainings
        return cls(
            **{
                **same,
                "network": row.name,
                "top1": row.mean_top1,
                "top1_sd": seeds.standard_deviation if seeds else None,
                "seeds": seeds.count if seeds else 1,
                "goal_top1": row.success.goal_top1 if row.success else None,
                "reached": row.success.reached if row.success else None,
                "metrics": "; ".join(f"{s.metric}: {s.mean}" for s in row.metric_spreads) or None,
            }
        )

    def cells(self) -> dict[str, Any]:
        """Column -> value."""
        return dataclasses.asdict(self)


def seconds_per_epoch(
    rows: Sequence[TrainingRow], images_seen: int, train_images: int
) -> float | None:
    """Seconds that one pass over the training images took.

    The first row is left out where there are others: its steps compiled the graph. Evaluations
    between the rows are no training and do not count.

    Args:
        rows: Of a training's history.
        images_seen: Images that the whole training trained on; 0 where nobody knows.
        train_images: Of the data set, which holds some out where trainings are evaluated.

    Returns:
        Seconds; None where no row says how fast it was.
    """
    steps = seconds = 0.0
    before = 0
    for number, row in enumerate(rows):
        count, before = row.step - before, row.step
        if not row.examples_per_s or (number == 0 and len(rows) > 1):
            continue
        steps += count
        seconds += count / row.examples_per_s
    if not steps:
        return None
    last = rows[-1].epoch
    images = images_seen / last if images_seen and last else train_images
    # Images a second are steps a second times the batch, which falls out here.
    return images * seconds / steps
