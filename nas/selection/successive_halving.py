"""A race: candidates of equal latency train alone, the better half goes on, the winner is kept.

Shared weights rank networks poorly (docs/log.md), so the last word has what a user will do with
the network: a training of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas.errors import InputError


@dataclass(frozen=True)
class Rung:
    """One round of a race.

    Args:
        candidates: How many train.
        epochs: For each.
    """

    candidates: int
    epochs: float


@dataclass(frozen=True)
class Candidate:
    """A network that takes part.

    Args:
        name: For people; different for each.
        origin: `search`, `evolution` or `random`.
        indices: One option a choice.
        measured_ms: Whole, together with the other candidates; None for another device.
        predicted_ms: By the table.
    """

    name: str
    origin: str
    indices: tuple[int, ...]
    measured_ms: float | None
    predicted_ms: float


def rungs(candidates: int, epochs: float) -> list[Rung]:
    """Successive halving: twice the epochs for half the candidates, until two are left.

    Each rung trains from new weights with a whole schedule of its own: a training that was cut
    off before its learning rate fell says little about how it would have ended.

    Source: Jamieson and Talwalkar 2016, arXiv 1502.07943, algorithm 1, with eta = 2.

    Args:
        candidates: At the start, 2 or more.
        epochs: Of the last rung.

    Raises:
        InputError: Fewer than two candidates, or no epochs.
    """
    if candidates < 2 or not epochs > 0:
        raise InputError(
            "a race of 2 or more candidates and epochs above 0",
            f"{candidates} candidates, {epochs:g} epochs",
            "correct --race and --race_epochs",
        )
    sizes = [candidates]
    while sizes[-1] > 2:
        sizes.append(-(-sizes[-1] // 2))
    return [Rung(n, epochs / 2 ** (len(sizes) - 1 - i)) for i, n in enumerate(sizes)]


def shares(count: int, has_evolution: bool) -> dict[str, int]:
    """How many candidates come from where; a quarter is random, so that chance is never excluded.

    Args:
        count: Candidates, 2 or more.
        has_evolution: Whether a trained supernet can be asked.
    """
    random = max(1, count // 4)
    evolution = (count - random) // 2 if has_evolution else 0
    return {"search": count - random - evolution, "evolution": evolution, "random": random}


def run_race(
    candidates: Sequence[Candidate],
    epochs: float,
    train: Callable[[Candidate, int, float], Mapping[str, Any]],
) -> dict[str, Any]:
    """Trains, ranks and halves until one is left.

    Args:
        candidates: Two or more; earlier ones win ties.
        epochs: Of the last rung.
        train: (candidate, rung's number, epochs) -> record with `score` (higher is better),
            `top1`, `images_seen` and `seconds`.

    Returns:
        `winner` (a name), `rungs` with every record, and the cost: `images_seen`, `seconds`.
    """
    left = list(candidates)
    place = {c.name: i for i, c in enumerate(candidates)}
    records: list[dict[str, Any]] = []
    for number, rung in enumerate(rungs(len(left), epochs)):
        results = {c.name: dict(train(c, number, rung.epochs)) for c in left}
        left.sort(key=lambda c: (-results[c.name]["score"], place[c.name]))
        order = [c.name for c in left]
        records.append({"epochs": rung.epochs, "order": order, "results": results})
        left = left[: -(-len(left) // 2)]
    every = [result for record in records for result in record["results"].values()]
    return {
        "winner": left[0].name,
        "rungs": records,
        "images_seen": sum(r["images_seen"] for r in every),
        "seconds": sum(r["seconds"] for r in every),
    }
