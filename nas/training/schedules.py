"""Schedules over steps: pure functions."""

from __future__ import annotations

import math


def ramp(step: int, start: int, length: int) -> float:
    """Linear from 0 at `start` to 1 at `start + length`; a jump in the loss unsettles gates."""
    if step < start:
        return 0.0
    if length <= 0:
        return 1.0
    return min(1.0, (step - start) / length)


def one_cycle(step: int, total: int, warmup_share: float, last_share: float = 0.002) -> float:
    """Learning rate as a share of its peak: linear up, then a half cosine down.

    Source: Loshchilov and Hutter 2017, arXiv 1608.03983, with linear warm-up.
    """
    warmup = max(1.0, warmup_share * total)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    share = min(1.0, (step - warmup) / max(1.0, total - warmup))
    return last_share + (1.0 - last_share) * 0.5 * (1.0 + math.cos(math.pi * share))
