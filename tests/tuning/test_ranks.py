"""Fronts and crowding against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from nas.tuning.ranks import COPY, MOST_FRONTS, add_point, crowding, fronts
from tests.support.tuning import slow_crowding, slow_fronts


def points_of(seed: int, columns: int) -> np.ndarray:
    rng = np.random.default_rng([seed, columns])
    # Few levels make copies and ties, many make none.
    return rng.integers(0, rng.choice([2, 5, 1000]), (rng.integers(0, 30), columns)).astype(float)


def as_costs(points: np.ndarray) -> dict[int, tuple[float, ...]]:
    return {i: tuple(row) for i, row in enumerate(points.tolist())}


@pytest.mark.parametrize("columns", [1, 2, 3, 4])
def test_fronts_are_those_of_the_definition(columns: int) -> None:
    for seed in range(20):
        points = points_of(seed, columns)
        wanted = slow_fronts(as_costs(points))
        assert fronts(points).tolist() == [wanted[i] for i in range(len(points))]


@pytest.mark.parametrize("columns", [1, 2, 3, 4])
def test_a_point_more_gives_the_fronts_of_all_points(columns: int) -> None:
    for seed in range(20):
        points = points_of(seed, columns)
        ranks = np.zeros(0, np.int64)
        for number, point in enumerate(points):
            ranks = np.append(ranks, add_point(points[:number], ranks, point))
            assert ranks.tolist() == fronts(points[: number + 1]).tolist()


def test_a_chain_moves_back_as_a_whole() -> None:
    """Every front has one point: the new one is before them all, or in their middle."""
    points = np.arange(10.0)[:, None] + np.zeros(3)
    ranks = fronts(points)
    assert add_point(points, ranks, points[4] - 0.5) == 4
    assert ranks.tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]


@pytest.mark.parametrize("columns", [2, 3])
def test_a_point_that_reaches_many_fronts_gives_those_of_all_points(columns: int) -> None:
    """One column of two values, and others of many: each front has two points or fewer."""
    rng = np.random.default_rng(columns)
    points = rng.random((400, columns))
    points[:, 0] = points[:, 0] < 0.5
    points[:, 2:] = points[:, 1:2]
    ranks = fronts(points)
    assert ranks.max() > 4 * MOST_FRONTS
    for first in (0.0, 1.0):
        for quantile in (-1.0, 0.1, 0.5, 0.9, 2.0):
            point = np.array([first, *[quantile] * (columns - 1)])
            found = ranks.copy()
            found = np.append(found, add_point(points, found, point))
            # The definition takes minutes here; `fronts` is compared with it above.
            assert found.tolist() == fronts(np.vstack((points, point))).tolist()


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_crowding_is_that_of_the_definition_on_every_front(columns: int) -> None:
    for seed in range(20):
        points = points_of(seed, columns)
        ranks = fronts(points)
        numbers = np.random.default_rng(seed).permutation(len(points))
        found = crowding(points, ranks, numbers)
        for front in set(ranks.tolist()):
            rows = np.flatnonzero(ranks == front)
            wanted = slow_crowding({int(numbers[i]): tuple(points[i].tolist()) for i in rows})
            # Sums of at most three quotients, added in the same order.
            assert {int(numbers[i]): found[i] for i in rows} == pytest.approx(wanted, rel=1e-12)


def test_a_copy_is_behind_every_other_point_of_its_front() -> None:
    points = np.array([[0.0, 2.0], [1.0, 1.0], [1.0, 1.0], [2.0, 0.0]])
    found = crowding(points, np.zeros(4, np.int64), np.array([3, 2, 1, 0]))
    assert found.tolist() == [np.inf, COPY, 2.0, np.inf]


def test_the_greatest_numbers_have_distances() -> None:
    most = np.finfo(float).max
    points = np.array([[-most, most], [0.0, 0.0], [most, -most]])
    found = crowding(points, np.zeros(3, np.int64), np.arange(3))
    assert found.tolist() == [np.inf, 2.0, np.inf]
