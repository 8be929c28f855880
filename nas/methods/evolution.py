"""Evolution within a window of the cost: parents by score, children repaired into the window.

Every child is made feasible by the exact choice that keeps most of its genes, so no evaluation
is spent on networks that miss the budget.

Source: Guo et al. 2020, arXiv 1904.00420, section 3.4 (single path one-shot, evolutionary
architecture search), with repair in place of rejection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from nas.methods.evolution_config import EvolutionConfig as EvolutionConfig
from nas.methods.method import (
    Feasible,
    Method,
    MethodInputs,
    Network,
    Progress,
    Scored,
    ScoredMethod,
    say_nothing,
)

# A preference for each option of each choice -> the feasible network that agrees most.
Repair = Callable[[Sequence[np.ndarray]], tuple[int, ...] | None]

# Attempts to find one more network that was not scored before.
ATTEMPTS = 20
# Weight of chance beside a gene of the child in a repair: it only breaks ties.
TIE_NOISE = 1e-3


def evolve(
    sizes: Sequence[int],
    repair: Repair,
    score: Callable[[tuple[int, ...]], float],
    config: EvolutionConfig,
    seed: int,
    on_progress: Progress = say_nothing,
) -> list[Scored]:
    """Scored networks, best first; the same seed and scores give the same list.

    Args:
        sizes: Options of each choice.
        repair: Makes a network feasible; None if there is none.
        score: Of a feasible network; called once for each.
        config: Settings.
        seed: Of all chance.
        on_progress: Called after each score with (scored, at most, the best so far).

    Returns:
        Everything that was scored; empty if nothing is feasible.
    """
    rng = np.random.default_rng((seed, 11))
    scored: dict[tuple[int, ...], Scored] = {}
    total = config.population * (config.generations + 1)

    def ranked() -> list[Scored]:
        return sorted(scored.values(), key=lambda s: (-s.score, s.indices))

    for generation in range(config.generations + 1):
        parents = ranked()[: config.parents]
        for number in range(config.population):
            indices = _new_network(sizes, parents, number, repair, config, rng, scored)
            if indices is None:
                continue
            scored[indices] = Scored(indices, score(indices))
            on_progress(len(scored), total, ranked()[0])
        if generation == 0 and not scored:
            return []
    return ranked()


def _new_network(
    sizes: Sequence[int],
    parents: Sequence[Scored],
    number: int,
    repair: Repair,
    config: EvolutionConfig,
    rng: np.random.Generator,
    known: dict[tuple[int, ...], Scored],
) -> tuple[int, ...] | None:
    """A feasible network that was not scored yet; None if none came up."""
    for _ in range(ATTEMPTS):
        if not parents:
            wanted = [rng.random(size) for size in sizes]
        elif number % 2 or len(parents) == 1:
            wanted = _preferences(_mutant(sizes, parents, config.mutation, rng), sizes, rng)
        else:
            wanted = _preferences(_crossing(parents, rng), sizes, rng)
        indices = repair(wanted)
        if indices is not None and indices not in known:
            return indices
    return None


def _mutant(
    sizes: Sequence[int], parents: Sequence[Scored], mutation: float, rng: np.random.Generator
) -> list[int]:
    parent = parents[int(rng.integers(len(parents)))].indices
    return [
        int(rng.integers(size)) if rng.random() < mutation else gene
        for gene, size in zip(parent, sizes, strict=True)
    ]


def _crossing(parents: Sequence[Scored], rng: np.random.Generator) -> list[int]:
    first, second = rng.permutation(len(parents))[:2]
    pairs = zip(parents[int(first)].indices, parents[int(second)].indices, strict=True)
    return [a if rng.random() < 0.5 else b for a, b in pairs]


def _preferences(
    genes: Sequence[int], sizes: Sequence[int], rng: np.random.Generator
) -> list[np.ndarray]:
    rows = [TIE_NOISE * rng.random(size) for size in sizes]
    for row, gene in zip(rows, genes, strict=True):
        row[gene] += 1.0
    return rows


class EvolutionMethod(ScoredMethod):
    """The best of an evolution.

    Args:
        networks: Those to propose.
        score: Of a network by a trained supernet; higher is better; called once for each.
        seed: Of all chance.
        config: Settings.
        on_progress: Called with (scored, at most, the best so far).
    """

    trains_supernet: ClassVar[bool] = True
    learns_gates: ClassVar[bool] = False

    def __init__(
        self,
        networks: Feasible,
        score: Callable[[Network], float],
        seed: int,
        config: EvolutionConfig,
        on_progress: Progress = say_nothing,
    ) -> None:
        super().__init__(networks, score, seed, on_progress)
        self._config = config

    @classmethod
    def of(cls, inputs: MethodInputs) -> Method:
        """The method of a run.

        Args:
            inputs: What the run has.
        """
        progress = inputs.progress("Evolution")
        return cls(inputs.networks, inputs.score, inputs.seed, inputs.evolution, progress)

    def _fill(self, low: float, high: float, forbidden: Sequence[Network] = ()) -> None:
        evolve(
            self._networks.sizes,
            lambda wanted: self._networks.choose(wanted, low, high, forbidden),
            self._score,
            self._config,
            self._seed,
            self._on_progress,
        )
