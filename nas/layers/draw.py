"""One decision for every choice: what gates hold during a step. Needs no framework."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from nas.errors import InputError

# The decision whether a block exists; its columns are (keep, skip).
SKIP = "skip"
# What Single-Path NAS decides, and threshold gates with it; the order of their variables.
THRESHOLD_DECISIONS = ("kernel", "expansion", SKIP)


def check_threshold(decisions: Iterable[str]) -> None:
    """Refuses what threshold gates cannot decide.

    Args:
        decisions: Names of those of a space.

    Raises:
        InputError: One of them is none of `THRESHOLD_DECISIONS`.
    """
    others = [name for name in decisions if name not in THRESHOLD_DECISIONS]
    if others:
        raise InputError(
            f"decisions among {', '.join(THRESHOLD_DECISIONS)} for --gate threshold",
            f"a space that decides {', '.join(others)}",
            "use --gate categorical for this space",
        )


@dataclass(frozen=True)
class GateDraw:
    """One hard decision for every choice, and the noise that it was drawn with.

    Args:
        hard: Decision -> (choices, options) one-hot.
        noise: Decision -> Gumbel noise of the same shape; zeros where it is left out.
    """

    hard: Mapping[str, np.ndarray]
    noise: Mapping[str, np.ndarray] = field(default_factory=dict)
