"""What a run has for the method that proposes its networks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from nas.methods.evolution_config import EvolutionConfig
from nas.methods.method import MethodInputs, Scored
from nas.pipeline.supernet import SupernetStage
from nas.runs.config import RunConfig
from nas.selection.feasible import BoundedSpace
from nas.system.console import err

if TYPE_CHECKING:
    from nas.supernet.scoring import SharedScorer


def method_inputs(
    bounded: BoundedSpace, supernet: SupernetStage, config: RunConfig
) -> MethodInputs:
    """What a run has for its method.

    Args:
        bounded: Networks to propose.
        supernet: Of the run; trained or restored when it is first asked.
        config: What the run was asked for.
    """
    return MethodInputs(
        bounded,
        config.seed,
        _scored(supernet, config.evolution),
        lambda: supernet.probabilities()[0].scores(bounded.space),
        config.proposals,
        config.evolution,
        lambda what: partial(_progress, what),
    )


def _scored(supernet: SupernetStage, config: EvolutionConfig) -> Callable[[tuple[int, ...]], float]:
    """The supernet's score; the supernet is trained or restored when it is first asked."""
    scorer: list[SharedScorer] = []
    known: dict[tuple[int, ...], float] = {}

    def score(network: tuple[int, ...]) -> float:
        if not scorer:
            scorer.append(supernet.scorer(config))
        if network not in known:
            known[network] = scorer[0].score(network)
        return known[network]

    return score


def _progress(what: str, done: int, total: int, best: Scored) -> None:
    if done % 16 == 0 or done == total:
        err.print(
            f"{what}: {done} of at most {total} networks; least cross-entropy {-best.score:.4f}"
        )
