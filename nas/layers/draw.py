"""One decision for every choice: what gates hold during a step. Needs no framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

# The decision whether a block exists; its columns are (keep, skip).
SKIP = "skip"


@dataclass(frozen=True)
class GateDraw:
    """One hard decision for every choice, and the noise that it was drawn with.

    Args:
        hard: Decision -> (choices, options) one-hot.
        noise: Decision -> Gumbel noise of the same shape; zeros where it is left out.
    """

    hard: Mapping[str, np.ndarray]
    noise: Mapping[str, np.ndarray] = field(default_factory=dict)
