"""How important knobs are, and when that is not told."""

from __future__ import annotations

import numpy as np
import pytest

from nas.errors import InputError
from nas.tuning.importance import importances, needed_trials
from nas.tuning.objectives import Objective
from nas.tuning.parameters import OneOfList, Parameter, Range

PARAMETERS: tuple[Parameter, ...] = (
    Range("rate", 0.001, 1.0, is_log=True),
    OneOfList("kernel", (3, 5, 7)),
    Range("depth", 1, 9, is_whole=True),
)


def drawn(count: int) -> list[dict[str, float]]:
    rng = np.random.default_rng(3)
    return [{p.name: p.draw(rng) for p in PARAMETERS} for _ in range(count)]  # type: ignore[misc]


@pytest.mark.parametrize(("name", "sign"), [("top1", 1.0), ("cross_entropy", -1.0)])
def test_knob_that_decides_comes_first_whichever_way_is_better(name: str, sign: float) -> None:
    configurations = drawn(60)
    chance = np.random.default_rng(4).random(60)
    # A third of all have kernels of 5, which are good; chance orders them and the others.
    values = [
        sign * (c["kernel"] == 5) + 0.01 * x for c, x in zip(configurations, chance, strict=True)
    ]
    found = importances(PARAMETERS, Objective(name), configurations, values)
    assert next(iter(found)) == "kernel" and found["kernel"] > 0.5
    assert sum(found.values()) == pytest.approx(1.0)  # a sum of floats


def test_few_trials_are_refused() -> None:
    assert needed_trials(PARAMETERS) == 30
    assert needed_trials([OneOfList(str(n), (0, 1)) for n in range(20)]) == 60
    with pytest.raises(InputError, match="set max_trials to 30 or more"):
        importances(PARAMETERS, Objective("top1"), drawn(29), [0.0] * 29)
