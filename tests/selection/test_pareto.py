"""The front against its definition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from nas.errors import InputError
from nas.selection.pareto import pareto_front


def dominated(i: int, ms: Sequence[float], accuracy: Sequence[float]) -> bool:
    return any(
        (ms[j] <= ms[i] and accuracy[j] >= accuracy[i])
        and (ms[j] < ms[i] or accuracy[j] > accuracy[i])
        for j in range(len(ms))
    )


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Coarse figures, so that ties happen.
    ms, accuracy = rng.integers(1, 8, 30).tolist(), rng.integers(1, 8, 30).tolist()
    front = pareto_front(ms, accuracy)
    wanted = {(ms[i], accuracy[i]) for i in range(30) if not dominated(i, ms, accuracy)}
    assert {(ms[i], accuracy[i]) for i in front} == wanted
    assert len(front) == len(wanted)
    assert [ms[i] for i in front] == sorted(ms[i] for i in front)


def test_empty_and_single() -> None:
    assert pareto_front([], []) == []
    assert pareto_front([1.0], [0.5]) == [0]


@pytest.mark.parametrize(("ms", "accuracy"), [([1.0], []), ([1.0], [float("nan")])])
def test_bad_lists(ms: list[float], accuracy: list[float]) -> None:
    with pytest.raises(InputError, match="(?s)Expected.*Received.*Fix"):
        pareto_front(ms, accuracy)
