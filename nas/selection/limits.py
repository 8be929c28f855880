"""The exact choice among networks that keep limits on several counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.cost.constraints import Network, Quantity, excluded_options
from nas.selection.integer_program import choose

# Values of each option of each choice, with the least and the greatest sum that they may have.
Window = tuple[Sequence[np.ndarray], float, float]


class Limits:
    """Networks of a space that keep the bounds of several counts.

    A sum becomes a constraint of the integer programme. Of a peak, every option that breaks the
    bound by itself is left out; a network of the others keeps it, so that this is exact as well.

    Args:
        quantities: Of one space; those without a bound limit nothing.
    """

    def __init__(self, quantities: Sequence[Quantity]) -> None:
        self.quantities = quantities
        self._bounded = [(q, q.most) for q in quantities if q.most is not None]
        self._sums = [(q.options, m - q.fixed) for q, m in self._bounded if q.kind == "sum"]
        self._excluded = excluded_options(quantities) or None

    def kept(self, network: Network) -> bool:
        """Whether a network keeps all bounds.

        Args:
            network: One option a choice.
        """
        return all(quantity.kept(network) for quantity in self.quantities)

    def choose(
        self,
        scores: Sequence[np.ndarray],
        window: Window | None = None,
        forbidden: Sequence[Network] = (),
        relative_gap: float = 0.0,
    ) -> Network | None:
        """The network of the highest total score that keeps all bounds.

        Args:
            scores: Of every option of every choice.
            window: A sum that must lie between two ends as well; None for none.
            forbidden: Networks that must not come out.
            relative_gap: Share by which the score may fall short of the best; 0 is exact.

        Returns:
            One option a choice; None if nothing fits, which is then proven.
        """
        # What no option can change breaks a bound for all networks.
        if any(q.fixed > most for q, most in self._bounded):
            return None
        values, low, high = window or ([np.zeros(len(s)) for s in scores], -np.inf, np.inf)
        left_out = list(forbidden)
        while True:
            network = choose(
                scores, values, low, high, left_out, self._sums, relative_gap, self._excluded
            )
            if network is None or self.kept(network):
                return network
            # The solver's tolerance let a count pass by a few units.
            left_out.append(network)

    def least(self, quantity: Quantity) -> int | None:
        """The least count of a network that keeps all bounds; None if there is no such network.

        Args:
            quantity: Of the same space; its own bound is no matter.
        """
        if quantity.kind == "sum":
            network = self.choose([-row.astype(float) for row in quantity.options])
            return None if network is None else quantity.of(network)
        return self._least_peak(quantity)

    def greatest(self, quantity: Quantity) -> int | None:
        """The greatest count of a network that keeps all bounds; None if there is none.

        Args:
            quantity: Of the same space; its own bound is no matter.
        """
        if quantity.kind == "sum":
            network = self.choose([row.astype(float) for row in quantity.options])
            return None if network is None else quantity.of(network)
        # A network with the largest part that any network can have.
        for peak in sorted(set(np.concatenate(quantity.options).tolist()), reverse=True):
            for number, row in enumerate(quantity.options):
                for option in np.flatnonzero(row == peak):
                    network = self._with(quantity, number, int(option))
                    if network is not None:
                        return quantity.of(network)
        return None

    def _with(self, quantity: Quantity, number: int, option: int) -> Network | None:
        """Any network with one option of one choice."""
        wanted = [np.zeros(len(row)) for row in quantity.options]
        wanted[number][option] = 1.0
        network = self.choose(wanted)
        return network if network is not None and network[number] == option else None

    def _least_peak(self, quantity: Quantity) -> int | None:
        """The least bound on a peak that a network keeps beside the others; by halving."""
        peaks = sorted({quantity.fixed, *np.concatenate(quantity.options).tolist()})
        peaks = [peak for peak in peaks if peak >= quantity.fixed]
        others = [q for q in self.quantities if q.name != quantity.name]
        low, high = 0, len(peaks)
        while low < high:
            middle = (low + high) // 2
            if Limits([*others, quantity.bounded(peaks[middle])]).has_networks():
                high = middle
            else:
                low = middle + 1
        return peaks[low] if low < len(peaks) else None

    def has_networks(self) -> bool:
        """Whether any network keeps all bounds."""
        return self.choose([np.zeros(len(row)) for row in self.quantities[0].options]) is not None
