"""Where further networks of a front are looked for: in the widest gaps between those it has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

# A further network lies within this share of the middle of its gap, or within a quarter of a
# narrow one: a wider window would give the most accurate networks, which are its dearest.
NEAR_MIDDLE = 0.02
# Networks whose costs differ by less than this share are the same, as far as anybody can measure.
SAME = 0.005


@dataclass(frozen=True)
class Window:
    """Costs between which a network is looked for, in what the sweep's goals are asked in.

    Args:
        aim: Where it would lie best.
        low: Least cost.
        high: Most.
    """

    aim: float
    low: float
    high: float


def windows(known: Sequence[float], least: float, most: float) -> Iterator[Window]:
    """Where the next network of a front is looked for, one window after another.

    Networks differ by ratios of their costs, so that the middle of a gap is its geometric mean.
    The widest gap comes first: near its middle, then anywhere inside. Where nothing lies inside of
    any gap, a network may cost what one does that is there, and at last lie outside of all.
    Adding network by network in this order gives the same ones for 8 and then 12 as for 12.

    Args:
        known: Costs of the networks that the front has, one or more.
        least: Of the cheapest network of the space, above 0.
        most: Of the dearest one.
    """
    ends = sorted(set(known))
    if len(ends) == 1:  # nothing lies between: both sides of it are all that there is
        ends = sorted({least, *ends, most})
    # Of equally wide gaps the cheaper one is first, whatever the last digit says.
    gaps = sorted(pairwise(ends), key=lambda gap: (-round(math.log(gap[1] / gap[0]), 9), gap[0]))
    for low, high in gaps:
        middle = math.sqrt(low * high)
        width = math.log(high / low)
        if width <= 2 * SAME:
            continue
        for reach in (min(NEAR_MIDDLE, width / 4), width / 2 - SAME):
            yield Window(middle, middle * math.exp(-reach), middle * math.exp(reach))
    for low, high in ((ends[0], ends[-1]), (least, most)):
        yield Window(math.sqrt(low * high), low, high)
