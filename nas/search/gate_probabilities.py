"""Probabilities of the gates, as scores of a choice's options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.architecture import spec
from nas.errors import InputError
from nas.search_space.space import Space


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
