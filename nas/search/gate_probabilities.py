"""Probabilities of the gates, as scores of a choice's options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.search_space.space import Space


@dataclass(frozen=True)
class GateProbabilities:
    """Probabilities of every decision.

    Args:
        tables: Decision -> (choices, options); rows sum to 1.
    """

    tables: Mapping[str, np.ndarray]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> GateProbabilities:
        """From what `to_json` gave, as a run folder keeps it."""
        return cls({name: np.asarray(d["probabilities"], float) for name, d in data.items()})

    def to_json(self, space: Space) -> dict[str, Any]:
        """Plain data: decision -> its options and their probabilities at each choice.

        Args:
            space: Whose decisions these are.
        """
        return {
            name: {"options": options, "probabilities": self.tables[name].tolist()}
            for name, options in space.tables.options_json().items()
        }

    def joint(self, space: Space) -> list[np.ndarray]:
        """Probability of every option of every choice; each row sums to 1.

        Args:
            space: Whose decisions these are.
        """
        return space.tables.joint(self.tables)

    def scores(self, space: Space) -> list[np.ndarray]:
        """Score of every option of every choice; see `DecisionTables.scores`.

        Args:
            space: Whose decisions these are.
        """
        return space.tables.scores(self.tables)
