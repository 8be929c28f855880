"""Who may take part in a race: networks that are sure to keep the budget themselves.

The winner of a race is certified. It is chosen by accuracy, from all who take part, so each of them
must be one that a certificate would call met, whichever wins.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

# Fresh processes that candidates are read in. Memory lies elsewhere in each.
READINGS = 3
# Of a normal distribution, both sides: 95 %.
SIDES = 1.96

Name = TypeVar("Name", bound=Hashable)


def admitted(
    process_ms: Mapping[Name, Sequence[float]], asked_ms: float, margin: float
) -> list[Name]:
    """Returns the candidates whose milliseconds are within the margin, uncertainty included.

    A candidate is admitted if the whole 95 % interval of the median of its readings lies within
    the margin of what was asked, as a certificate has to. How far one reading is from the next is
    learned from all candidates together: three readings of one network tell little about it.

    Args:
        process_ms: Candidate -> its milliseconds in each of two or more fresh processes, above 0.
        asked_ms: Target, above 0.
        margin: Of the certificate, a share of the target.
    """
    spread = reading_spread(process_ms.values())
    found = []
    for name, readings in process_ms.items():
        off = abs(float(np.median(readings)) / asked_ms - 1)
        if off + half_width(spread, len(readings)) <= margin:
            found.append(name)
    return found


def half_width(spread: float, readings: int) -> float:
    """Half of the 95 % interval of a median, as a share.

    For normal errors the median's is sqrt(pi / 2) times the mean's.

    Args:
        spread: Standard deviation of one reading, a share.
        readings: How many the median is of.

    Source: Kendall and Stuart, The Advanced Theory of Statistics, vol. 1, section 10.10.
    """
    return SIDES * math.sqrt(math.pi / 2 / readings) * spread


def reading_spread(process_ms: Iterable[Sequence[float]]) -> float:
    """Standard deviation of one reading of one network, a share, pooled over networks.

    Args:
        process_ms: Of each network, its milliseconds in each process; infinite where no network
            has two.
    """
    squares, free = 0.0, 0
    for readings in process_ms:
        shares = np.asarray(readings, float) / np.mean(readings)
        squares += float(np.sum((shares - 1) ** 2))
        free += len(readings) - 1
    return math.sqrt(squares / free) if free > 0 else math.inf
