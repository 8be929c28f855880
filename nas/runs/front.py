"""The files of a front that `main.py` trains, as frozen records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from nas.cost.units import MILLISECONDS, UNITS, QuantityName, Unit
from nas.runs.folder import RunFolder
from nas.runs.measured import Conditions, MeasuredRecord, counted
from nas.runs.outcome import Outcome
from nas.runs.records import SeededRecipe
from nas.selection.goals import Goal, Target
from nas.selection.seed_spread import SeedDifference, SeedSpread
from nas.system.environment import Environment

# Where a network stands among the others once all of them are trained and measured.
Standing = Literal["front", "dominated", "cannot tell"]


@dataclass(frozen=True)
class AddedNetwork:
    """A further network of a front, which no goal of the sweep asked for.

    Args:
        name: Sub-folder of its run.
        text: The architecture.
        aim: Middle of the gap in which it was looked for, in what the sweep's goals are asked in:
            milliseconds by the sweep's table, or a count.
        low: Least that it was allowed of that.
        high: Most.
        predicted: What it has of it.
        supernet_of: Goal of the sweep whose supernet scored it, and gives its first weights; None
            where the sweep trained none.
        cross_entropy: By that supernet on training images that it never learned from, as the
            candidates were compared; None without a supernet, or where it is no number.
        quantity: That these figures are of.
    """

    name: str
    text: str
    aim: float
    low: float
    high: float
    predicted: float
    supernet_of: str | None = None
    cross_entropy: float | None = None
    quantity: QuantityName = MILLISECONDS.quantity


@dataclass(frozen=True)
class FrontPlan:
    """front_plan.json of a sweep: how many networks its front was asked for, and further ones.

    Args:
        networks: Different networks that were asked for.
        added: Those beyond the sweep's own, in the order in which they were chosen.
    """

    FILE: ClassVar[str] = "front_plan.json"
    SCHEMA_VERSION: ClassVar[int] = 2
    OLDER_VERSIONS: ClassVar[tuple[int, ...]] = (1,)
    # Version 1 knew milliseconds alone.
    OLDER_KEYS: ClassVar[Mapping[str, str]] = {
        "aim_ms": "aim",
        "low_ms": "low",
        "high_ms": "high",
        "predicted_ms": "predicted",
    }

    networks: int
    added: tuple[AddedNetwork, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FrontNetwork(MeasuredRecord):
    """A trained network of a front in figures.

    Args:
        name: Sub-folder of its run, with model.onnx, certificate.json and architecture.json.
        goal: What the sweep was asked for, as the folder is called; None for a further network.
        same_as: An earlier network of the list with the same architecture; None where it is the
            first. Each was trained, from the supernet of its own goal.
        certificate_date: Of its certificate.json, which this front was made from.
        top1: Share of the evaluation images, 0 to 1, after its first training, which is exported.
        top5: Likewise with five guesses.
        top1_low: Lower end of a 95 % interval: with several seeds that of their mean, with one the
            interval of a share of so many images, which says nothing of other seeds. None where
            seeds show no spread.
        top1_high: Upper end.
        trainings: Top-1 over seeds.
        params: Trainable numbers.
        macs: Multiply-adds for one image.
        size_bytes: Of the weights with normalisations folded, each tensor in its format.
        file_bytes: Size of model.onnx; None where it is not known.
        text: The architecture.
        weight_bits: Bits of the kernels; None where an earlier version wrote the file.
        bops: Bit operations of one image; None likewise.
        standing: `front`: by these figures no other network is as fast and as accurate, and better
            in one. `dominated`: another one is, and both its time and its accuracy can be told
            apart from this one's. `cannot tell`: another one is by the figures, and the intervals
            of the times overlap, or the seeds do not tell the accuracies apart.
        beaten_by: Networks that are better by these figures, fastest first; none on the front.
        faster: The next faster network on the front, or the next one with less of what was asked
            in; None for the first, and off the front.
        gain: How much more this network reaches than that one, over seeds; None with one seed.
        asked_count: Target in a count; None where milliseconds or nothing was asked.
        advice: Which of its exported files to use on this machine, and why, in words; empty where
            only one was timed, or an earlier version wrote the file.
    """

    name: str
    goal: str | None
    same_as: str | None = None
    certificate_date: str
    top1: float
    top5: float
    top1_low: float | None
    top1_high: float | None
    trainings: SeedSpread
    params: int
    macs: int
    size_bytes: int
    file_bytes: int | None
    text: str
    weight_bits: int | None = None
    bops: int | None = None
    standing: Standing = "front"
    beaten_by: tuple[str, ...] = ()
    faster: str | None = None
    gain: SeedDifference | None = None
    asked_count: Target | None = None
    advice: str = ""

    def cost(self, unit: Unit) -> float | None:
        """What it has of one quantity; None for milliseconds that nobody knows.

        Args:
            unit: Of that.
        """
        return self.ms if unit.is_measured else counted(self, unit)

    @property
    def ms(self) -> float | None:
        """Measured milliseconds, or predicted ones where nothing was measured."""
        return self.predicted_ms if self.measured_ms is None else self.measured_ms


@dataclass(frozen=True)
class LostNetwork:
    """A network whose first training lost its weights, so that none of its files were made.

    Args:
        name: Sub-folder of its run.
        reason: What was lost, and when.
    """

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Front:
    """front.json of a sweep: its trained networks, timed in one session.

    Args:
        date: When it was made, ISO 8601 in UTC.
        device: Of the search's `--device`, for which milliseconds are predicted and not measured;
            None where this machine measured.
        environment: What it was made with.
        conditions: How all networks were measured; None with `--device`.
        doubt: Why the times do not fit the sweep's table; None where they do, or nothing was
            compared.
        recipe: All networks were trained by.
        evaluation_images: How many images accuracies are shares of.
        networks: Fastest first, or those with the least of what was asked in.
        quantity: What the sweep's goals are asked in, and networks are compared by.
        lost: Networks that are missing among these, as their weights were lost.
    """

    FILE: ClassVar[str] = "front.json"
    SCHEMA_VERSION: ClassVar[int] = 2
    OLDER_VERSIONS: ClassVar[tuple[int, ...]] = (1,)

    date: str
    device: str | None
    environment: Environment
    conditions: Conditions | None
    doubt: str | None
    recipe: SeededRecipe
    evaluation_images: int
    networks: tuple[FrontNetwork, ...]
    quantity: QuantityName = MILLISECONDS.quantity
    lost: tuple[LostNetwork, ...] = ()

    @property
    def unit(self) -> Unit:
        """Names of what networks are compared by."""
        return UNITS[self.quantity]

    @property
    def outcome(self) -> Outcome:
        """What all goals together came to; of a network that was lost nothing can be told."""
        outcomes = [network.outcome for network in self.networks]
        return Outcome.of_all([*outcomes, *(Outcome.CANNOT_TELL for _ in self.lost)])

    @property
    def is_measured(self) -> bool:
        """Whether its milliseconds were measured on this machine."""
        return self.device is None


def network_names(sweep: RunFolder, goals: Sequence[Goal]) -> list[str]:
    """Sub-folders of a sweep's networks: those of its goals, and further ones of a trained front.

    Args:
        sweep: Its folder.
        goals: Of the sweep.
    """
    names = [goal.label for goal in goals]
    if not (sweep.has(Front) and sweep.has(FrontPlan)):
        return names
    trained = {network.name for network in sweep.read(Front).networks}
    return names + [added.name for added in sweep.read(FrontPlan).added if added.name in trained]
