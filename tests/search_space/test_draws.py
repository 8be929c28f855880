"""Even draws over the choices of a space."""

from __future__ import annotations

import numpy as np
from scipy import stats

from nas.search_space.draws import even_indices


def test_every_option_is_as_likely_as_the_others_of_its_choice() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([even_indices((5, 2, 1), rng) for _ in range(2000)])
    for position, size in enumerate((5, 2, 1)):
        counts = np.bincount(drawn[:, position], minlength=size)
        assert len(counts) == size
        # One seed, fixed: a p-value below 1e-3 would be a wrong draw.
        assert size == 1 or stats.chisquare(counts).pvalue > 1e-3


def test_a_draw_takes_one_number_a_choice_in_order() -> None:
    """Resumed runs draw the same networks as before."""
    sizes = (5, 9, 9, 5)
    first, second = np.random.default_rng(3), np.random.default_rng(3)
    assert even_indices(sizes, first) == tuple(int(second.integers(size)) for size in sizes)
    assert first.integers(1000) == second.integers(1000)
