"""Bounds on parameters, multiply-adds, bytes and memory, and the exact choice that keeps them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.cost.constraints import Bounds, Network, quantities
from nas.errors import InputError
from nas.hardware.predictor import SpaceLatency
from nas.search_space.space import Space
from nas.selection.contradictions import bounds_text, impossible_bounds
from nas.selection.integer_program import TOLERANCE
from nas.selection.limits import Limits

# Between a target and its nearest neighbours the solver would compare millions of sums that
# differ by nothing that can be measured; with this gap it needs under a second.
NEIGHBOUR_GAP = 1e-4


class BoundedSpace:
    """The exact choice within a window of milliseconds and all bounds.

    Args:
        space: Where to choose.
        latency: Its predictor.
        bounds: Beside the milliseconds.
    """

    def __init__(self, space: Space, latency: SpaceLatency, bounds: Bounds) -> None:
        self.space, self.latency, self.bounds = space, latency, bounds
        self.quantities = quantities(space, bounds)
        self.limits = Limits(self.quantities)
        self.sizes = [len(choice.options) for choice in space.choices]

    def fits(self, network: Network, low_ms: float, high_ms: float) -> bool:
        """Whether a network keeps a window of predicted milliseconds and all bounds."""
        # The solver keeps the window up to its own tolerance; both must agree on what fits.
        slack_ms = TOLERANCE * self.latency.a * self._slowest_ms()
        inside = low_ms - slack_ms <= self.latency.predict_ms(network) <= high_ms + slack_ms
        return inside and self.limits.kept(network)

    def _slowest_ms(self) -> float:
        return max(float(np.abs(row).max()) for row in self.latency.option_ms)

    def _scores_of_ms(self) -> list[np.ndarray]:
        """Milliseconds as scores of about 1: the solver's gap is absolute."""
        unit_ms = self._slowest_ms() or 1.0
        return [row / unit_ms for row in self.latency.option_ms]

    def choose(
        self,
        scores: Sequence[np.ndarray],
        low_ms: float,
        high_ms: float,
        forbidden: Sequence[Network] = (),
        relative_gap: float = 0.0,
    ) -> Network | None:
        """The network of the highest total score that fits.

        Args:
            scores: Of every option of every choice.
            low_ms: Least predicted milliseconds.
            high_ms: Most.
            forbidden: Networks that must not come out.
            relative_gap: Share by which the score may fall short of the best; 0 is exact.

        Returns:
            One option a choice; None if nothing fits, which is then proven.
        """
        low, high = (self.latency.options_sum(ms) for ms in (low_ms, high_ms))
        window = (self.latency.option_ms, low, high)
        return self.limits.choose(scores, window, forbidden, relative_gap)

    def extreme_ms(
        self, sign: int, low_ms: float = -np.inf, high_ms: float = np.inf
    ) -> float | None:
        """The least (sign -1) or greatest (+1) predicted milliseconds; None if nothing fits."""
        scores = [sign * row for row in self._scores_of_ms()]
        network = self.choose(scores, low_ms, high_ms)
        return None if network is None else self.latency.predict_ms(network)

    def range_ms(self) -> tuple[float, float]:
        """Least and greatest predicted milliseconds within the bounds.

        Raises:
            InputError: No network keeps all bounds; says what each could be at least.
        """
        low, high = self.extreme_ms(-1), self.extreme_ms(1)
        if low is None or high is None:
            raise impossible_bounds(self.space.name, self.quantities)
        return low, high

    def check_target(self, target_ms: float, margin: float = 0.02) -> None:
        """Refuses milliseconds that no network of the bounds is near to.

        Args:
            target_ms: Asked for.
            margin: Share by which a network may differ.

        Raises:
            InputError: Outside the range, or no network has these milliseconds within the bounds.
        """
        low, high = self.range_ms()
        name = f"space `{self.space.name}` on this device"
        if not (1 - margin) * low <= target_ms <= (1 + margin) * high:
            within = f" within {bounds_text(self.quantities)}" if self.bounds else ""
            whole = BoundedSpace(self.space, self.latency, Bounds()).range_ms()
            reach = f"; without those bounds {whole[0]:.3f} to {whole[1]:.3f}"
            raise InputError(
                f"--target_ms from {low:.3f} to {high:.3f}, the range of {name}{within}",
                f"{target_ms:g}" + (reach if self.bounds else ""),
                "ask for milliseconds inside the range"
                + (f", loosen a bound{self._tightest(target_ms, margin)}" if self.bounds else "")
                + ", or choose another --space",
            )

    def _tightest(self, target_ms: float, margin: float) -> str:
        """Which bounds each rule out a target by themselves; nothing where only all of them do."""
        alone = []
        for name, most in self.bounds.to_json().items():
            if most is None:
                continue
            low, high = BoundedSpace(self.space, self.latency, Bounds(**{name: most})).range_ms()
            if not (1 - margin) * low <= target_ms <= (1 + margin) * high:
                alone.append(f"--{name}")
        if not alone:
            return ""
        rules = "rules" if len(alone) == 1 else "rule"
        return f" ({' and '.join(alone)} alone {rules} it out)"

    def neighbours_ms(self, target_ms: float) -> tuple[float | None, float | None]:
        """Predicted ms of the networks next below and next above a target, proven to 0.01 %.

        Args:
            target_ms: Milliseconds.

        Returns:
            None on a side where no network is.
        """
        rows = self._scores_of_ms()
        below = self.choose(rows, -np.inf, target_ms, relative_gap=NEIGHBOUR_GAP)
        above = self.choose([-row for row in rows], target_ms, np.inf, relative_gap=NEIGHBOUR_GAP)
        known = [None if n is None else self.latency.predict_ms(n) for n in (below, above)]
        return known[0], known[1]
