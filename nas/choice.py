"""Derive, measure whole, correct, choose again: the network that a search ends with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nas.derive import GateProbabilities, choose
from nas.errors import InputError
from nas.measuring import is_met
from nas.runtime import SpaceLatency
from nas.space import Space
from nas.spec import Architecture

ATTEMPTS = 5
# Windows around the target, tried in turn: a space has no network at every latency.
WINDOWS = ((0.98, 1.0), (0.98, 1.02), (0.95, 1.02), (0.9, 1.05), (0.8, 1.1))


@dataclass(frozen=True)
class Choice:
    """The chosen network.

    Args:
        indices: One option a choice.
        predicted_ms: By the table.
        target_ms: Aimed at: asked, or the search's expectation.
        attempts: Predicted and measured milliseconds of everything that was tried.
    """

    indices: tuple[int, ...]
    predicted_ms: float
    target_ms: float
    attempts: list[dict[str, Any]]


def choose_network(
    space: Space,
    latency: SpaceLatency,
    probabilities: GateProbabilities,
    target_ms: float,
    measure_ms: Callable[[Architecture], float] | None,
) -> Choice:
    """The most likely network whose milliseconds lie just below a target.

    Args:
        space: Where to choose.
        latency: Its predictor.
        probabilities: Of the gates.
        target_ms: Budget.
        measure_ms: Whole-network measurement; each miss corrects the prediction and forbids
            the network. None to trust the table.

    Raises:
        InputError: No network of the space lies anywhere near the target.
    """
    scores = probabilities.scores(space)
    correction = 1.0
    tried: list[tuple[int, ...]] = []
    attempts: list[dict[str, Any]] = []
    while True:
        indices = _choose_in_windows(latency, scores, target_ms / correction, tried)
        if indices is None:
            break
        predicted = latency.predict_ms(indices)
        measured = measure_ms(space.decode(indices)) if measure_ms is not None else None
        attempts.append({"indices": list(indices), "predicted_ms": predicted})
        attempts[-1]["measured_ms"] = measured
        if measured is None or is_met(measured, target_ms):
            return Choice(indices, predicted, target_ms, attempts)
        tried.append(indices)
        correction = measured / predicted
        if len(attempts) == ATTEMPTS:
            break
    if not attempts:
        low, high = latency.range_ms()
        raise InputError(
            f"a target from {low:.3f} to {high:.3f} ms, the range of space `{space.name}`",
            f"{target_ms:.3f} ms",
            "ask for milliseconds inside the range, or choose another --space",
        )
    nearest = min(attempts, key=lambda a: abs(a["measured_ms"] / target_ms - 1))
    return Choice(tuple(nearest["indices"]), nearest["predicted_ms"], target_ms, attempts)


def _choose_in_windows(
    latency: SpaceLatency,
    scores: list[Any],
    target_ms: float,
    forbidden: list[tuple[int, ...]],
) -> tuple[int, ...] | None:
    for low, high in WINDOWS:
        # Milliseconds of the whole network -> sum of its options' rows.
        low_sum, high_sum = (
            (share * target_ms - latency.b_ms) / latency.a - latency.fixed_ms
            for share in (low, high)
        )
        indices = choose(scores, latency.option_ms, low_sum, high_sum, forbidden)
        if indices is not None:
            return indices
    return None
