#!/usr/bin/env python3
"""Searches by trials, replayed on recorded learning curves: what do equal epochs come to?

    python benchmarks/tuning_replay.py --curves FILE.npz [--others optuna,synetune] [--json FILE]
    python benchmarks/tuning_replay.py --made_up

Nothing is trained. Each replay draws another order of the configurations, the same for all
searches, and lets workers train in parallel, an epoch taking as long for each. Printed are the
best top-1 and the hypervolume of top-1 and cost that each search has seen after equal epochs, with
95 % intervals over the replays, and how far ours is ahead of each other one, replay by replay
(paired t). `--others` needs these libraries, see tuning_others.py. See benchmarks/README.md.
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np
from scipy import stats

from benchmarks import tuning_curves
from benchmarks.tuning_curves import Curves
from benchmarks.tuning_players import Algorithm2, Chance, Deck, Leg, Ours, Player, Reached
from latency import atomic, command_line, shell
from latency.cli.parser import OutputFile, Parser, Value
from nas.errors import InputError
from nas.registry import check_known
from nas.tuning.asha import Asha
from nas.tuning.hyperband import Hyperband
from nas.tuning.ladder import Ladder

# More than any recording has: the deck ends before.
ENDLESS = 10**9
Make = Callable[[Ladder, Deck, int], Player]
Seen = tuple[float, float, float]


def _next(deck: Deck) -> int | None:
    return deck.next() if deck else None


def _asha(objectives: int, kind: type[Asha], ladder: Ladder, deck: Deck, _seed: int) -> Player:
    return Ours(kind(ladder, ENDLESS), lambda *_: _next(deck), objectives)


def _hyperband(ladder: Ladder, deck: Deck, _seed: int) -> Player:
    return Ours(Hyperband(ladder, len(deck.curves)), lambda *_: _next(deck), 2)


def _optuna(sampler: str, ladder: Ladder, deck: Deck, seed: int) -> Player:
    from benchmarks.tuning_others import OptunaHalving

    return OptunaHalving(ladder, deck, sampler, seed)


def _tpe(objectives: int, ladder: Ladder, deck: Deck, seed: int) -> Player:
    from benchmarks.tuning_others import ours_with_tpe

    return ours_with_tpe(ladder, deck, ENDLESS, objectives, seed)


def _synetune(objectives: int, ladder: Ladder, deck: Deck, seed: int) -> Player:
    from benchmarks.tuning_others import SyneTune

    return SyneTune(ladder, deck, objectives, seed)


OWN: Mapping[str, Make] = {
    "asha, top1": partial(_asha, 1, Asha),
    "asha, top1 and cost": partial(_asha, 2, Asha),
    "algorithm 2, top1": partial(_asha, 1, Algorithm2),
    "algorithm 2, top1 and cost": partial(_asha, 2, Algorithm2),
    "hyperband, top1 and cost": _hyperband,
    "random": lambda ladder, deck, _seed: Chance(ladder, deck),
}
OTHERS: Mapping[str, Mapping[str, Make]] = {
    "optuna": {
        "asha with TPE, top1": partial(_tpe, 1),
        "asha with TPE, top1 and cost": partial(_tpe, 2),
        "Optuna halving, random": partial(_optuna, "random"),
        "Optuna halving, TPE": partial(_optuna, "tpe"),
    },
    "synetune": {
        "Syne Tune ASHA": partial(_synetune, 1),
        "Syne Tune MOASHA, corrected": partial(_synetune, 2),
    },
}
# Whose lead over the others is told, by what is compared.
OURS = {"top1": "asha, top1", "hypervolume": "asha, top1 and cost"}


def replay(
    player: Player, curves: Curves, ladder: Ladder, workers: int, budget_epochs: float
) -> list[Seen]:
    """Lets a search train until the epochs are used.

    Args:
        player: The search.
        curves: What its trainings come to.
        ladder: Lengths of rungs.
        workers: Trainings at a time.
        budget_epochs: Of all trainings.

    Returns:
        Epochs of all trainings so far, top-1 and cost, at the end of each leg.
    """
    points = curves.points_of(ladder.epochs)
    lengths = np.diff([0.0, *ladder.epochs])
    running: list[tuple[float, int, Leg]] = []
    seen: list[Seen] = []
    now = spent = 0.0
    number = 0
    while True:
        while len(running) < workers:
            leg = player.ask()
            if leg is None:
                break
            number += 1
            heapq.heappush(running, (now + lengths[leg.rung], number, leg))
        if not running:
            return seen
        now, _, leg = heapq.heappop(running)
        spent += lengths[leg.rung]
        # Sums of binary fractions of an epoch, and of thirds of them, are nearly exact.
        if spent > budget_epochs * (1 + 1e-9):
            return seen
        top1 = float(curves.top1[leg.configuration, points[leg.rung]])
        cost = float(curves.cost[leg.configuration])
        seen.append((spent, top1, cost))
        player.tell(leg, Reached(top1, cost))


def hypervolume(top1: np.ndarray, cost: np.ndarray, most_cost: float) -> float:
    """The area that points dominate, from top-1 0 and the greatest cost on.

    Args:
        top1: More is better.
        cost: Less is better.
        most_cost: Where costs begin to count; it becomes the unit.
    """
    area = covered = 0.0
    for number in np.lexsort((-top1, cost)):
        if top1[number] > covered:
            area += (float(top1[number]) - covered) * max(0.0, 1 - float(cost[number]) / most_cost)
            covered = float(top1[number])
    return area


def judged(seen: list[Seen], epochs: float, most_cost: float) -> dict[str, float]:
    """The best top-1 and the hypervolume after some epochs.

    Args:
        seen: Of a replay.
        epochs: Of all trainings.
        most_cost: The greatest cost of the recording.
    """
    found = np.array([row[1:] for row in seen if row[0] <= epochs * (1 + 1e-9)]).reshape(-1, 2)
    found = found[np.isfinite(found[:, 0])]
    best = float(found[:, 0].max(initial=0.0))
    return {"top1": best, "hypervolume": hypervolume(found[:, 0], found[:, 1], most_cost)}


@dataclass(frozen=True)
class Interval:
    """A mean over replays and its 95 % interval by Student's t."""

    mean: float
    low: float
    high: float

    @staticmethod
    def of(values: np.ndarray) -> Interval:
        """The interval of values, one a replay.

        Args:
            values: Two or more.
        """
        mean = float(values.mean())
        error = float(values.std(ddof=1)) / len(values) ** 0.5
        half = float(stats.t.ppf(0.975, len(values) - 1)) * error
        return Interval(mean, mean - half, mean + half)

    def __str__(self) -> str:
        return f"{self.mean:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


