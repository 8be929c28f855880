"""Schedules over steps: pure functions, the ones of learning rates by name."""

from __future__ import annotations

import math
from collections.abc import Callable

from nas.registry import Registry

# (step from 0, steps in all, share of them in which the rate grows) -> share of the peak rate.
Schedule = Callable[[int, int, float], float]
SCHEDULES: Registry[Schedule] = Registry("schedule")


def ramp(step: int, start: int, length: int) -> float:
    """Linear from 0 at `start` to 1 at `start + length`; a jump in the loss unsettles gates.

    Args:
        step: The present one, from 0.
        start: Last step at which the ramp is 0.
        length: Steps of the ramp; with 0 it is a jump.
    """
    if step < start:
        return 0.0
    if length <= 0:
        return 1.0
    return min(1.0, (step - start) / length)


def one_cycle(step: int, total: int, warmup_share: float, last_share: float = 0.002) -> float:
    """Learning rate as a share of its peak: linear up, then a half cosine down.

    Source: Loshchilov and Hutter 2017, arXiv 1608.03983, with linear warm-up.

    Args:
        step: The present one, from 0.
        total: Steps in all.
        warmup_share: Part of them in which the rate grows, from 0 to 1.
        last_share: What the rate falls to.
    """
    warmup = _warmup_steps(total, warmup_share)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    share = _share_after(step, total, warmup)
    return last_share + (1.0 - last_share) * 0.5 * (1.0 + math.cos(math.pi * share))


def constant(step: int, total: int, warmup_share: float) -> float:
    """Learning rate as a share of its peak: linear up, then the peak to the end.

    Source: Goyal et al. 2017, arXiv 1706.02677, section 2.2 (gradual warm-up).

    Args:
        step: The present one, from 0.
        total: Steps in all.
        warmup_share: Part of them in which the rate grows, from 0 to 1.
    """
    warmup = _warmup_steps(total, warmup_share)
    return (step + 1) / (warmup + 1) if step < warmup else 1.0


def linear(step: int, total: int, warmup_share: float, last_share: float = 0.002) -> float:
    """Learning rate as a share of its peak: linear up, then linear down.

    Source: Li, Yumer and Ramanan 2020, arXiv 1905.04753 (budgeted training), with warm-up.

    Args:
        step: The present one, from 0.
        total: Steps in all.
        warmup_share: Part of them in which the rate grows, from 0 to 1.
        last_share: What the rate falls to.
    """
    warmup = _warmup_steps(total, warmup_share)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 1.0 - (1.0 - last_share) * _share_after(step, total, warmup)


def _warmup_steps(total: int, warmup_share: float) -> float:
    return max(1.0, warmup_share * total)


def _share_after(step: int, total: int, warmup: float) -> float:
    """How far the part after the warm-up has come, from 0 to 1."""
    return min(1.0, (step - warmup) / max(1.0, total - warmup))


SCHEDULES.register("one_cycle", one_cycle)
SCHEDULES.register("constant", constant)
SCHEDULES.register("linear", linear)
