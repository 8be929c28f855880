"""Networks drawn at random within a window of their cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from nas.methods.method import Feasible, Method, MethodInputs, Network
from nas.search_space.draws import even_indices

# Even draws that may miss the window before networks are made to fit it.
DRAWS = 20_000


class RandomMethod:
    """Networks drawn evenly from the space among those that fit.

    Args:
        networks: Those to draw from; made to fit where even draws hardly ever do.
        seed: Of the draws.
    """

    trains_supernet: ClassVar[bool] = False
    learns_gates: ClassVar[bool] = False

    def __init__(self, networks: Feasible, seed: int) -> None:
        self._networks, self._seed = networks, seed

    @classmethod
    def of(cls, inputs: MethodInputs) -> Method:
        """The method of a run.

        Args:
            inputs: What the run has.
        """
        return cls(inputs.networks, inputs.seed)

    def propose(self, low: float, high: float, forbidden: Sequence[Network] = ()) -> Network | None:
        """An even draw that fits, or a random one that is made to fit; see `Method`."""
        # A function of its arguments: a resumed run must draw the same networks.
        rng = np.random.default_rng((self._seed, 13, len(forbidden)))
        known = set(forbidden)
        for _ in range(DRAWS):
            network = even_indices(self._networks.sizes, rng)
            if network not in known and self._networks.fits(network, low, high):
                return network
        wanted = [rng.random(size) for size in self._networks.sizes]
        return self._networks.choose(wanted, low, high, forbidden)
