"""Results that hold the same runs: one session counts once, however often it is handed over."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from latency.device.records import Result
from latency.errors import LatencyError

# Share of visits that two sessions may have in common by chance: a coarse clock repeats some of
# the shortest, a copied session all, and one that was gone on with those of its beginning.
MOST_SHARED = 0.05


class RepeatError(LatencyError):
    """Two results of one session."""


def refuse_repeats(results: Sequence[Result]) -> None:
    """Refuses results of which two hold the same session, or parts of it.

    Args:
        results: Of one job, two or more.

    Raises:
        RepeatError: Two began at the same moment on the same device, or share visits.
    """
    for (place, first), (other_place, other) in combinations(enumerate(results, start=1), 2):
        shared = _shared_visits(first, other)
        if shared > MOST_SHARED or _session(first) == _session(other):
            raise RepeatError(
                "each session once",
                f"result {place} and result {other_place}, which began at {first.started_at} and "
                f"{other.started_at} and have {shared:.0%} of their visits in common",
                "name one of the two: the longer holds what the shorter has",
            )


def _session(result: Result) -> tuple[str, str, str]:
    return result.started_at, result.host.hostname, result.host.fingerprint


def _shared_visits(first: Result, other: Result) -> float:
    """Share, from 0 to 1, of the shorter result's visits that the other has as well."""
    shared = sum(
        len(set(visits) & set(other.visits.get(key, ()))) for key, visits in first.visits.items()
    )
    counts = [sum(map(len, result.visits.values())) for result in (first, other)]
    return shared / max(1, min(counts))
