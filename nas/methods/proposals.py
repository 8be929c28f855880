"""Networks that scores of the options propose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from nas.methods.method import (
    Feasible,
    Method,
    MethodInputs,
    Network,
    Progress,
    ScoredMethod,
    say_nothing,
)


class ScoreMethod:
    """Additive scores, as gates give them: the exact choice.

    Args:
        networks: Those to choose from.
        scores: Of each option of each choice.
    """

    def __init__(self, networks: Feasible, scores: Sequence[np.ndarray]) -> None:
        self._networks, self._scores = networks, scores

    def propose(self, low: float, high: float, forbidden: Sequence[Network] = ()) -> Network | None:
        """The exact choice; see `Method`."""
        return self._networks.choose(self._scores, low, high, forbidden)


class ProposalMethod(ScoredMethod):
    """The gates propose, the trained supernet judges the networks whole.

    Gates score every option by itself; whether options go together only a whole network tells.
    The first proposal is the gates' exact choice; the others are exact choices with Gumbel noise
    on the scores, which without a window would be samples of the gates' distribution.

    Source: Papandreou and Yuille 2011, ICCV, "Perturb-and-MAP random fields".

    Args:
        networks: Those to propose.
        score: Of a network by a trained supernet; higher is better; called once for each.
        seed: Of all chance.
        gate_scores: Of each option of each choice: logarithms of the gates' probabilities.
        count: Networks proposed for a window.
        on_progress: Called with (scored, at most, the best so far).
    """

    def __init__(
        self,
        networks: Feasible,
        score: Callable[[Network], float],
        seed: int,
        gate_scores: Sequence[np.ndarray],
        count: int,
        on_progress: Progress = say_nothing,
    ) -> None:
        super().__init__(networks, score, seed, on_progress)
        self._gate_scores, self._count = gate_scores, count

    def _fill(self, low: float, high: float, forbidden: Sequence[Network] = ()) -> None:
        rng = np.random.default_rng((self._seed, 15))
        for number in range(self._count):
            wanted = [
                row + (rng.gumbel(size=len(row)) if number else 0) for row in self._gate_scores
            ]
            network = self._networks.choose(wanted, low, high, forbidden)
            if network is None:
                return
            self._score(network)
            self._on_progress(number + 1, self._count, self.scored[0])


class GateMethod:
    """What gates that learned make of their scores: they choose, or propose to the supernet."""

    trains_supernet: ClassVar[bool] = True
    learns_gates: ClassVar[bool] = True

    @classmethod
    def of(cls, inputs: MethodInputs) -> Method:
        """The method of a run.

        Args:
            inputs: What the run has.
        """
        scores = inputs.gate_scores()
        if not inputs.proposals:
            return ScoreMethod(inputs.networks, scores)
        return ProposalMethod(
            inputs.networks,
            inputs.score,
            inputs.seed,
            scores,
            inputs.proposals,
            inputs.progress("Proposals of the gates"),
        )
