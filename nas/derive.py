"""Gates -> the best architecture within a latency window; needs no backend.

The choice is exact: an integer programme with one binary for each (choice, option).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from nas import spec
from nas.errors import InputError
from nas.space import Space

_INFEASIBLE = 2  # status of scipy.optimize.milp


@dataclass(frozen=True)
class GateProbabilities:
    """Probabilities of every decision: (choices, kernels), (choices, expansions), (choices, 2)."""

    kernel: np.ndarray
    expansion: np.ndarray
    skip: np.ndarray
    kernels: tuple[int, ...]
    expansions: tuple[int, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> GateProbabilities:
        """From lists, as a run folder keeps them."""
        arrays = {kind: np.asarray(data[kind], float) for kind in ("kernel", "expansion", "skip")}
        return cls(**arrays, kernels=tuple(data["kernels"]), expansions=tuple(data["expansions"]))

    def joint(self, space: Space) -> list[np.ndarray]:
        """Probability of every option of every choice; each sums to 1."""
        return [
            np.array([self._option(number, option) for option in choice.options])
            for number, choice in enumerate(space.choices)
        ]

    def _option(self, number: int, option: spec.Layer) -> float:
        if isinstance(option, spec.Skip):
            return float(self.skip[number, 1])
        kernel, expansion = self._places(option)
        keep = float(self.skip[number, 0])
        return keep * float(self.kernel[number, kernel] * self.expansion[number, expansion])

    def _places(self, option: spec.Layer) -> tuple[int, int]:
        if not isinstance(option, spec.MBConv):
            raise InputError("options that are MBConv or skip", f"{option}", "change the space")
        return self.kernels.index(option.kernel), self.expansions.index(option.expansion)

    def scores(self, space: Space) -> list[np.ndarray]:
        """Score of every option: log p_skip, or log(1 - p_skip) + log of its relative p's.

        Relative to the most likely kernel and expansion, so that a skip is not favoured for
        being one option against many.
        """
        tiny = 1e-12  # a probability that underflowed must not make a score infinite
        scores = []
        for number, choice in enumerate(space.choices):
            row = []
            for option in choice.options:
                if isinstance(option, spec.Skip):
                    row.append(np.log(self.skip[number, 1] + tiny))
                    continue
                k, e = self._places(option)
                relative_k = self.kernel[number, k] / self.kernel[number].max()
                relative_e = self.expansion[number, e] / self.expansion[number].max()
                row.append(
                    np.log(self.skip[number, 0] + tiny)
                    + np.log(relative_k + tiny)
                    + np.log(relative_e + tiny)
                )
            scores.append(np.array(row))
        return scores


def choose(
    scores: Sequence[np.ndarray],
    option_ms: Sequence[np.ndarray],
    low_ms: float,
    high_ms: float,
    forbidden: Sequence[tuple[int, ...]] = (),
    limits: Sequence[tuple[Sequence[np.ndarray], float]] = (),
    relative_gap: float = 0.0,
) -> tuple[int, ...] | None:
    """The network of the highest total score whose options' sum lies in a window.

    Args:
        scores: Score of each option of each choice.
        option_ms: Milliseconds of the same options.
        low_ms: Least sum.
        high_ms: Greatest sum.
        forbidden: Networks that must not come out again (no-good cuts).
        limits: Further costs of each option of each choice, with the most that their sum may be;
            kept up to 1e-6 of the largest cost, the solver's tolerance.
        relative_gap: Share by which the score may fall short of the best; 0 is exact.

    Returns:
        One option a choice, or None if no network keeps all of them.

    Raises:
        RuntimeError: The solver gave up, so that nothing is proven.
    """
    sizes = [len(row) for row in scores]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    count = int(starts[-1])
    one_each = np.zeros((len(sizes), count))
    for row, (start, size) in enumerate(zip(starts, sizes, strict=False)):
        one_each[row, start : start + size] = 1
    constraints = [
        LinearConstraint(one_each, 1, 1),
        LinearConstraint(np.concatenate(list(option_ms))[None, :], low_ms, high_ms),
    ]
    for network in forbidden:
        cut = np.zeros((1, count))
        cut[0, starts[:-1] + np.array(network)] = 1
        constraints.append(LinearConstraint(cut, -np.inf, len(sizes) - 1))
    for costs, most in limits:
        cost = np.concatenate(list(costs)).astype(float)
        # Scaled to about 1: the solver's tolerances are absolute.
        scale = max(float(np.abs(cost).max()), 1.0)
        constraints.append(LinearConstraint(cost[None, :] / scale, -np.inf, most / scale))
    result = milp(
        -np.concatenate(list(scores)),
        integrality=np.ones(count),
        bounds=Bounds(0, 1),
        constraints=constraints,
        # The default gap of 1e-4 would end the search at a network that is nearly the best.
        options={"mip_rel_gap": relative_gap},
    )
    # All variables are bounded: the solver's "infeasible or unbounded" means the former.
    if result.status == _INFEASIBLE or (result.x is None and "infeasible" in result.message):
        return None
    if result.x is None:
        raise RuntimeError(f"The exact choice failed: {result.message}")
    return tuple(
        int(result.x[start : start + size].argmax())
        for start, size in zip(starts, sizes, strict=False)
    )
