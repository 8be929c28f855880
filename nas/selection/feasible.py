"""Bounds on parameters, multiply-adds, bytes and memory, and the exact choice that keeps them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.cost.additive import AdditiveCost
from nas.cost.constraints import Bounds, Network, quantities
from nas.cost.units import Unit
from nas.errors import InputError
from nas.search_space.space import Space
from nas.selection.contradictions import bounds_text, impossible_bounds
from nas.selection.integer_program import TOLERANCE
from nas.selection.limits import Limits

# Between a target and its nearest neighbours the solver would compare millions of sums that
# differ by nothing that can be measured; with this gap it needs under a second.
NEIGHBOUR_GAP = 1e-4


class BoundedSpace:
    """The exact choice within a window of what a goal is asked in, and all bounds.

    Args:
        space: Where to choose.
        cost: Of its networks, in the goal's quantity: milliseconds by a table, or a count.
        bounds: Beside that.
    """

    def __init__(self, space: Space, cost: AdditiveCost, bounds: Bounds) -> None:
        self.space, self.cost, self.bounds = space, cost, bounds
        self.quantities = quantities(space, bounds)
        self.limits = Limits(self.quantities)
        self.sizes = [len(choice.options) for choice in space.choices]

    def fits(self, network: Network, low: float, high: float) -> bool:
        """Whether a network keeps a window of the cost and all bounds."""
        # The solver keeps the window up to its own tolerance; both must agree on what fits.
        slack = TOLERANCE * self.cost.scale * self.cost.largest_option
        inside = low - slack <= self.cost.of(network) <= high + slack
        return inside and self.limits.kept(network)

    def _cost_as_scores(self) -> list[np.ndarray]:
        """The cost as scores of about 1: the solver's gap is absolute."""
        largest = self.cost.largest_option or 1.0
        return [row / largest for row in self.cost.options]

    def choose(
        self,
        scores: Sequence[np.ndarray],
        low: float,
        high: float,
        forbidden: Sequence[Network] = (),
        relative_gap: float = 0.0,
    ) -> Network | None:
        """The network of the highest total score that fits.

        Args:
            scores: Of every option of every choice.
            low: Least cost.
            high: Most.
            forbidden: Networks that must not come out.
            relative_gap: Share by which the score may fall short of the best; 0 is exact.

        Returns:
            One option a choice; None if nothing fits, which is then proven.
        """
        window = (self.cost.options, self.cost.options_sum(low), self.cost.options_sum(high))
        return self.limits.choose(scores, window, forbidden, relative_gap)

    def extreme(self, sign: int) -> float | None:
        """The least (sign -1) or greatest (+1) cost; None if nothing fits."""
        network = self.choose([sign * row for row in self._cost_as_scores()], -np.inf, np.inf)
        return None if network is None else self.cost.of(network)

    def range(self) -> tuple[float, float]:
        """Least and greatest cost within the bounds.

        Raises:
            InputError: No network keeps all bounds; says what each could be at least.
        """
        low, high = self.extreme(-1), self.extreme(1)
        if low is None or high is None:
            raise impossible_bounds(self.space.name, self.quantities)
        return low, high

    def check_target(self, target: float, margin: float = 0.02) -> None:
        """Refuses a value that no network of the bounds is near to.

        Args:
            target: Asked for.
            margin: Share by which a network may differ.

        Raises:
            InputError: It is outside the range of what networks within the bounds have.
        """
        low, high = self.range()
        unit = self.cost.unit
        name = f"space `{self.space.name}`" + (" on this device" if unit.is_measured else "")
        if not (1 - margin) * low <= target <= (1 + margin) * high:
            within = f" within {bounds_text(self.quantities)}" if self.bounds else ""
            whole = BoundedSpace(self.space, self.cost, Bounds()).range()
            reach = f"; without those bounds {_span(unit, *whole)}"
            received = f"{target:g}" if unit.is_measured else unit.number(target)
            wanted = unit.plural
            raise InputError(
                f"--{unit.flag} from {_span(unit, low, high)}, the range of {name}{within}",
                received + (reach if self.bounds else ""),
                f"ask for {wanted} inside the range"
                + (f", loosen a bound{self._tightest(target, margin)}" if self.bounds else "")
                + ", or choose another --space",
            )

    def _tightest(self, target: float, margin: float) -> str:
        """Which bounds each rule out a target by themselves; nothing where only all of them do."""
        alone = []
        for name, most in self.bounds.to_json().items():
            if most is None:
                continue
            low, high = BoundedSpace(self.space, self.cost, Bounds(**{name: most})).range()
            if not (1 - margin) * low <= target <= (1 + margin) * high:
                alone.append(f"--{name}")
        if not alone:
            return ""
        rules = "rules" if len(alone) == 1 else "rule"
        return f" ({' and '.join(alone)} alone {rules} it out)"

    def neighbours(self, target: float) -> tuple[float | None, float | None]:
        """Cost of the networks next below and next above a target, proven to 0.01 %.

        Args:
            target: Of the cost.

        Returns:
            None on a side where no network is.
        """
        rows = self._cost_as_scores()
        below = self.choose(rows, -np.inf, target, relative_gap=NEIGHBOUR_GAP)
        above = self.choose([-row for row in rows], target, np.inf, relative_gap=NEIGHBOUR_GAP)
        known = [None if n is None else self.cost.of(n) for n in (below, above)]
        return known[0], known[1]


def _span(unit: Unit, low: float, high: float) -> str:
    return f"{unit.number(low)} to {unit.number(high)}"
