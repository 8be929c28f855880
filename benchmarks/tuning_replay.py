#!/usr/bin/env python3
"""Searches by trials, replayed on recorded learning curves: what do equal epochs come to?

    python benchmarks/tuning_replay.py --curves FILE.npz [--others optuna,synetune] [--json FILE]
    python benchmarks/tuning_replay.py --made_up

Nothing is trained. Each replay draws another order of the configurations, the same for all
searches, and lets workers train in parallel, an epoch taking as long for each. Printed are the
best top-1 and the hypervolume of top-1 and cost that each search has seen after equal epochs, how
far ours is ahead of those with the same sampler, replay by replay (paired t), and the epochs that
ours saves against training every configuration whole. All with 95 % intervals over the replays,
in Markdown. `--others` needs these libraries, see tuning_others.py. See benchmarks/README.md.
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np

from benchmarks import tuning_curves
from benchmarks.tuning_curves import Curves
from benchmarks.tuning_players import Deck, Leg, Player, Reached
from benchmarks.tuning_searches import OTHERS, OWN, RIVALS, SAVERS, Make
from benchmarks.tuning_tables import Figures, Interval, print_figures
from latency import atomic, command_line, shell
from latency.cli.parser import OutputFile, Parser, Value
from nas.registry import check_known
from nas.tuning.ladder import Ladder


class Seen(NamedTuple):
    """The end of a leg.

    Attributes:
        epochs: Of all trainings so far.
        top1: Reached.
        cost: Of the configuration.
        is_whole: Whether the training is.
    """

    epochs: float
    top1: float
    cost: float
    is_whole: bool = False


def replay(player: Player, curves: Curves, workers: int, budget_epochs: float) -> list[Seen]:
    """Lets a search train until the epochs are used.

    Args:
        player: The search.
        curves: What its trainings come to.
        workers: Trainings at a time.
        budget_epochs: Of all trainings.

    Returns:
        The ends of all legs, in their order.
    """
    ladder = player.ladder
    points = curves.points_of(ladder.epochs)
    lengths = np.diff([0.0, *ladder.epochs])
    begun_at: dict[int, int] = {}
    running: list[tuple[float, int, Leg, float]] = []
    seen: list[Seen] = []
    now = spent = 0.0
    number = 0
    while True:
        while len(running) < workers:
            leg = player.ask()
            if leg is None:
                break
            number += 1
            # A trial of Hyperband may begin at a later rung, and trains all epochs up to it.
            first = begun_at.setdefault(leg.trial, leg.rung) == leg.rung
            length = ladder.epochs[leg.rung] if first else float(lengths[leg.rung])
            heapq.heappush(running, (now + length, number, leg, length))
        if not running:
            return seen
        now, _, leg, length = heapq.heappop(running)
        spent += length
        # Sums of binary fractions of an epoch, and of thirds of them, are nearly exact.
        if spent > budget_epochs * (1 + 1e-9):
            return seen
        top1 = float(curves.top1[leg.configuration, points[leg.rung]])
        cost = float(curves.cost[leg.configuration])
        seen.append(Seen(spent, top1, cost, leg.rung == ladder.last))
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
    rows = [(row.top1, row.cost) for row in seen if row.epochs <= epochs * (1 + 1e-9)]
    found = np.array(rows).reshape(-1, 2)
    found = found[np.isfinite(found[:, 0])]
    best = float(found[:, 0].max(initial=0.0))
    return {"top1": best, "hypervolume": hypervolume(found[:, 0], found[:, 1], most_cost)}


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
            seen = replay(player, curves, workers, max(epochs))
            rows.append([judged(seen, wanted, most_cost) for wanted in epochs])
        found[name] = {
            measure: np.array([[cell[measure] for cell in row] for row in rows])
            for measure in RIVALS
        }
    return found


@dataclass(frozen=True)
class Saving:
    """What a search through all configurations takes and comes to.

    Args:
        epochs: Of all trainings.
        factor: Epochs of training every configuration whole, over these.
        shortfall: By how much the best whole training is below the best of all.
        found: In how many replays it is the best of all.
    """

    epochs: Interval
    factor: float
    shortfall: Interval
    found: int


def saving(curves: Curves, make: Make, ladder: Ladder, replays: int, workers: int) -> Saving:
    """Lets a search go through all configurations.

    Args:
        curves: What trainings come to.
        make: How the search is made.
        ladder: Lengths of rungs.
        replays: Orders of the configurations.
        workers: Trainings at a time.
    """
    ends = [
        replay(make(ladder, Deck(curves, seed), seed), curves, workers, np.inf)
        for seed in range(replays)
    ]
    epochs = Interval.of(np.array([seen[-1].epochs for seen in ends]))
    # Where nothing was trained whole, nothing was found.
    best = [
        max((row.top1 for row in seen if row.is_whole and not np.isnan(row.top1)), default=0.0)
        for seen in ends
    ]
    below = float(np.nanmax(curves.top1[:, -1])) - np.array(best)
    factor = len(curves) * ladder.max_epochs / epochs.mean
    return Saving(epochs, factor, Interval.of(below), int((below <= 0).sum()))


def print_savings(
    curves: Curves, searches: Mapping[str, Make], ladder: Ladder, replays: int, workers: int
) -> None:
    """Prints what going through all configurations takes, as Markdown.

    Args:
        curves: What trainings come to.
        searches: Name -> how one is made.
        ladder: Lengths of rungs.
        replays: Orders of the configurations.
        workers: Trainings at a time.
    """
    whole = len(curves) * ladder.max_epochs
    print(f"\n| all configurations, against {whole:g} epochs | epochs | factor | below the best |")
    print("|---|---|---|---|")
    for name, make in searches.items():
        row = saving(curves, make, ladder, replays, workers)
        found = f"{row.shortfall}, the best in {row.found} of {replays}"
        print(f"| {name} | {row.epochs.mean:.1f} | {row.factor:.2f} | {found} |")


def main(arguments: list[str] | None = None) -> int:
    """Replays the searches, and prints or writes the figures."""
    parser = Parser(description=__doc__)
    tuning_curves.add_flags(parser)
    parser.add_argument("--weights", choices=("last", "average"), default="last", help="(last)")
    parser.add_argument("--others", default="", help="optuna, synetune, or both")
    parser.add_argument("--reduction", action=Value, type=int, default=4, help="eta (4)")
    parser.add_argument("--rungs", action=Value, type=int, default=5, help="of a training (5)")
    parser.add_argument("--epochs", default="32,64,96", help="compared at, between commas")
    parser.add_argument("--replays", action=Value, type=int, default=20, help="at least 2 (20)")
    parser.add_argument("--workers", action=Value, type=int, default=4, help="at a time (4)")
    parser.add_argument("--json", action=OutputFile, type=Path, help="also written as JSON")
    options = parser.parse_args(arguments)
    searches = dict(OWN)
    for name in filter(None, options.others.split(",")):
        check_known("--others", name, OTHERS)
        searches |= OTHERS[name]
    curves = tuning_curves.named(options).judged_by(options.weights)
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
    print_savings(curves, SAVERS, ladder, options.replays, options.workers)
    if options.json is not None:
        values = {n: {m: v.tolist() for m, v in f.items()} for n, f in found.items()}
        told = {"command": command, "about": str(curves.about), "epochs": epochs}
        atomic.write_json(options.json, {**told, "searches": values})
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
