"""Draws over the choices of a space."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def even_indices(sizes: Iterable[int], rng: np.random.Generator) -> tuple[int, ...]:
    """One option of each choice, every one equally likely and drawn on its own.

    Args:
        sizes: Number of options of each choice, 1 or more.
        rng: Source of chance; one number is drawn for each choice, in order.
    """
    return tuple(int(rng.integers(size)) for size in sizes)
