"""Fronts and crowding against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from nas.tuning.ranks import COPY, add_point, crowding, fronts
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
