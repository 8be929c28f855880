"""What a space offers, and whether bounds and a target can be kept together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas.architecture import text as arch_text
from nas.cost.constraints import Bounds, Network, counted_cost, quantities
from nas.errors import InputError
from nas.hardware.predictor import SpaceLatency
from nas.search_space.space import Space
from nas.selection.contradictions import impossible_bounds
from nas.selection.feasible import BoundedSpace
from nas.selection.goals import Goal
from nas.selection.limits import Limits

# Even draws that the median and the shares are of: a share of 0.5 is known to 0.03.
DRAWS = 1000
# A network meets its milliseconds within this share of them.
MARGIN = 0.02


@dataclass(frozen=True)
class CountRange:
    """What networks of a space have of one count.

    Args:
        name: `ms`, or a count of `nas.cost.constraints.Bounds` such as `params`.
        least: Of all networks, exactly; None where it is not known, as ms without a table.
        median: Of networks drawn evenly.
        greatest: Of all networks, exactly.
        most: The bound; None where none is asked.
        kept_share: Share of the drawn networks that keep it, 0 to 1; None without a bound.
    """

    name: str
    least: float | None
    median: float | None
    greatest: float | None
    most: int | None = None
    kept_share: float | None = None


@dataclass(frozen=True)
class GoalFinding:
    """Whether one goal can be reached within all bounds.

    Args:
        label: Of the goal.
        can_be_kept: None where it cannot be told, as milliseconds without a table.
        reason: In words.
        network: Text of a network that keeps everything; empty where none is known.
    """

    label: str
    can_be_kept: bool | None
    reason: str
    network: str = ""


@dataclass(frozen=True)
class SpaceProfile:
    """A space in figures.

    Args:
        space: Its name.
        image_size: Height and width in pixels.
        num_classes: Class scores.
        networks: How many it has.
        ranges: One a count, ms first.
        findings: One a goal; where no goal is asked, one of the bounds alone.
    """

    space: str
    image_size: int
    num_classes: int
    networks: int
    ranges: tuple[CountRange, ...]
    findings: tuple[GoalFinding, ...]

    @property
    def can_be_kept(self) -> bool | None:
        """Whether everything that is asked can be kept; None where that cannot be told."""
        known = [finding.can_be_kept for finding in self.findings]
        if False in known:
            return False
        return None if None in known else True


def space_profile(
    space: Space,
    latency: SpaceLatency | None,
    bounds: Bounds,
    goals: Sequence[Goal] = (),
    seed: int = 0,
) -> SpaceProfile:
    """Ranges of a space, and whether what is asked can be kept together.

    Bounds and milliseconds are decided exactly, by the integer programme of the search.

    Args:
        space: The space.
        latency: Its milliseconds; None where there is no table.
        bounds: That a network must keep.
        goals: Each to be reached within them.
        seed: Of the networks that are drawn.
    """
    rng = np.random.default_rng((seed, 16))
    drawn = [space.even_indices(rng) for _ in range(DRAWS)]
    ranges = (_ms_range(latency, drawn), *_count_ranges(space, bounds, drawn))
    findings = tuple(_finding(space, latency, bounds, goal) for goal in goals or (None,))
    size, classes = space.image_size, space.num_classes
    return SpaceProfile(space.name, size, classes, space.size, ranges, findings)


def _ms_range(latency: SpaceLatency | None, drawn: Sequence[Network]) -> CountRange:
    if latency is None:
        return CountRange("ms", None, None, None)
    least, greatest = latency.range_ms()
    median = float(np.median([latency.predict_ms(network) for network in drawn]))
    return CountRange("ms", least, median, greatest)


def _count_ranges(space: Space, bounds: Bounds, drawn: Sequence[Network]) -> list[CountRange]:
    found = []
    unbounded = Limits(quantities(space, Bounds()))
    for quantity in quantities(space, bounds):
        counts = np.array([quantity.of(network) for network in drawn])
        most = quantity.most
        kept = None if most is None else float((counts <= most).mean())
        least, greatest = unbounded.least(quantity), unbounded.greatest(quantity)
        median = float(np.median(counts))
        found.append(CountRange(quantity.name, least, median, greatest, most, kept))
    return found


def _finding(
    space: Space, latency: SpaceLatency | None, bounds: Bounds, goal: Goal | None
) -> GoalFinding:
    """Whether one goal, or the bounds alone, can be kept."""
    label = goal.label if goal else "bounds"
    counts = quantities(space, bounds)
    network = Limits(counts).choose([np.zeros(len(c.options)) for c in space.choices])
    if network is None:
        return GoalFinding(label, False, _told(impossible_bounds(space.name, counts)))
    if goal is not None and goal.penalty is None:
        if not goal.unit.is_measured:
            cost = counted_cost(space, goal.unit)
        elif latency is not None:
            cost = latency.cost
        else:
            return GoalFinding(label, None, "milliseconds need a latency table of this device")
        bounded = BoundedSpace(space, cost, bounds)
        # As the search resolves it: a percentage is one of what the bounds allow.
        target = goal.resolved(*bounded.range())
        if target is not None:
            return _target_finding(bounded, goal, target)
    reason = "networks keep all of it" if bounds or goal else "nothing is asked"
    return GoalFinding(label, True, reason, arch_text.to_text(space.decode(network)))


def _target_finding(bounded: BoundedSpace, goal: Goal, target: float) -> GoalFinding:
    """Whether a network of the bounds has what is asked for, within 2 %."""
    unit, label = bounded.cost.unit, goal.label
    try:
        bounded.check_target(target, MARGIN)
    except InputError as error:
        return GoalFinding(label, False, _told(error))
    share = ""
    if goal.percent is not None:
        share = f"{goal.percent:g} % of the range is {unit.written(target, digits=4)}, and "
    rows = [np.zeros(size) for size in bounded.sizes]
    network = bounded.choose(rows, (1 - MARGIN) * target, (1 + MARGIN) * target)
    if network is None:
        known = [unit.written(cost) for cost in bounded.neighbours(target) if cost is not None]
        nearest = f"the nearest have {' and '.join(known)}"
        reason = f"{share}no network is within {MARGIN:.0%}; {nearest}"
        return GoalFinding(label, False, reason)
    reason = f"{share}a network of {unit.written(bounded.cost.of(network))} keeps all of it"
    return GoalFinding(label, True, reason, arch_text.to_text(bounded.space.decode(network)))


def _told(error: InputError) -> str:
    """An error in one line."""
    return f"expected {error.expected}; received {error.received}; {error.fix}"
