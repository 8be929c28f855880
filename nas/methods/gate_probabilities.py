"""Probabilities of the gates, as scores of a choice's options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nas.methods.history import DecisionProbabilities
from nas.search_space.space import Space


@dataclass(frozen=True)
class GateProbabilities:
    """Probabilities of every decision.

    Args:
        tables: Decision -> (choices, options); rows sum to 1.
    """

    tables: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, decisions: Mapping[str, DecisionProbabilities]) -> GateProbabilities:
        """From what `decisions` gave.

        Args:
            decisions: As search.json has them.
        """
        return cls({name: np.asarray(d.probabilities, float) for name, d in decisions.items()})

    def decisions(self, space: Space) -> dict[str, DecisionProbabilities]:
        """Decision -> its options and their probabilities at each choice, for search.json.

        Args:
            space: Whose decisions these are.
        """
        return {
            name: DecisionProbabilities(
                tuple(options), tuple(map(tuple, self.tables[name].tolist()))
            )
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
