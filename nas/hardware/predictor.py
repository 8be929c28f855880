"""A space's milliseconds as arrays, and the prediction of one network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from latency.tables.table import LatencyTable
from nas.architecture.lowering import LoweredLayer
from nas.architecture.spec import Skip
from nas.cost.additive import AdditiveCost
from nas.hardware.rows import architecture_row_keys, row_key
from nas.search_space.space import Space


@dataclass(frozen=True)
class SpaceLatency:
    """Milliseconds of a space as arrays, by a table.

    Args:
        fixed_ms: Rows of everything that is no choice.
        option_ms: Rows of each choice's options; 0 for skip.
        a: Slope of the calibration.
        b_ms: Its intercept.
    """

    fixed_ms: float
    option_ms: tuple[np.ndarray, ...]
    a: float
    b_ms: float

    @classmethod
    def from_table(cls, space: Space, table: LatencyTable) -> SpaceLatency:
        """Reads the rows of a space.

        Raises:
            LatencyError: A row is missing.
        """

        def row_ms(option: LoweredLayer) -> float:
            if isinstance(option.layer, Skip):
                return 0.0
            return table.effective_row_ms(row_key((option.layer,), option.input_shape))

        rows = space.lowered_options()
        option_ms = tuple(np.array([row_ms(option) for option in options]) for options in rows)
        largest, shapes = space.largest(), space.input_shapes()
        # Counted, since a fixed block may be the same as an option and share its row.
        fixed = Counter(architecture_row_keys(largest))
        fixed -= Counter(row_key((largest.layers[i],), shapes[i]) for i in space.choice_layers)
        a, b_ms = table.affine
        fixed_ms = sum(table.effective_row_ms(key) for key in fixed.elements())
        return cls(fixed_ms, option_ms, a, b_ms)

    @property
    def cost(self) -> AdditiveCost:
        """Calibrated milliseconds as a sum over choices, which is all that a search needs."""
        return AdditiveCost(self.option_ms, self.a, self.b_ms, self.fixed_ms)

    def predict_ms(self, indices: Sequence[int]) -> float:
        """Calibrated milliseconds of one network."""
        return self.cost.of(indices)

    def range_ms(self) -> tuple[float, float]:
        """Least and greatest prediction of the space."""
        return self.cost.range()
