"""The files of a sweep as frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from nas.cost.units import MILLISECONDS, UNITS, QuantityName, Unit
from nas.runs.measured import counted
from nas.runs.outcome import Outcome
from nas.selection.goals import Target
from nas.selection.seed_spread import SeedSpread


@dataclass(frozen=True)
class SharedWarmUp:
    """warmup.json of a sweep: the part of the search that all of its goals share.

    Args:
        steps: Weight steps of the warm-up.
    """

    FILE: ClassVar[str] = "warmup.json"
    SCHEMA_VERSION: ClassVar[int] = 1

    steps: int


@dataclass(frozen=True, kw_only=True)
class ParetoPoint:
    """One network of a sweep.

    Args:
        name: Sub-folder of its run.
        asked_ms: Target in milliseconds; None with `--lambda`, and where a count was asked for.
        ms: Measured milliseconds, or predicted ones where nothing was measured; None where neither
            is known.
        is_measured: Which of the two.
        low_ms: Lower end of the 95 % interval of measured ones; None where there is none.
        high_ms: Upper end.
        seen_p50_ms: Median of all runs as they came on that day; None where nothing was measured.
        met: Whether the whole interval is within 2 % of asked; None where that is not known.
        met_reason: Why, in words; None where nothing was asked or measured.
        met_fix: What to do next where it is not met or cannot be told.
        top1: Share of the evaluation images, 0 to 1, after its first training.
        supernet_top1: Likewise with the supernet's weights.
        params: Trainable numbers.
        macs: Multiply-adds for one image.
        memory_bytes: Peak activation memory of one image; None where an earlier version wrote it.
        weight_bits: Bits of the kernels; None likewise.
        bops: Bit operations of one image; None likewise.
        text: The architecture.
        trainings: Top-1 of all its trainings; None where it was not trained, or by a version that
            trained once.
        on_front: Whether no other network is faster and as accurate, or as fast and more accurate;
            where a count was asked for, it stands in the place of the time.
        asked_count: Target in a count; None where milliseconds or nothing was asked.
    """

    name: str
    asked_ms: float | None
    ms: float | None
    is_measured: bool
    low_ms: float | None = None
    high_ms: float | None = None
    seen_p50_ms: float | None = None
    met: bool | None
    met_reason: str | None = None
    met_fix: str | None = None
    top1: float | None
    supernet_top1: float | None
    params: int
    macs: int
    memory_bytes: int | None = None
    weight_bits: int | None = None
    bops: int | None = None
    text: str
    trainings: SeedSpread | None = None
    on_front: bool = False
    asked_count: Target | None = None

    def cost(self, unit: Unit) -> float | None:
        """What it has of one quantity; None for milliseconds that nobody knows.

        Args:
            unit: Of that.
        """
        return self.ms if unit.is_measured else counted(self, unit)

    def asked(self, unit: Unit) -> float | None:
        """What was asked of it in one quantity; None with `--lambda`.

        Args:
            unit: Of that.
        """
        if unit.is_measured:
            return self.asked_ms
        return None if self.asked_count is None else self.asked_count.value

    @property
    def outcome(self) -> Outcome:
        """What these figures say of the budget."""
        return Outcome.of(self.met, self.met_reason)

    @property
    def known_trainings(self) -> SeedSpread | None:
        """What its trainings reached; of a version that trained once, one with the usual seed."""
        if self.trainings is None and self.top1 is not None:
            return SeedSpread.of({0: self.top1})
        return self.trainings

    def accuracy(self, column: Literal["top1", "supernet_top1"]) -> float | None:
        """The share that networks are compared by: after training, the mean of all trainings."""
        if column == "supernet_top1":
            return self.supernet_top1
        return self.known_trainings.mean if self.known_trainings else None


@dataclass(frozen=True)
class Pareto:
    """pareto.json of a sweep: its networks and their front.

    Args:
        accuracy: Which share the front is drawn by: `top1` once all networks are trained, and then
            the mean where a network was trained several times.
        front: Names of the networks on it, fastest first, or those with the least of what was asked
            in.
        networks: All of them, in the order of the goals.
        quantity: What the sweep's goals are asked in, and the front is drawn by.
    """

    FILE: ClassVar[str] = "pareto.json"
    SCHEMA_VERSION: ClassVar[int] = 3
    OLDER_VERSIONS: ClassVar[tuple[int, ...]] = (2,)

    accuracy: Literal["top1", "supernet_top1"]
    front: tuple[str, ...]
    networks: tuple[ParetoPoint, ...]
    quantity: QuantityName = MILLISECONDS.quantity

    @property
    def unit(self) -> Unit:
        """Names of what the front is drawn by."""
        return UNITS[self.quantity]
