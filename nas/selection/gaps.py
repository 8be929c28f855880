"""Where further networks of a front are looked for: in the widest gaps between those it has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

# A further network lies within this share of the middle of its gap, or within a quarter of a
# narrow one: a wider window would give the most accurate networks, which are its slowest.
NEAR_MIDDLE = 0.02
# Networks whose predictions differ by less than this share take the same time, as far as anybody
# can measure.
SAME_TIME = 0.005


@dataclass(frozen=True)
class Window:
    """Milliseconds between which a network is looked for.

    Args:
        aim_ms: Where it would lie best.
        low_ms: Least predicted milliseconds.
        high_ms: Most.
    """

    aim_ms: float
    low_ms: float
    high_ms: float


def windows(known_ms: Sequence[float], least_ms: float, most_ms: float) -> Iterator[Window]:
    """Where the next network of a front is looked for, one window after another.

    Networks differ by ratios of milliseconds, so that the middle of a gap is its geometric mean.
    The widest gap comes first: near its middle, then anywhere inside. Where nothing lies inside of
    any gap, a network may take the time of one that is there, and at last lie outside of all.
    Adding network by network in this order gives the same ones for 8 and then 12 as for 12.

    Args:
        known_ms: Predicted milliseconds of the networks that the front has, one or more.
        least_ms: Of the fastest network of the space, above 0.
        most_ms: Of the slowest one.
    """
    ends = sorted(set(known_ms))
    if len(ends) == 1:  # nothing lies between: both sides of it are all that there is
        ends = sorted({least_ms, *ends, most_ms})
    # Of equally wide gaps the faster one is first, whatever the last digit says.
    gaps = sorted(pairwise(ends), key=lambda gap: (-round(math.log(gap[1] / gap[0]), 9), gap[0]))
    for low_ms, high_ms in gaps:
        middle_ms = math.sqrt(low_ms * high_ms)
        width = math.log(high_ms / low_ms)
        if width <= 2 * SAME_TIME:
            continue
        for reach in (min(NEAR_MIDDLE, width / 4), width / 2 - SAME_TIME):
            yield Window(middle_ms, middle_ms * math.exp(-reach), middle_ms * math.exp(reach))
    for low_ms, high_ms in ((ends[0], ends[-1]), (least_ms, most_ms)):
        yield Window(math.sqrt(low_ms * high_ms), low_ms, high_ms)
