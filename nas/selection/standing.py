"""Where each of several trained networks stands: on the front, dominated, or not to be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nas.selection.seed_spread import SeedDifference, SeedSpread, difference


@dataclass(frozen=True)
class Candidate:
    """A trained network with its two figures.

    Args:
        name: Different for each.
        cost: Milliseconds, measured or predicted, or a count.
        low: Lower end of their 95 % interval, or the count, which is exact; None where there is
            none.
        high: Upper end.
        trainings: Top-1 over seeds.
    """

    name: str
    cost: float
    low: float | None
    high: float | None
    trainings: SeedSpread

    def beats(self, other: Candidate) -> bool:
        """Whether the figures are at least as good in both, and better in one.

        Args:
            other: The other network.
        """
        own, others = self.trainings.mean, other.trainings.mean
        at_least = self.cost <= other.cost and own >= others
        return at_least and (self.cost < other.cost or own > others)

    def is_surely_better(self, other: Candidate) -> bool:
        """Whether both cost and accuracy are better beyond what they are known to.

        Times without an interval, which are predicted, tell nothing for sure.

        Args:
            other: The other network.
        """
        if self.high is None or other.low is None or not self.high < other.low:
            return False
        found = difference(self.trainings, other.trainings)
        return found is not None and found.side == 1


@dataclass(frozen=True)
class Place:
    """Where a network stands.

    Args:
        standing: `front`, `dominated` or `cannot tell`; see `nas.runs.front.FrontNetwork`.
        beaten_by: Names of networks that are better by the figures, cheapest first.
        faster: The next cheaper network on the front; None for the cheapest, and off the front.
        gain: How much more this one reaches than that, over seeds; None with single trainings.
    """

    standing: Literal["front", "dominated", "cannot tell"]
    beaten_by: tuple[str, ...] = ()
    faster: str | None = None
    gain: SeedDifference | None = None


def places(candidates: Sequence[Candidate]) -> dict[str, Place]:
    """Where each network stands among all of them.

    The figures alone say which networks are drawn on the front. That one is worse than another is
    said where both its interval of times and its seeds say so, and never from one training each.

    Args:
        candidates: All networks that are compared.

    Returns:
        Name -> its place, cheapest first.
    """
    ordered = sorted(candidates, key=lambda c: (c.cost, -c.trainings.mean))
    found: dict[str, Place] = {}
    faster: Candidate | None = None
    for own in ordered:
        better = [other for other in ordered if other.beats(own)]
        if not better:
            gain = difference(own.trainings, faster.trainings) if faster else None
            found[own.name] = Place("front", (), faster.name if faster else None, gain)
            faster = own
            continue
        is_sure = any(other.is_surely_better(own) for other in better)
        names = tuple(other.name for other in better)
        found[own.name] = Place("dominated" if is_sure else "cannot tell", names)
    return found
