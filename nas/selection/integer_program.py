"""Gates -> the best architecture within a window of some cost; needs no backend.

The choice is exact: an integer programme with one binary for each (choice, option).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TOLERANCE = 1e-6  # of the solver, where constraints are scaled to about 1
_INFEASIBLE = 2  # status of scipy.optimize.milp


def choose(
    scores: Sequence[np.ndarray],
    costs: Sequence[np.ndarray],
    low: float,
    high: float,
    forbidden: Sequence[tuple[int, ...]] = (),
    limits: Sequence[tuple[Sequence[np.ndarray], float]] = (),
    relative_gap: float = 0.0,
    excluded: Sequence[np.ndarray] | None = None,
) -> tuple[int, ...] | None:
    """The network of the highest total score whose options' sum lies in a window.

    Args:
        scores: Score of each option of each choice.
        costs: Cost of the same options, such as milliseconds.
        low: Least sum; a window is kept up to `TOLERANCE` of the dearest option, whatever the
            unit.
        high: Greatest sum.
        forbidden: Networks that must not come out again (no-good cuts).
        limits: Further costs of each option of each choice, with the most that their sum may be;
            kept up to `TOLERANCE` of the largest cost.
        relative_gap: Share by which the score may fall short of the best; 0 is exact.
        excluded: Of each choice, whether an option must not be taken; None excludes nothing.

    Returns:
        One option a choice, or None if no network keeps all of them.

    Raises:
        RuntimeError: The solver gave up, so that nothing is proven.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp  # takes a moment to load

    sizes = [len(row) for row in scores]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    count = int(starts[-1])
    one_each = np.zeros((len(sizes), count))
    for row, (start, size) in enumerate(zip(starts, sizes, strict=False)):
        one_each[row, start : start + size] = 1
    cost = np.concatenate(list(costs)).astype(float)
    # Scaled to about 1: the solver's tolerances are absolute.
    scale = float(np.abs(cost).max()) or 1.0
    constraints = [
        LinearConstraint(one_each, 1, 1),
        LinearConstraint(cost[None, :] / scale, low / scale, high / scale),
    ]
    for network in forbidden:
        cut = np.zeros((1, count))
        cut[0, starts[:-1] + np.array(network)] = 1
        constraints.append(LinearConstraint(cut, -np.inf, len(sizes) - 1))
    for counts, most in limits:
        cost = np.concatenate(list(counts)).astype(float)
        scale = max(float(np.abs(cost).max()), 1.0)
        constraints.append(LinearConstraint(cost[None, :] / scale, -np.inf, most / scale))
    most_of_each = np.ones(count) if excluded is None else 1.0 - np.concatenate(list(excluded))
    result = milp(
        -np.concatenate(list(scores)),
        integrality=np.ones(count),
        bounds=Bounds(0, most_of_each),
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
