"""Options that gates must not learn."""

from __future__ import annotations

import numpy as np

from nas.cost.constraints import Bounds, excluded_options, quantities
from nas.layers.draw import SKIP
from nas.search_space.named import get_space


def test_gates_lose_the_values_that_break_a_memory_bound() -> None:
    space = get_space("toy")
    memory = quantities(space, Bounds())[3]
    most = min(int(row.max()) for row in memory.options) - 1
    excluded = excluded_options(quantities(space, Bounds(max_memory_bytes=most)))
    assert all(row.any() and not row.all() for row in excluded)
    narrow = space.without(excluded)
    # The encoding, the table and everything else of the space are the same.
    assert narrow.fingerprint() == space.fingerprint() and narrow.size == space.size
    assert narrow.tables.columns[0].keys() == space.tables.columns[0].keys()
    expansion, kernel = narrow.tables.allowed["expansion"], narrow.tables.allowed["kernel"]
    assert expansion.tolist() == [[True, False], [True, False]]
    assert kernel.all() and narrow.tables.allowed[SKIP].tolist() == [[True, False], [True, True]]
    assert get_space("toy").tables.allowed["expansion"].all()


def test_a_block_that_can_only_be_skipped_keeps_its_other_values() -> None:
    space = get_space("toy")
    excluded = [np.zeros(4, bool), np.array([True, True, True, True, False])]
    allowed = space.without(excluded).tables.allowed
    assert allowed[SKIP].tolist() == [[True, False], [False, True]]
    assert allowed["kernel"].all() and allowed["expansion"].all()