Figures = dict[str, dict[str, np.ndarray]]


def figures(
    curves: Curves,
    searches: Mapping[str, Make],
    ladder: Ladder,
    epochs: list[float],
    *,
    replays: int = 20,
    workers: int = 4,
) -> Figures:
    """Search -> measure -> its values, a row a replay and a column a number of epochs.

    Args:
        curves: What trainings come to.
        searches: Name -> how one is made.
        ladder: Lengths of rungs.
        epochs: At which all are compared.
        replays: Orders of the configurations.
        workers: Trainings at a time.
    """
    most_cost = float(curves.cost.max())
    found: Figures = {}
    for name, make in searches.items():
        rows = []
        for seed in range(replays):
            player = make(ladder, Deck(curves, seed), seed)
            seen = replay(player, curves, ladder, workers, max(epochs))
            rows.append([judged(seen, wanted, most_cost) for wanted in epochs])
        found[name] = {
            measure: np.array([[cell[measure] for cell in row] for row in rows]) for measure in OURS
        }
    return found


def leads(found: Figures, measure: str) -> dict[str, list[Interval]]:
    """Search -> by how much ours is ahead of it, an interval a number of epochs.

    Args:
        found: Of all searches.
        measure: `top1` or `hypervolume`.
    """
    ours = found[OURS[measure]][measure]
    return {
        name: [Interval.of(column) for column in (ours - values[measure]).T]
        for name, values in found.items()
        if name != OURS[measure]
    }


def print_figures(found: Figures, epochs: list[float]) -> None:
    """Prints two tables: what was reached, and the lead of ours.

    Args:
        found: Of all searches.
        epochs: At which all are compared.
    """
    for measure, ours in OURS.items():
        print(f"\n{measure} after epochs")
        print(f"{'':30}" + "".join(f"{wanted:^28g}" for wanted in epochs))
        for name, values in found.items():
            cells = "".join(f"{Interval.of(c)!s:^28}" for c in values[measure].T)
            print(f"{name:30}{cells}")
        print(f"\n{measure}: '{ours}' is ahead of")
        for name, intervals in leads(found, measure).items():
            print(f"{name:30}" + "".join(f"{interval!s:^28}" for interval in intervals))


def main(arguments: list[str] | None = None) -> int:
    """Replays the searches, and prints or writes the figures."""
    parser = Parser(description=__doc__)
    parser.add_argument("--curves", type=Path, help="a recording, see tuning_record.py")
    parser.add_argument("--made_up", action="store_true", help="made-up curves, for a try")
    parser.add_argument("--others", default="", help="optuna, synetune, or both")
    parser.add_argument("--reduction", action=Value, type=int, default=4, help="eta (4)")
    parser.add_argument("--rungs", action=Value, type=int, default=5, help="of a training (5)")
    parser.add_argument("--epochs", default="32,64,96", help="compared at, between commas")
    parser.add_argument("--replays", action=Value, type=int, default=20, help="at least 2 (20)")
    parser.add_argument("--workers", action=Value, type=int, default=4, help="at a time (4)")
    parser.add_argument("--json", action=OutputFile, type=Path, help="also written as JSON")
    options = parser.parse_args(arguments)
    if (options.curves is None) == (not options.made_up):
        raise InputError(
            "recorded curves or made-up ones", "both or none", "give --curves FILE or --made_up"
        )
    searches = dict(OWN)
    for name in filter(None, options.others.split(",")):
        check_known("--others", name, OTHERS)
        searches |= OTHERS[name]
    made_up = options.curves is None
    curves = tuning_curves.made_up() if made_up else tuning_curves.load(options.curves)
    ladder = Ladder(float(curves.epochs[-1]), options.reduction, options.rungs)
    epochs = [float(word) for word in options.epochs.split(",")]
    found = figures(
        curves, searches, ladder, epochs, replays=options.replays, workers=options.workers
    )
    words = arguments if arguments is not None else sys.argv[1:]
    command = command_line.join(["python", "benchmarks/tuning_replay.py", *words])
    print(
        f"{command}\n{len(curves)} configurations; cost: {curves.cost_name}; n = "
        f"{options.replays} replays; 95 % intervals"
    )
    print_figures(found, epochs)
    if options.json is not None:
        values = {n: {m: v.tolist() for m, v in f.items()} for n, f in found.items()}
        told = {"command": command, "about": str(curves.about), "epochs": epochs}
        atomic.write_json(options.json, {**told, "searches": values})
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
