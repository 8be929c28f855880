"""A race: candidates of equal cost train alone, the better half goes on, the winner is kept.

Shared weights rank networks poorly (docs/log.md), so the last word has what a user will do with
the network: a training of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

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
        text: The architecture.
        measured_ms: Milliseconds measured whole, together with the other candidates; None with
            `--device`, and where the goal is a count.
        predicted_ms: Milliseconds by the table; None without one.
    """

    name: str
    origin: str
    indices: tuple[int, ...]
    text: str
    measured_ms: float | None
    predicted_ms: float | None


@dataclass(frozen=True)
class Field:
    """race/field.json: who takes part.

    Args:
        candidates: The search's choice first; earlier ones win ties.
    """

    FILE: ClassVar[str] = "race/field.json"
    SCHEMA_VERSION: ClassVar[int] = 2
    OLDER_VERSIONS: ClassVar[tuple[int, ...]] = (1,)

    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class CandidateScore:
    """race/RUNG-NAME.json: what one training of a candidate reached, on images held out for that.

    Args:
        top1: Share of the judging images, 0 to 1.
        cross_entropy: Mean over these images; tells equal accuracies apart.
        images_seen: Images trained on.
        seconds: Of training and judging.
    """

    FILE: ClassVar[str] = "race/{name}.json"
    SCHEMA_VERSION: ClassVar[int] = 2

    top1: float
    cross_entropy: float
    images_seen: int
    seconds: float

    @property
    def rank(self) -> tuple[float, float]:
        """Greater is better: accuracy decides, cross-entropy only between equal accuracies."""
        return self.top1, -self.cross_entropy


@dataclass(frozen=True)
class RungResult:
    """One round of a race that was run.

    Args:
        epochs: Of each training.
        order: Names of the candidates, best first.
        results: Name -> what its training reached.
    """

    epochs: float
    order: tuple[str, ...]
    results: Mapping[str, CandidateScore]


@dataclass(frozen=True)
class RaceResult:
    """race.json: who won, and what it cost.

    Args:
        candidates: Who took part.
        winner: Name of one of them.
        rungs: Every round; none where there was one candidate only.
        images_seen: Images trained on in all.
        seconds: Of all trainings.
    """

    FILE: ClassVar[str] = "race.json"
    SCHEMA_VERSION: ClassVar[int] = 3
    OLDER_VERSIONS: ClassVar[tuple[int, ...]] = (2,)

    candidates: tuple[Candidate, ...]
    winner: str
    rungs: tuple[RungResult, ...] = ()
    images_seen: int = 0
    seconds: float = 0.0

    @property
    def winning(self) -> Candidate:
        """The candidate that won."""
        return next(c for c in self.candidates if c.name == self.winner)


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
    train: Callable[[Candidate, int, float], CandidateScore],
    ahead: Callable[[Sequence[Candidate], int, float], None] | None = None,
) -> RaceResult:
    """Trains, ranks and halves until one is left.

    Args:
        candidates: Two or more; earlier ones win ties.
        epochs: Of the last rung.
        train: (candidate, rung's number, epochs) -> what that training reached.
        ahead: Told (candidates, rung's number, epochs) before any of a rung's trainings.
    """
    left = list(candidates)
    place = {c.name: i for i, c in enumerate(candidates)}
    played: list[RungResult] = []
    for number, rung in enumerate(rungs(len(left), epochs)):
        if ahead is not None:
            ahead(left, number, rung.epochs)
        results = {c.name: train(c, number, rung.epochs) for c in left}
        left.sort(key=lambda c: place[c.name])
        left.sort(key=lambda c: results[c.name].rank, reverse=True)  # keeps the order of ties
        played.append(RungResult(rung.epochs, tuple(c.name for c in left), results))
        left = left[: -(-len(left) // 2)]
    every = [result for rung in played for result in rung.results.values()]
    return RaceResult(
        tuple(candidates),
        left[0].name,
        tuple(played),
        sum(r.images_seen for r in every),
        sum(r.seconds for r in every),
    )
