"""Draws of networks for a training step: functions of (seed, step), so steps can be repeated."""

from __future__ import annotations

import numpy as np

from nas.layers.draw import GateDraw
from nas.supernet.model import Supernet


def even_draw(network: Supernet, rng: np.random.Generator) -> GateDraw:
    """Even over the joint options of each block, skip being one of them."""
    return network.draw_of(network.space.even_indices(rng))


def widening_draw(network: Supernet, rng: np.random.Generator, evenness: float) -> GateDraw:
    """The largest network, or with a probability of `evenness` an even draw.

    Networks drawn evenly from the first step on pull shared weights in so many directions that
    none of them learns (docs/log.md); the largest learns fast, and the others are parts of it.

    Source: progressive shrinking, Cai et al. 2020, arXiv 1908.09791.

    Args:
        network: The supernet.
        rng: Generator of this step.
        evenness: Probability of an even draw, 0 to 1.
    """
    if rng.random() < evenness:
        return even_draw(network, rng)
    return network.draw_of(network.space.encode(network.space.largest()))


def gate_draw(network: Supernet, rng: np.random.Generator) -> GateDraw:
    """What the gates stand for: a sample of categorical ones, the state of threshold ones."""
    return network.gates.sample(rng)
