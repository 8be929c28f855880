"""The search's penalty, ramps and multiplier: pure functions shaped like the equations."""

from __future__ import annotations

import math

from nas.training.schedules import ramp


def temperature(step: int, start: int, total: int, first: float, last: float) -> float:
    """Geometric from `first` at step `start` to `last` at step `total`.

    Source: Jang et al. 2017, arXiv 1611.01144 anneal towards a discrete sample.
    """
    share = ramp(step, start, total - start)
    return first * float((last / first) ** share)


def approached_ms(first_ms: float, target_ms: float, share: float) -> float:
    """What the expectation is to be on the way from `first_ms` to the target; geometric.

    A target far away is a large error for many steps, in which a multiplier winds up; gates would
    then learn what is cheap and little else (docs/log.md).

    Args:
        first_ms: Where the search begins.
        target_ms: Where it is to end.
        share: Of the way, 0 to 1.
    """
    return first_ms * float((target_ms / first_ms) ** share)


def updated_multiplier(multiplier: float, expected_ms: float, aim_ms: float, rate: float) -> float:
    """Gradient ascent on the multiplier: max(0, m + rate * ln(E / aim)).

    Source: the Lagrangian update of LightNAS (Luo et al. 2022, arXiv 2208.14446), clipped at 0,
    with the logarithm for the relative error: half and twice the aim weigh alike.
    """
    return max(0.0, multiplier + rate * math.log(expected_ms / aim_ms))


def damped_strength(multiplier: float, expected_ms: float, aim_ms: float, gain: float) -> float:
    """Weight of the penalty: max(0, m + gain * ln(E / aim)).

    The multiplier alone, which is a sum of past errors, swings around the target; the present
    error damps it.

    Source: Stooke, Achiam and Abbeel 2020, arXiv 2007.03964, the proportional term of a
    Lagrangian controller.
    """
    return max(0.0, multiplier + gain * math.log(expected_ms / aim_ms))
