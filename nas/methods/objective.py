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


def approached(first: float, target: float, share: float) -> float:
    """What the expectation is to be on the way from `first` to the target; geometric.

    A target far away is a large error for many steps, in which a multiplier winds up; gates would
    then learn what is cheap and little else (docs/log.md).

    Args:
        first: Where the search begins.
        target: Where it is to end.
        share: Of the way, 0 to 1.
    """
    return first * float((target / first) ** share)


def updated_multiplier(multiplier: float, expected: float, aim: float, rate: float) -> float:
    """Gradient ascent on the multiplier: max(0, m + rate * ln(E / aim)).

    Source: the Lagrangian update of LightNAS (Luo et al. 2022, arXiv 2208.14446), clipped at 0,
    with the logarithm for the relative error: half and twice the aim weigh alike.
    """
    return max(0.0, multiplier + rate * math.log(expected / aim))


def damped_strength(multiplier: float, expected: float, aim: float, gain: float) -> float:
    """Weight of the penalty: max(0, m + gain * ln(E / aim)).

    The multiplier alone, which is a sum of past errors, swings around the target; the present
    error damps it.

    Source: Stooke, Achiam and Abbeel 2020, arXiv 2007.03964, the proportional term of a
    Lagrangian controller.
    """
    return max(0.0, multiplier + gain * math.log(expected / aim))
