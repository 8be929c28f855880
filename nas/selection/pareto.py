"""The networks that no other one beats in both cost and accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.errors import InputError


def pareto_front(costs: Sequence[float], accuracy: Sequence[float]) -> list[int]:
    """Positions of the networks that are on the front, cheapest first.

    A network is on it if none is at least as cheap and at least as accurate, and better in one.
    Of equal networks the first stands for all.

    Args:
        costs: One figure a network: milliseconds, or a count.
        accuracy: The same networks' accuracy, higher is better.

    Raises:
        InputError: Lists of different lengths, or a figure that is no number.
    """
    if len(costs) != len(accuracy):
        raise InputError(
            "one accuracy for each cost",
            f"{len(costs)} costs, {len(accuracy)} accuracies",
            "give two lists of one length",
        )
    if not np.isfinite([*costs, *accuracy]).all():
        raise InputError("finite figures", "NaN or infinity", "leave those networks out")
    order = sorted(range(len(accuracy)), key=lambda i: (costs[i], -accuracy[i], i))
    front: list[int] = []
    for i in order:
        if not front or accuracy[i] > accuracy[front[-1]]:
            front.append(i)
    return front
