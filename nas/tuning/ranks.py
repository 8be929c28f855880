"""Fronts of points that dominate each other, and how crowded a point is on its front.

Less is better in every column. A point dominates another one if it is as good in all columns and
better in one. The front, or rank, of a point is the length of the longest chain of points that
dominate one another and it: 0 for points that nothing dominates.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Numbers = NDArray[np.int64]

# A copy of a point stands behind all different points of its front, whose distances are 0 or more.
COPY = -1.0
# Two columns are sorted anew where a point reaches further: so many fronts one by one take as long.
MOST_FRONTS = 32


def fronts(points: Points) -> Numbers:
    """The front of every point.

    One or two columns take O(n log n), and m columns O(m n^2) in n vector operations.

    Source: Deb, Pratap, Agarwal and Meyarivan 2002, IEEE TEC 6(2), section III-A, for the fronts;
    Jensen 2003, IEEE TEC 7(5), for the search by bisection in two columns.

    Args:
        points: One row a point, finite.
    """
    # In lexicographic order, what dominates a row stands before it. Copies share a front.
    order = np.lexsort(points.T[::-1])
    rows = points[order]
    is_distinct = differs_from_last(rows)
    distinct = rows[is_distinct]
    if points.shape[1] == 1:
        ranks = np.arange(len(distinct))
    else:
        ranks = _two_columns(distinct) if points.shape[1] == 2 else _more_columns(distinct)
    found = np.empty(len(points), np.int64)
    found[order] = ranks[np.cumsum(is_distinct) - 1]
    return found


def differs_from_last(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Of each row, whether it differs from the one before it; of the first one, that it does.

    Args:
        rows: In some order.
    """
    found = np.ones(len(rows), bool)
    found[1:] = (rows[1:] != rows[:-1]).any(1)
    return found


def _two_columns(rows: Points) -> Numbers:
    """Of distinct rows in lexicographic order, whose first column therefore never falls."""
    least: list[float] = []  # of each front's second column; rises from front to front
    found = []
    for value in rows[:, 1].tolist():
        front = bisect_right(least, value)
        least[front : front + 1] = [value]
        found.append(front)
    return np.array(found, np.int64)


def _more_columns(rows: Points) -> Numbers:
    """Of distinct rows in lexicographic order."""
    found = np.zeros(len(rows), np.int64)
    rest = np.ascontiguousarray(rows[:, 1:].T)
    for number in range(len(rows)):
        better = (rest[:, :number] <= rest[:, number, None]).all(0)
        found[number] = np.max(found[:number], where=better, initial=-1) + 1
    return found


def add_point(points: Points, ranks: Numbers, point: Points) -> int:
    """The front of one more point; those behind it that move back are moved in place.

    A new point makes chains longer by one at most. What moves is found front by front: the points
    of a front that something moved into it dominates, so that no other pair is compared again.
    Where a whole front moves, every front behind it does. Two columns are sorted anew where many
    fronts would be looked at, which a column of few values makes.

    Source: Li, Deb, Zhang and Zhang 2014, arXiv 1412.0321, efficient non-domination level update.

    Args:
        points: Those that are there, one row a point.
        ranks: Their fronts; changed.
        point: The new one.
    """
    at_least, at_most = (points >= point).all(1), (points <= point).all(1)
    better = at_most & ~at_least
    front = found = int(np.max(ranks, where=better, initial=-1)) + 1
    behind = np.flatnonzero(at_least & ~at_most)
    moved, came = point[None], 0
    while len(behind):
        if points.shape[1] == 2 and front - found == MOST_FRONTS:
            ranks[:] = fronts(np.vstack((points, point)))[:-1]
            break
        here = behind[ranks[behind] == front]
        pushed = here[_is_dominated(points[here], moved)]
        if not len(pushed):
            break
        if len(pushed) == np.count_nonzero(ranks == front) - came:
            ranks[ranks > front] += 1
            ranks[pushed] = front + 1
            break
        behind = behind[ranks[behind] > front]
        front += 1
        ranks[pushed] = front
        moved, came = points[pushed], len(pushed)
    return found


def _is_dominated(points: Points, others: Points) -> NDArray[np.bool_]:
    """Of each point, whether one of the others dominates it."""
    as_good = np.ones((len(points), len(others)), bool)
    better = np.zeros((len(points), len(others)), bool)
    for ours, theirs in zip(points.T, others.T, strict=True):
        np.logical_and(as_good, theirs <= ours[:, None], out=as_good)
        np.logical_or(better, theirs < ours[:, None], out=better)
    found: NDArray[np.bool_] = np.logical_or.reduce(as_good & better, axis=1)
    return found


def crowding(points: Points, groups: Numbers, numbers: Numbers) -> Points:
    """How far the neighbours of each point are from each other: more is less crowded.

    For every column the points of a group are sorted, and a point has the difference between its
    two neighbours over the range of its group. The two ends are infinitely far. A column without a
    range adds nothing. A copy of a point with a smaller number adds nothing to its front, and has
    less than every other point.

    Source: Deb et al. 2002, section III-B, with the range of the front.

    Args:
        points: One row a point, finite.
        groups: The front that each one is on.
        numbers: Tell equal points apart; the smaller one comes first.
    """
    found = np.full(len(points), COPY)
    if not len(points):
        return found
    keys = np.lexsort((numbers, *points.T[::-1], groups))
    rows = np.column_stack((groups, points))[keys]
    kept = keys[differs_from_last(rows)]
    found[kept] = 0.0
    for column in points.T:
        found[kept] += _gaps(column[kept], groups[kept], numbers[kept])
    return found


def _gaps(values: Points, groups: Numbers, numbers: Numbers) -> Points:
    """What one column adds to the distances."""
    order = np.lexsort((numbers, values, groups))
    values, groups = values[order], groups[order]
    starts = np.flatnonzero(np.concatenate(([True], groups[1:] != groups[:-1])))
    ends = np.concatenate((starts[1:], [len(values)])) - 1
    # Differences and ranges of the greatest numbers overflow; halves do not.
    halves = values / 2
    spread = np.repeat(halves[ends] - halves[starts], ends - starts + 1)
    gaps = np.full(len(values), np.inf)
    gaps[1:-1] = halves[2:] - halves[:-2]
    gaps[starts] = gaps[ends] = np.inf
    found = np.zeros(len(values))
    has_range = spread > 0
    found[order[has_range]] = gaps[has_range] / spread[has_range]
    return found
